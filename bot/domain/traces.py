"""Which traces of many are read whole: those that failed, those that took long, and a few that went well to compare with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

MOST_ATTRIBUTES = 30  # of one span
LONGEST = 300  # characters of one value
SLOW = 2.0  # times as long as the usual one


@dataclass(frozen=True, slots=True)
class TraceHead:
    """A trace as a search finds it: its id, how long it took in all, whether something in it failed."""

    id: str
    duration_ms: float
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """Traces to read, the most telling first; none twice."""

    failed: tuple[str, ...]
    slow: tuple[str, ...]
    usual: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every one, in this order."""
        return (*self.failed, *self.slow, *self.usual)


def pick(heads: Iterable[TraceHead], *, failed: int, slow: int, usual: int) -> Picked:
    """So many of each: of the failed ones the longest and the shortest first, then the slowest, then those nearest to the usual.

    What is usual is the median of those that did not fail.
    """
    every = {head.id: head for head in heads if head.id}
    bad = sorted((h for h in every.values() if h.failed), key=lambda h: (-h.duration_ms, h.id))
    good = sorted((h for h in every.values() if not h.failed), key=lambda h: (-h.duration_ms, h.id))
    middle = median(h.duration_ms for h in good) if good else 0.0
    long = [h for h in good if h.duration_ms >= SLOW * middle and h.duration_ms > 0][:slow] if len(good) > 2 else []
    near = sorted((h for h in good if h not in long), key=lambda h: (abs(h.duration_ms - middle), h.id))[:usual]
    return Picked(_ends(bad, failed), tuple(h.id for h in long), tuple(h.id for h in near))


def _ends(heads: Sequence[TraceHead], most: int) -> tuple[str, ...]:
    """The first and the last in turn."""
    order = [h for pair in zip(heads, reversed(heads), strict=True) for h in pair]
    return tuple(dict.fromkeys(h.id for h in order))[:most]


def capped(attributes: Mapping[str, str]) -> dict[str, str]:
    """So many attributes of a span, each cut to a length."""
    return {key[:100]: value[:LONGEST] for key, value in list(attributes.items())[:MOST_ATTRIBUTES]}
