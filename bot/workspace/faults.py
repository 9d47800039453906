"""Trouble on demand: rate limits, server errors, dropped connections."""

from dataclasses import dataclass
from datetime import datetime

KINDS = ("ratelimited", "error", "drop", "drop_before")


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` calls of `method` (`*` means every method).

    `ratelimited` answers 429 with Retry-After; `error` answers 500; `drop` carries the call out and then breaks the
    connection without an answer; `drop_before` breaks it without carrying the call out.
    """

    method: str
    kind: str
    times: int = 1
    retry_after: int = 1


class Faults:
    """The faults that are waiting for their call."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.waiting.append(fault)

    def clear(self) -> None:
        self.waiting.clear()

    def take(self, method: str) -> Fault | None:
        """The fault that hits this call, used up by one."""
        for fault in self.waiting:
            if fault.method in ("*", method):
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None


class Pace:
    """About one message per second and channel, with short bursts, as Slack allows."""

    BURST = 4.0

    def __init__(self) -> None:
        self._levels: dict[str, tuple[float, datetime]] = {}

    def wait(self, channel: str, now: datetime) -> int:
        """Seconds that the caller must wait; 0 means that this message may go."""
        level, then = self._levels.get(channel, (0.0, now))
        level = max(0.0, level - (now - then).total_seconds())
        if level + 1 > self.BURST:
            return max(1, round(level + 1 - self.BURST))
        self._levels[channel] = (level + 1, now)
        return 0
