"""Where a metric stepped from one steady value to another, as a configured limit or size does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bot.domain.telemetry import Series

STEADY = 0.01  # both sides stay within this share of their value
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One clean step of a metric: `old` before, `new` from `at` on."""

    service: str
    metric: str
    at: datetime
    old: float
    new: float


def steps(series: Iterable[Series]) -> tuple[Step, ...]:
    """The series that hold one value, then another, and nothing between; earliest first."""
    found = (step(s) for s in series)
    return tuple(sorted((s for s in found if s), key=lambda s: (s.at, s.service, s.metric)))


def step(series: Series) -> Step | None:
    """The single step of a series, or None if it has none or wobbles."""
    values = np.array([v for _, v in series.points], dtype=float)
    if len(values) < 2 * FEWEST or not np.all(np.isfinite(values)):
        return None
    jumps = np.flatnonzero(np.abs(np.diff(values)) > STEADY * np.maximum(np.abs(values[:-1]), 1e-9))
    if len(jumps) != 1:
        return None
    cut = int(jumps[0]) + 1
    if cut < FEWEST or len(values) - cut < FEWEST:
        return None
    old, new = float(values[0]), float(values[-1])
    return Step(series.service, series.metric, series.points[cut][0], old, new)
