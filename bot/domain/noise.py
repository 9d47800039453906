"""What keeps an alert from waking somebody: silences, holds, what was learned of each problem, each decision with its reason."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.alert import Alert, Severity

LEARNED = 1  # the version of what is learned; a state of another version is forgotten, and learning begins anew
CRITICAL = frozenset({Severity.SEV1, Severity.SEV2})


class Kind(StrEnum):
    """Why an alert is kept from people; the word that is recorded, counted, shown and armed."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    INHIBITION = "inhibition"  # by a rule of noise.yaml
    OCCURRENCES = "occurrences"
    FLAPPING = "flapping"
    TRANSIENTS = "transients"
    UPSTREAM = "upstream"  # what it depends on fails
    STORMS = "storms"
    ALONE = "alone"  # a warning that is alone, or may be part of an incident: it waits a moment whether it stays
    NOTICES = "notices"  # a notice (SEV4) that is no part of anything


EXPLICIT = (Kind.SILENCE, Kind.MAINTENANCE, Kind.INHIBITION, Kind.OCCURRENCES)  # people wrote it: it acts at once
ARMABLE = (  # Tocsin's own idea: in shadow until armed
    *(Kind.FLAPPING, Kind.TRANSIENTS, Kind.UPSTREAM, Kind.STORMS),
    *(Kind.ALONE, Kind.NOTICES),
)
WAITING = (Kind.ALONE, Kind.NOTICES)  # what is held by these joins others as soon as they come


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label, as Alertmanager writes it. A label that is missing is "". `sign` is =, !=, =~ or !~."""

    label: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.sign}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Silence:
    """What these matchers all match is kept from people until it ends; critical alerts only if it says so."""

    id: str
    matchers: tuple[Matcher, ...]
    by: str  # a Slack user id, or who used the terminal
    reason: str
    starts_at: datetime
    ends_at: datetime
    critical: bool = False
    kind: Kind = Kind.SILENCE  # or maintenance, for a window that somebody opened by hand
    ended_by: str = ""  # who ended it early

    def active(self, now: datetime) -> bool:
        """It holds at this moment."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Episode:
    """A problem fired once: when it ended, how long it was seen firing, and whether nobody had to do anything."""

    at: datetime
    seconds: float
    by_itself: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """A problem that fires and that people are not told of yet, by the receiver's clock."""

    kind: Kind
    reason: str
    since: datetime
    until: datetime  # then it is looked at again; a hold of our own idea ends there
    alert: Alert  # the first one
    instance: str
    incident_id: str = ""  # of the upstream that it is put down to


@dataclass(frozen=True, slots=True)
class NoiseState:
    """What is known of the noise of one problem. `fires` and `changes` are the newest, oldest first, by the receiver's clock."""

    fingerprint: str
    name: str
    service: str
    environment: str
    version: int = LEARNED
    fired: int = 0  # times in all
    fires: tuple[datetime, ...] = ()
    changes: tuple[datetime, ...] = ()  # it began to fire, or all of it was clear
    flapping: bool = False
    began: datetime | None = None  # set while it fires
    episodes: tuple[Episode, ...] = ()
    hold: Hold | None = None
    pending: tuple[str, ...] = ()  # decisions on its present time of firing whose outcome is not known yet


class Outcome(StrEnum):
    """How a hold, or what would have been one, turned out."""

    PENDING = "pending"
    CLEARED = "cleared"  # before it ended: nobody missed anything
    OUTLASTED = "outlasted"  # it still fired when the hold ended: people would have heard late
    TOLD = "told"  # something critical of it came, or the bot changed its mind: people heard of it


@dataclass(frozen=True, slots=True)
class Decision:
    """One problem was kept from people at one moment, or would have been (`acted` False), and why."""

    id: str
    at: datetime
    fingerprint: str
    name: str
    service: str
    environment: str
    team: str
    severity: Severity
    kind: Kind
    acted: bool
    reason: str
    until: datetime | None = None
    incident_id: str = ""  # the incident that the alert went to all the same, or that it was put down to
    outcome: Outcome = Outcome.PENDING
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Storm:
    """Many problems in a short time in one environment: when each lot of them began, and the incident that takes them."""

    environment: str
    arrivals: tuple[tuple[datetime, int], ...] = ()
    since: datetime | None = None  # set while it lasts
    incident_id: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """An alert that fires and inhibits others by a rule: `equal` are the values that those must share."""

    rule: str
    instance: str
    equal: str
    told: str  # for people
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """The spans and counts of noise reduction; see docs/noise.md for what each does. Times are in seconds."""

    longest_hold: float = 300
    transient_samples: float = 5
    transient_share: float = 0.85
    transient_half_life_days: float = 14
    flap_window: float = 3600
    flap_changes: float = 6
    storm_window: float = 300
    storm_problems: int = 30
    alone: float = 120  # a warning that is alone waits so long for company, or for its end
    look_again: float = 60  # an open-ended hold (silence, inhibition) is looked at so often
    armed: bool = False  # everything is armed for every team, whatever the switches say
