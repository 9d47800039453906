"""Where a series changed for good, and whether what came after differs from what was before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

FEWEST = 5  # points on each side
SURE = 0.001  # chance that a series without any change looks as changed as this
JUMP = 12.0  # times the usual step between two points: something was emptied, resized or started anew


@dataclass(frozen=True, slots=True)
class Shift:
    """From a median before to a median after; `scales` is the difference in the noise of before, signed.

    `outside` is the share of the points after that lie beyond everything before, on the side of the shift.
    """

    before: float
    after: float
    scales: float
    outside: float


def shift(before: Sequence[float], after: Sequence[float], floor: float = 0.0) -> Shift | None:
    """How far the values after differ from those before; None with too few. `floor` is the least noise that is believed.

    The noise is 1.48 times the median absolute deviation, and at least 5 % of the median: a metric that stands still does not
    make the smallest change large.
    """
    old, new = [v for v in before if math.isfinite(v)], [v for v in after if math.isfinite(v)]
    if len(old) < FEWEST or len(new) < FEWEST:
        return None
    middle, now = median(old), median(new)
    scale = max(1.48 * median(abs(v - middle) for v in old), 0.05 * abs(middle), floor, 1e-9)
    beyond = [v > max(old) if now > middle else v < min(old) for v in new]
    return Shift(middle, now, (now - middle) / scale, sum(beyond) / len(new))


def change_point(values: Sequence[float], sure: float = SURE) -> int | None:
    """The place of the first value after the one change of level that stands out, or None.

    Pettitt's test (1979): ranks only, so that outliers and the shape of the noise do not matter.
    """
    n = len(values)
    if n < 2 * FEWEST:
        return None
    order = np.asarray(values, dtype=float)
    if not np.all(np.isfinite(order)) or np.ptp(order) == 0:
        return None
    _, inverse, counts = np.unique(order, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ties share their mean rank
    parting = 2 * np.cumsum(ranks)[:-1] - np.arange(1, n) * (n + 1)
    inner = np.abs(parting[FEWEST - 1 : n - FEWEST])
    if not len(inner):
        return None
    best = int(np.argmax(inner))
    chance = 2 * math.exp(-6 * float(inner[best]) ** 2 / (n**3 + n**2))
    return best + FEWEST if chance <= sure else None


def since_last_jump(values: Sequence[float]) -> int:
    """The place from which on a series moves in ordinary steps: after the last jump, or 0."""
    if len(values) < 2 * FEWEST:
        return 0
    steps = np.abs(np.diff(np.asarray(values, dtype=float)))
    usual = float(np.median(steps))
    spread = float(np.quantile(steps, 0.9))
    jumps = np.flatnonzero(steps > JUMP * max(usual, spread / 3, 1e-12))
    return int(jumps[-1]) + 1 if len(jumps) else 0
