"""Whoever asked us to wait is not asked again before that, whichever work wants it."""

import contextlib
import time
from collections.abc import Callable, Iterator

from bot.errors import Unavailable


class Pauses:
    """The spans for which Slack wants to hear nothing, per method and channel; `now` is in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[tuple[str, str], float] = {}

    @contextlib.contextmanager
    def kept(self, method: str, where: str) -> Iterator[None]:
        """Around one call. Raises Unavailable with the seconds that are left, without calling, while the pause lasts."""
        left = self._until.get((method, where), 0.0) - self._now()
        if left > 0:
            raise Unavailable(
                f"Slack asked to wait with {method} for {where}; {left:.1f} s are left.",
                for_people="Slack is busy. Try again in a moment.",
                retry_after=left,
            )
        self._until.pop((method, where), None)
        try:
            yield
        except Unavailable as error:
            if error.retry_after:
                self._until[method, where] = self._now() + error.retry_after
            raise
