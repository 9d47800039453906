"""When a metric began to deviate. Method: robust z-scores against the healthy beginning, walked back from the peak."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import isfinite

import numpy as np

from bot.domain.telemetry import Series
from bot.signals.direction import bad_direction, is_share

PEAK = 5.0  # a deviation must reach this many scales
STAY = 4.0  # and is walked back while it stays above this
NEAR = timedelta(minutes=3)  # the peak lies this close to the alert
GAP_POINTS = 2  # a walk back forgives this many quiet points
GAP_TIME = timedelta(seconds=3)  # or this much quiet time, whichever is more
OVER = timedelta(seconds=10)  # what ended this long before the alert (or three samples, if more) is another story
STANDS = timedelta(seconds=1)  # what is back in its range for longer than this (or two samples) does not stand any more
FEWEST = 4  # points of a baseline
LONG = 12  # points of a quarter that can be compared with the next ones


@dataclass(frozen=True, slots=True)
class Deviation:
    """One metric that left its normal range: from `baseline` to `peak`, since `onset`. `score` is in baseline scales, signed.

    `until` is when it was last out of its range.
    """

    service: str
    metric: str
    baseline: float
    peak: float
    score: float
    onset: datetime
    step: timedelta  # the time between samples
    labels: Mapping[str, str] = field(default_factory=dict)
    until: datetime | None = None  # None: not known, it may go on

    def stands(self, at: datetime) -> bool:
        """It was out of its range then, or until just before."""
        return self.onset <= at and (self.until is None or self.until >= at - max(GAP_POINTS * self.step, STANDS))

    @property
    def rising(self) -> bool:
        """The values went up."""
        return self.score > 0

    @property
    def bad(self) -> bool:
        """It went the way that the metric's name calls bad."""
        return bad_direction(self.metric) == (1 if self.rising else -1)

    @property
    def factor(self) -> float:
        """Peak over baseline; 0 where the baseline is zero."""
        return self.peak / self.baseline if self.baseline else 0.0


def deviations(series: Iterable[Series], alert_at: datetime, *, healthy_until: datetime | None = None) -> tuple[Deviation, ...]:
    """The deviation of each series that has one near the alert, the earliest onset first."""
    found = (deviation(s, alert_at, healthy_until=healthy_until) for s in series)
    return tuple(sorted((d for d in found if d), key=lambda d: (d.onset, d.service, d.metric)))


def deviation(series: Series, alert_at: datetime, *, healthy_until: datetime | None = None) -> Deviation | None:
    """How and since when a series deviates near the alert, or None if it does not or has too few points.

    The baseline is what came before `healthy_until`, or else the first quarter of the points up to the alert.
    """
    points = [(t, v) for t, v in series.points if isfinite(v)]
    quiet = _baseline_length(points, alert_at, healthy_until)
    if quiet < FEWEST or len(points) <= quiet:
        return None
    values = np.array([v for _, v in points], dtype=float)
    middle, scale = _normal(_calmest(values, quiet, given=healthy_until is not None), values, share=is_share(series.metric))
    scores = (values - middle) / scale
    found = _peak(points, scores, alert_at, bad_direction(series.metric))
    if found is None:
        return None
    peak, last = found
    signed = scores * np.sign(scores[peak])
    start = _walk_back(points, signed, peak)
    return Deviation(
        series.service,
        series.metric,
        float(middle),
        float(values[peak]),
        float(scores[peak]),
        points[start][0],
        _step(points),
        series.labels,
        points[last][0],
    )


def _baseline_length(points: Sequence[tuple[datetime, float]], alert_at: datetime, until: datetime | None) -> int:
    if until is not None:
        before = sum(t < until for t, _ in points)
        if before >= FEWEST:
            return before
    before_alert = sum(t <= alert_at for t, _ in points)
    return max(FEWEST, before_alert // 4) if before_alert > FEWEST else 0


def _normal(quiet: np.ndarray, every: np.ndarray, *, share: bool) -> tuple[float, float]:
    """The median of the baseline and the scale of its noise, never zero."""
    middle = float(np.median(quiet))
    mad = 1.48 * float(np.median(np.abs(quiet - middle)))
    spread = float(np.quantile(quiet, 0.9) - np.quantile(quiet, 0.1)) / 2.56
    floor = 0.02 * float(np.max(every) - np.min(every))
    least = 0.002 if share and float(np.max(np.abs(every))) <= 1 else 1e-9
    return middle, max(mad, spread, 0.05 * abs(middle), floor, least)


def _calmest(values: np.ndarray, quiet: int, *, given: bool) -> np.ndarray:
    """The first quarter, or the second or third one if they are far calmer: an earlier outage is no baseline."""
    first = values[:quiet]
    if given or quiet < LONG:
        return first
    quarters = [first, values[quiet : 2 * quiet], values[2 * quiet : 3 * quiet]]
    spreads = [float(np.quantile(q, 0.9) - np.quantile(q, 0.1)) for q in quarters]
    best = int(np.argmin(spreads))
    return quarters[best] if spreads[best] < spreads[0] / 3 else first


def _peak(points: Sequence[tuple[datetime, float]], scores: np.ndarray, alert_at: datetime, bad: int) -> tuple[int, int] | None:
    """The highest and the last point of the excursion nearest to the alert, in the bad direction if there is one, else in any."""
    start, end = alert_at - NEAR, alert_at + NEAR
    near = [i for i, (t, _) in enumerate(points) if start <= t <= end]
    high = [i for i in near if bad and scores[i] * bad >= PEAK] or [i for i in near if abs(scores[i]) >= PEAK]
    if not high:
        return None
    inside = min(high, key=lambda i: (abs(points[i][0] - alert_at), i))
    signed, forgiven = scores * np.sign(scores[inside]), _forgiven(points)
    peak = last = at = inside
    while at + 1 < len(points) and at - last < forgiven + 1 and points[at + 1][0] <= alert_at + NEAR:
        at += 1
        if _hole(points, at):
            break
        if signed[at] > STAY:
            last = at
            peak = at if signed[at] > signed[peak] else peak
    return (peak, last) if points[last][0] >= alert_at - max(3 * _step(points), OVER) else None


def _forgiven(points: Sequence[tuple[datetime, float]]) -> int:
    return max(GAP_POINTS, int(GAP_TIME / _step(points))) if len(points) > 1 else GAP_POINTS


def _hole(points: Sequence[tuple[datetime, float]], at: int) -> bool:
    """More is missing before this point than a walk forgives: what was on the other side is another story.

    Measured against the samples around it, as old ones lie further apart than new ones.
    """
    around = range(max(1, at - 1), min(len(points), at + 2))
    near = [points[i][0] - points[i - 1][0] for i in around if i != at]
    gap = points[at][0] - points[at - 1][0]
    return bool(near) and gap > max((GAP_POINTS + 1) * max(near), GAP_TIME)


def _walk_back(points: Sequence[tuple[datetime, float]], signed: np.ndarray, peak: int) -> int:
    start, at = peak, peak
    forgiven = _forgiven(points)
    while at > 0 and start - at < forgiven + 1 and not _hole(points, at):
        at -= 1
        if signed[at] > STAY:
            start = at
    return start


def _step(points: Sequence[tuple[datetime, float]]) -> timedelta:
    if len(points) < 2:
        return timedelta(seconds=1)
    gaps = sorted(b[0] - a[0] for a, b in pairwise(points))
    return max(gaps[len(gaps) // 2], timedelta(milliseconds=1))
