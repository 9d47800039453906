"""Where a series lies in a span of time, and whether it is better or worse than in another; pure, and the same both ways.

The median and the median absolute deviation do not care about single outliers. A change counts if it is large beside the
noise of both spans and large beside the values themselves: either alone is met by chance, or by a metric that stands still.
Trouble is noisy and health is not: where one span is quiet, the noise of the other is not asked for twice.
"""

import math
from collections.abc import Sequence
from statistics import median

from bot.domain.verification import Judgement, Level
from bot.signals.direction import bad_direction
from bot.signals.golden import Role, floor, role

FEWEST = 4  # points in each of the two spans
FAR = 3.0  # scales of noise
APART = 2.0  # or this many of each span's own: then hardly a point of one lies among those of the other
LEAST = 1 / 3  # share of the larger of the two: from 240 to 360 ms is a change, from 240 to 300 is none
STILL = 0.02  # the least noise that is believed, as a share of the larger of the two
GONE = 1 / 3  # what is left of traffic that is as good as gone


def level(values: Sequence[float]) -> Level | None:
    """Where these values lie; None of too few."""
    kept = [v for v in values if math.isfinite(v)]
    if len(kept) < FEWEST:
        return None
    middle = median(kept)
    return Level(middle, 1.48 * median(abs(v - middle) for v in kept), len(kept))


def compare(before: Level, after: Level, metric: str) -> Judgement:
    """Whether the second is better or worse than the first by the meaning of the metric's name; swapped, so is the answer.

    Unknown for a metric whose name does not say which way is bad.
    """
    bad = bad_direction(metric)
    if not bad:
        return Judgement.UNKNOWN
    old, new, least = before.middle, after.middle, floor(metric)
    top = max(abs(old), abs(new))
    if bad < 0 and role(metric) is Role.ERRORS and 0 < top <= 100:  # the share that failed says more: 0.99 and 0.96 look alike
        full = 1.0 if top <= 1 else 100.0
        old, new, bad = full - old, full - new, 1
        least, top = max(least, 0.01 * full), max(abs(old), abs(new))
    gap = new - old
    noises = [max(span.noise, least, STILL * top, 1e-9) for span in (before, after)]
    if abs(gap) < min(FAR * max(noises), APART * sum(noises)) or abs(gap) < LEAST * top:
        return Judgement.NO_CHANGE
    return Judgement.WORSE if gap * bad > 0 else Judgement.BETTER


def collapsed(before: Level, after: Level) -> bool:
    """Traffic is as good as gone, beyond its noise: whatever else is measured then is measured on little."""
    noise = max(before.noise, after.noise)
    return before.middle > 0 and after.middle < before.middle * GONE and before.middle - after.middle >= FAR * noise
