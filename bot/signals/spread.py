"""How widely values lie, in bounded memory: a small t-digest (Dunning, "Computing extremely accurate quantiles", 2013).

Neighbouring values are drawn together into one mean with a weight, the fewer the further out they lie, so that the first and the
last percentile stay nearly exact.
"""

from dataclasses import dataclass, field

FINENESS = 20  # the more, the more means are kept: about five times as many
WAITING = 32  # values that wait before they are drawn in; marks are those of the last time
LONG = 10_000  # values that count in full; beyond them the older ones count half, and half again (five weeks of five minutes)
MARKS = (0.01, 0.5, 0.99)


@dataclass(slots=True)
class Spread:
    """The distribution of the values so far; old ones fade."""

    means: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    known: tuple[float, float, float] | None = None

    def add(self, value: float) -> None:
        """One more value; amortised constant time."""
        self.waiting.append(value)
        if len(self.waiting) >= WAITING:
            self._draw_in()

    def marks(self) -> tuple[float, float, float]:
        """The 1st, 50th and 99th percentile; those of what waits while nothing was drawn in yet. Zeros without values."""
        if self.known is not None:
            return self.known
        if not self.waiting:
            return 0.0, 0.0, 0.0
        values = sorted(self.waiting)
        low, middle, high = (values[int(mark * (len(values) - 1))] for mark in MARKS)
        return low, middle, high

    @property
    def middle(self) -> float:
        """The median."""
        return self.marks()[1]

    def _draw_in(self) -> None:
        points = sorted([*zip(self.means, self.weights, strict=True), *((value, 1.0) for value in self.waiting)])
        whole = sum(weight for _, weight in points)
        if whole > LONG:
            points, whole = [(value, weight / 2) for value, weight in points], whole / 2
        means, weights, before = [points[0][0]], [points[0][1]], 0.0
        for value, weight in points[1:]:
            both = weights[-1] + weight
            share = (before + both / 2) / whole
            if both <= max(1.0, 4 * whole * share * (1 - share) / FINENESS):
                means[-1] += (value - means[-1]) * weight / both
                weights[-1] = both
            else:
                before += weights[-1]
                means.append(value)
                weights.append(weight)
        self.means, self.weights, self.waiting = means, weights, []
        low, middle, high = (self._at(mark * whole) for mark in MARKS)
        self.known = (low, middle, high)

    def _at(self, rank: float) -> float:
        """The value of this rank, between the means on both sides of it."""
        before, place, left = 0.0, -1.0, self.means[0]
        for mean, weight in zip(self.means, self.weights, strict=True):
            here = before + weight / 2
            if here >= rank:
                return left + (mean - left) * (rank - place) / (here - place) if place >= 0 else mean
            before, place, left = before + weight, here, mean
        return self.means[-1]
