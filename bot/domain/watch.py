"""What the bot watches by itself: metrics and what was warned of, and deployments while they settle in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CONNECTOR = "tocsin-watch"  # the sender of the bot's own signals


class WatchMode(StrEnum):
    """How much the bot does of what it notices by itself.

    OFF: it does not look. QUIET: its signals never open an incident, they only join others. ON: they may open one, as a notice.
    """

    OFF = "off"
    QUIET = "quiet"
    ON = "on"


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How the bot watches; see docs/watching.md."""

    mode: WatchMode = WatchMode.QUIET
    every: timedelta = timedelta(minutes=5)
    most: int = 400  # series, of all services together
    threshold: float = 1.6  # the score from which on a point is told of
    pause: timedelta = timedelta(hours=12)  # nothing more is told of the same series for so long
    horizon: timedelta = timedelta(days=7)  # what runs out later is not told of
    certificates: timedelta = timedelta(days=14)
    bake: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Watched:
    """One series and all that is remembered of it, opaque; `at` is its last point, `told_at` when it was last told of."""

    service: str
    metric: str
    at: datetime
    state: str
    told_at: datetime | None = None


class Sort(StrEnum):
    """What a warning is about; the name of its alert."""

    ANOMALY = "UnusualMetric"
    FORECAST = "RunsOut"
    BAKE = "SuspectDeployment"


@dataclass(frozen=True, slots=True)
class Warned:
    """One thing that was warned of, once; `ended_at` is when it was over, and `why_ended` how that was known."""

    id: str
    sort: Sort
    service: str
    environment: str
    metric: str
    at: datetime
    text: str
    change_id: str = ""
    ended_at: datetime | None = None
    why_ended: str = ""


class BakeVerdict(StrEnum):
    """How a deployment settled in."""

    WATCHING = "watching"
    CLEAN = "clean"
    SUSPECT = "suspect"
    UNCLEAR = "unclear"
    OVERTAKEN = "overtaken"  # a newer deployment of the service began


@dataclass(frozen=True, slots=True)
class Bake:
    """One service watched after it was deployed; several reports of nearly the same moment are one.

    `what` is for people; `hits` are the series that looked worse at the last look, `reason` is what the verdict rests on.
    """

    id: str
    service: str
    environment: str
    changes: tuple[str, ...]
    what: str
    began_at: datetime
    ends_at: datetime
    verdict: BakeVerdict = BakeVerdict.WATCHING
    reason: str = ""
    hits: tuple[str, ...] = ()
    looked: str = ""  # the latest slot at which it was looked at
    ended_at: datetime | None = None

    @property
    def active(self) -> bool:
        """It is still looked at."""
        return self.verdict is BakeVerdict.WATCHING
