"""A source of numbers for tests: functions of time, sampled once a minute (or as often as said)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.telemetry import Readings, Series, SourceStatus, Window


@dataclass
class Logs:
    """A ports.EvidenceSource without numbers, which is away; each look costs its owner money."""

    asked: int = 0
    name: str = "logs"

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """It does not answer."""
        self.asked += 1
        return (Readings(self.name, "q", window, SourceStatus.FAILED, f"is away for {len(services)}"),)


@dataclass
class Numbers:
    """A ports.EvidenceSource: `metrics[service, metric]` gives the value at a moment; `down` makes it fail."""

    metrics: dict[tuple[str, str], Callable[[datetime], float]] = field(default_factory=dict)
    step: timedelta = timedelta(minutes=1)
    down: bool = False
    asked: list[tuple[tuple[str, ...], Window]] = field(default_factory=list)
    name: str = "numbers"
    numbers: bool = True

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """All series of these services."""
        self.asked.append((tuple(services), window))
        if self.down:
            return (Readings(self.name, "q", window, SourceStatus.FAILED, "is down"),)
        count = int((window.end - window.start) / self.step)
        times = [window.end - n * self.step for n in range(count - 1, -1, -1)]
        series = tuple(
            Series(service, metric, tuple((at, value(at)) for at in times))
            for (service, metric), value in self.metrics.items()
            if service in services
        )
        return (Readings(self.name, "q", window, SourceStatus.OK, series=series),)
