"""What this executor does not do, whoever signs it: its owner's last word, should the bot itself be in wrong hands."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.errors import NotAllowed, NotStarted

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Fences:
    """Empty `services` or `environments` are all; `least` people have to have approved; `most` starts an hour, 0 for none."""

    services: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    least: int = 1
    most: int = 20
    _starts: deque[datetime] = field(default_factory=deque)

    def pass_by(self, service: str, environment: str) -> None:
        """Raises NotAllowed for a service or an environment that is none of ours; "" is none that is named."""
        for what, name, own in (("service", service, self.services), ("environment", environment, self.environments)):
            if name and own and name not in own:
                raise NotAllowed(f"This executor does nothing for the {what} {name[:80]!r}; it may for {', '.join(sorted(own))}.")

    def count(self, now: datetime) -> None:
        """One more start. Raises NotStarted where that would be one too many."""
        while self._starts and now - self._starts[0] >= HOUR:
            self._starts.popleft()
        if len(self._starts) >= self.most:
            raise NotStarted(
                f"This executor starts {self.most} things an hour at most ([executor] starts_per_hour). If these were wanted, "
                f"ask again later; if not, somebody else speaks for the bot: stop the executor."
            )
        self._starts.append(now)
