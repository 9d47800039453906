"""How often a lead of so many points was right, and the lead that a conviction needs. Both only after enough lessons.

The curve is Platt's (1999), with his counts smoothed so that no chance is ever 0 or 1.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bot.domain.learning import Calibration, Weights
from bot.investigation.learning.lessons import Lesson
from bot.investigation.learning.replay import ranked, right
from bot.investigation.verdict import MARGIN, convicts
from bot.investigation.weights import lead

PRECISE = 0.95  # of convictions have to be right
FARTHEST = 3 * MARGIN  # points of lead beyond which no conviction is asked to be
RIDGE = 0.05  # keeps the slope finite where every lead above some point was right
ROUNDS = 40

Array = NDArray[np.float64]


def curve(lessons: Sequence[Lesson], weights: Weights) -> Calibration | None:
    """The curve of these lessons; None where a longer lead was not more often right."""
    leads, hits = outcomes(lessons, weights)
    if not 0 < hits.sum() < len(hits):
        return None
    yes, no = float(hits.sum()), float(len(hits) - hits.sum())
    wanted = np.where(hits > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
    inputs = np.column_stack([np.ones_like(leads), leads])
    drawn = np.diag([0.0, RIDGE])
    at = np.zeros(2)
    for _ in range(ROUNDS):
        said = 1 / (1 + np.exp(-np.clip(inputs @ at, -30, 30)))
        slope = inputs.T @ (said - wanted) + drawn @ at
        bend = inputs.T @ (inputs * (said * (1 - said))[:, None]) + drawn + 1e-9 * np.eye(2)
        at = at - np.clip(np.linalg.solve(bend, slope), -2, 2)
    return Calibration(round(float(at[0]), 4), round(float(at[1]), 4)) if at[1] > 0 else None


def outcomes(lessons: Sequence[Lesson], weights: Weights) -> tuple[Array, Array]:
    """Of each lesson the lead of its first suspect under these weights, and 1 where that one did it."""
    widest = Calibration(0, 0).widest
    seen = [(ranked(one, weights), one) for one in lessons]
    leads = np.array([max(0.0, min(lead(order), widest)) for order, _ in seen])
    hits = np.array([1.0 if right(order, one) else 0.0 for order, one in seen])
    return leads, hits


def with_margin(lessons: Sequence[Lesson], weights: Weights) -> Weights:
    """The weights with the least lead at which convictions of these lessons are right often enough; never less than shipped."""
    found = []
    for one in lessons:
        order = ranked(one, weights)
        if not one.operational and convicts(order, weights):
            found.append((lead(order), right(order, one)))
    for margin in (0.0, *sorted({round(ahead, 3) for ahead, hit in found if not hit and ahead < FARTHEST})):
        stays = [hit for ahead, hit in found if ahead > margin]
        if not stays or sum(stays) >= PRECISE * len(stays):
            return replace(weights, margin=round(margin + 0.001, 3) if margin else 0.0)
    return replace(weights, margin=FARTHEST)
