"""Where a metric began to grow steadily, as a leak or a backlog does: long before it hurts, and before it is a deviation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from bot.domain.telemetry import Series
from bot.signals.onset import Deviation

FEWEST = 15  # samples of a ramp
QUIET = 8  # samples before it
STRAIGHT = 0.98  # correlation with time along the ramp
LEVEL = 0.1  # of the ramp's height is the most that the metric moved in all the quiet time before


@dataclass(frozen=True, slots=True)
class Ramp:
    """A steady growth of one metric since `at`, give or take `about`."""

    service: str
    metric: str
    at: datetime
    about: timedelta
    low: float
    high: float


def ramps(series: Iterable[Series], found: Iterable[Deviation]) -> tuple[Ramp, ...]:
    """The deviations that are the late part of a steady ramp out of a level, with the beginning of each ramp."""
    every = {(s.service, s.metric, tuple(sorted(s.labels.items()))): s for s in series}
    begun = (ramp(every[key], d) for d in found if (key := (d.service, d.metric, tuple(sorted(d.labels.items())))) in every)
    return tuple(sorted((r for r in begun if r), key=lambda r: (r.at, r.service, r.metric)))


def ramp(series: Series, deviation: Deviation) -> Ramp | None:
    """The ramp that ends in this deviation; None if it came at once, or out of no level."""
    points = [(t, v) for t, v in series.points if np.isfinite(v)]
    inside = [(t, v) for t, v in points if deviation.onset <= t and (deviation.until is None or t <= deviation.until)]
    if not inside:
        return None
    top = max(range(len(inside)), key=lambda i: inside[i][1] * (1 if deviation.rising else -1))
    rising = inside[: top + 1]
    if len(rising) < FEWEST:
        return None
    start = rising[0][0]
    seconds = np.array([(t - start).total_seconds() for t, _ in rising])
    values = np.array([v for _, v in rising])
    if not np.ptp(values) or abs(float(np.corrcoef(seconds, values)[0, 1])) < STRAIGHT:
        return None
    slope, level = (float(x) for x in np.polyfit(seconds, values, 1))
    begun = start + timedelta(seconds=(deviation.baseline - level) / slope)
    before = np.array([v for t, v in points if t < begun])
    height = abs(deviation.peak - deviation.baseline)
    if len(before) < QUIET or float(np.ptp(before)) > LEVEL * height:
        return None
    about = max(3 * deviation.step, 0.03 * (rising[-1][0] - begun))
    return Ramp(series.service, series.metric, begun, about, deviation.baseline, deviation.peak)
