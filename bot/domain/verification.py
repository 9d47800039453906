"""Did an action help? What was measured before and after it, what became of the alerts, and what follows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Judgement(StrEnum):
    """What an action, or the time since it, did to something."""

    BETTER = "better"
    NO_CHANGE = "no change"
    WORSE = "worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Level:
    """Where a series lay in a span of time: its median, how widely it scattered around it, and of how many points."""

    middle: float
    noise: float  # 1.48 times the median absolute deviation, in the metric's own unit
    points: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one service before and after an action; `after` is None while too little of it was seen.

    `name` tells it from others of the service: the metric, and what its labels add. `cited`: a diagnosis named it.
    """

    service: str
    metric: str
    name: str
    before: Level
    after: Level | None = None
    judgement: Judgement = Judgement.UNKNOWN
    cited: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known of the effect of an action; numbers, so that it can be told long after the series are gone.

    `judgement` is of all together, `metrics` of what was measured alone. `alerts` are those that motivated it, `firing` those
    of them that fire still, `begun` those that fire and did not before. `doubt` says why the metrics tell nothing, or less.
    """

    judgement: Judgement = Judgement.UNKNOWN
    metrics: Judgement = Judgement.UNKNOWN
    measured: tuple[Measured, ...] = ()
    alerts: int = 0
    firing: int = 0
    begun: int = 0
    doubt: str = ""
    at: datetime | None = None  # when it was last measured, None before
