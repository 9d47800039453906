"""Samples of Prometheus's own ALERTS series become firings: when an alert fired, and for how long. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

USUAL = 60.0  # seconds between evaluations, Prometheus's own default
SLOWEST = 600.0  # no rule group is evaluated less often
OWN = frozenset({"__name__", "alertstate"})  # labels that Prometheus adds


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fired from `start` to `end` (UTC); `open`: it still fired when the history ended."""

    labels: Mapping[str, str]
    start: datetime
    end: datetime
    open: bool = False

    @property
    def name(self) -> str:
        """The name of its rule."""
        return self.labels.get("alertname", "unnamed alert")

    @property
    def lasted(self) -> timedelta:
        """How long."""
        return self.end - self.start


def firings(series: Iterable[tuple[Mapping[str, str], Sequence[float]]], until: datetime) -> list[Firing]:
    """The firings of these series (labels, times of samples in seconds since 1970), oldest first.

    A rule group is evaluated at its own pace, which shows in the series: samples further apart than two and a half paces
    belong to two firings, and a firing ends one pace after its last sample. Pieces of one series are put together.
    """
    times: dict[tuple[tuple[str, str], ...], set[float]] = {}
    for labels, stamps in series:
        key = tuple(sorted((k, v) for k, v in labels.items() if k not in OWN))
        times.setdefault(key, set()).update(stamps)
    usual = _pace([gap for stamps in times.values() for gap in _gaps(stamps)], USUAL)
    found = [
        firing for key, stamps in times.items() for firing in _runs(dict(key), sorted(stamps), _pace(_gaps(stamps), usual), until)
    ]
    return sorted(found, key=lambda f: (f.start, sorted(f.labels.items())))


def _gaps(stamps: Iterable[float]) -> list[float]:
    return [round(b - a, 3) for a, b in pairwise(sorted(stamps)) if b - a <= SLOWEST]


def _pace(gaps: Sequence[float], otherwise: float) -> float:
    """The commonest gap, in seconds."""
    return Counter(gaps).most_common(1)[0][0] if gaps else otherwise


def _runs(labels: Mapping[str, str], stamps: Sequence[float], pace: float, until: datetime) -> Iterator[Firing]:
    first = 0
    for n in range(1, len(stamps) + 1):
        if n == len(stamps) or stamps[n] - stamps[n - 1] > 2.5 * pace:
            end = datetime.fromtimestamp(stamps[n - 1] + pace, UTC)
            yield Firing(labels, datetime.fromtimestamp(stamps[first], UTC), min(end, until), end >= until)
            first = n
