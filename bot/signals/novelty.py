"""A metric is watched point by point: how far each point is outside of all that was seen before, and what makes it so.

Novelty of a value among those before it is how far it lies beyond their highest or lowest, in their own spread (99th less 1st
percentile). The score is the sum of ln(1 + 10 novelty) over four views of the metric, so that a short spike, a level that
creeps, a jump and an unusual hour of the day all count, and several weak signs add up. A record fades within weeks. Every point
costs the same time and the state has a bounded size, however long a metric is watched.
"""

import math
from dataclasses import dataclass, field
from statistics import median

from bot.signals.spread import Spread

VERSION = 1  # of the state; one of another version is forgotten, and watching begins anew
HOUR, DAY = 3600.0, 86400.0
FADES = 21 * DAY  # a record is halfway back to the middle after two weeks
FEWEST = 20  # values before anything is new
JUMP = 6  # points that a jump is measured against
SEASON = 7  # days that tell what is usual at an hour
REMEMBERED = 28  # days of which the extremes are kept, to say since when a value was not seen
FLOOR = 0.05  # of the metric's middle: a spread that is narrower does not make small things large
MOST_RECENT = 240  # points within an hour
VIEWS = ("value", "hourly mean", "jump", "usual at this hour")


@dataclass(slots=True)
class Record:
    """The highest and lowest of one view, fading; its spread; the extremes of each of the last days."""

    high: float = 0.0  # of no meaning without values, and finite: states are written down as JSON
    low: float = 0.0
    at: float = 0.0
    count: int = 0
    spread: Spread = field(default_factory=Spread)
    days: list[tuple[int, float, float]] = field(default_factory=list)  # day since the epoch, lowest, highest

    def meet(self, value: float, at: float, floor: float) -> float:
        """The novelty of a value, negative if it is new by being low; it is part of the past from then on."""
        found = 0.0
        if self.count >= FEWEST:
            low, middle, high = self.spread.marks()
            faded = min(1.0, (at - self.at) / FADES)
            self.high -= max(0.0, self.high - middle) * faded
            self.low += max(0.0, middle - self.low) * faded
            width = max(high - low, floor, 1e-9)
            found = (value - self.high) / width if value > self.high else min(0.0, (value - self.low) / width)
        self.high, self.low = (max(self.high, value), min(self.low, value)) if self.count else (value, value)
        self.at, self.count = at, self.count + 1
        self.spread.add(value)
        self._note(value, int(at // DAY))
        return found

    def unseen(self, value: float, at: float, *, high: bool) -> int | None:
        """For how many whole days before today nothing was as extreme; None if that is all that is remembered."""
        today = int(at // DAY)
        for day, lowest, highest in reversed(self.days):
            if day < today and (highest >= value if high else lowest <= value):
                return today - day
        return None

    def _note(self, value: float, day: int) -> None:
        if self.days and self.days[-1][0] == day:
            _, low, high = self.days[-1]
            if not low <= value <= high:
                self.days[-1] = (day, min(low, value), max(high, value))
        else:
            self.days.append((day, value, value))
            del self.days[:-REMEMBERED]


@dataclass(frozen=True, slots=True)
class Novel:
    """How new one point is: the whole score, and the novelty of each view (negative: by being low) with the view's value."""

    at: float
    value: float
    score: float
    views: tuple[float, ...]
    seen: tuple[float, ...]  # the value of each view; NaN where it has none yet


@dataclass(slots=True)
class Memory:
    """All that is remembered of one metric; times are seconds since the epoch, points come in order."""

    version: int = VERSION
    since: float = 0.0
    last: float = -1.0
    recent: list[tuple[float, float]] = field(default_factory=list)
    residues: list[tuple[float, float]] = field(default_factory=list)
    hours: dict[str, tuple[float, int]] = field(default_factory=dict)  # by hour since the epoch: sum and count; eight days
    usual: tuple[int, float | None] = (0, None)  # of which hour, and what
    views: list[Record] = field(default_factory=lambda: [Record() for _ in VIEWS])

    def meet(self, at: float, value: float, floor: float = 0.0) -> Novel | None:
        """The next point; None for one that is not finite or not later than the last. `floor` is the least spread."""
        if not (math.isfinite(value) and at > self.last):
            return None
        if not self.recent:
            self.since = at
        usual = self._usual_at(at)
        before = [v for _, v in self.recent[-JUMP:]]
        self._remember(at, value)
        seen = [value, math.nan, math.nan, math.nan]
        if at - self.since >= HOUR - 600:
            seen[1] = _mean_of_hour(self.recent, at)
        if len(before) == JUMP:
            seen[2] = value - median(before)
        if usual is not None:
            self.residues.append((at, value - usual))
            _cut(self.residues, at, 0)
            if at - self.since >= DAY + HOUR - 600:
                seen[3] = _mean_of_hour(self.residues, at)
        least = max(floor, FLOOR * abs(self.views[0].spread.middle))
        views = tuple(0.0 if math.isnan(s) else r.meet(s, at, least) for s, r in zip(seen, self.views, strict=True))
        return Novel(at, value, sum(math.log1p(10 * abs(v)) for v in views), views, tuple(seen))

    def why(self, novel: Novel) -> str:
        """What makes a point new, the strongest view first: "highest hourly mean in 14 days"."""
        order = sorted(range(len(VIEWS)), key=lambda i: -abs(novel.views[i]))
        return "; ".join(self._said(i, novel) for i in order[:2] if novel.views[i])

    def _said(self, view: int, novel: Novel) -> str:
        high = novel.views[view] > 0
        days = self.views[view].unseen(novel.seen[view], novel.at, high=high)
        watched = int((novel.at - self.since) // DAY)
        span = f"in {min(days, REMEMBERED)} days" if days else f"in all {watched} days that it is watched"
        if days == 1:
            span = "since yesterday"
        if not days and watched < 2:
            span = "since it is watched"
        if view == 2:
            return f"{'steepest rise' if high else 'steepest fall'} {span}"
        if view == 3:
            return f"furthest {'above' if high else 'below'} what is usual at this hour {span}"
        return f"{'highest' if high else 'lowest'} {VIEWS[view]} {span}"

    def _remember(self, at: float, value: float) -> None:
        self.last = at
        self.recent.append((at, value))
        _cut(self.recent, at, JUMP)
        hour = f"{at // HOUR:.0f}"
        if hour not in self.hours:
            oldest = at // HOUR - (SEASON + 1) * 24
            for gone in [h for h in self.hours if float(h) < oldest]:
                del self.hours[gone]
        total, count = self.hours.get(hour, (0.0, 0))
        self.hours[hour] = (total + value, count + 1)

    def _usual_at(self, at: float) -> float | None:
        """The median of the same hour and those beside it, over the last seven days; None on the first day."""
        hour = int(at // HOUR)
        if self.usual[0] != hour:
            near = (str(hour - 24 * day + by) for day in range(1, SEASON + 1) for by in (-1, 0, 1))
            means = [total / count for total, count in (self.hours[h] for h in near if h in self.hours)]
            self.usual = (hour, median(means) if means else None)
        return self.usual[1]


def _mean_of_hour(points: list[tuple[float, float]], at: float) -> float:
    inside = [v for t, v in points if t > at - HOUR]
    return sum(inside) / len(inside)


def _cut(points: list[tuple[float, float]], at: float, fewest: int) -> None:
    """Only the last hour stays, and at least the `fewest` latest points."""
    old = sum(t <= at - HOUR for t, _ in points)
    del points[: max(0, min(old, len(points) - fewest), len(points) - MOST_RECENT)]


@dataclass(frozen=True, slots=True)
class Patience:
    """From which score on a point is told of, and for how many seconds nothing more is told of the same metric after that."""

    threshold: float = 1.6
    quiet: float = 12 * HOUR


def told(novels: list[tuple[float, float]], patience: Patience) -> list[int]:
    """Which of these points (time, score), in order, are told of."""
    found: list[int] = []
    until = -math.inf
    for place, (at, score) in enumerate(novels):
        if score >= patience.threshold and at >= until:
            found.append(place)
            until = at + patience.quiet
    return found
