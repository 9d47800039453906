"""How software reaches production and how its troubles are dealt with, in figures; docs/delivery.md defines each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

LEAST = 5  # of fewer no median and no share is told: it would say more than we know


class Kind(StrEnum):
    """What a deployment brought."""

    NEW = "new"  # a version that had not run there
    BACK = "back"  # an earlier version again: a rollback
    AGAIN = "again"  # the version that runs, or one that had been taken back


@dataclass(frozen=True, slots=True)
class Deployment:
    """One service came to one version in production. Reports of several vendors of the same deployment are one.

    `changes` are the ids of those reports, `before` the commit that ran until then, "" where nobody told.
    """

    service: str
    at: datetime
    version: str
    commit: str
    repository: str
    kind: Kind
    changes: tuple[str, ...]
    before: str = ""


class Failed(StrEnum):
    """Why a deployment counts as a failure; the first that holds counts."""

    CONFIRMED = "confirmed"  # by a person as the cause of an incident
    CONVICTED = "convicted"  # by the diagnosis of an incident, and nobody said otherwise
    ROLLED_BACK = "rolled back"
    SUSPECT = "suspect"  # it did not settle in


@dataclass(frozen=True, slots=True)
class Blame:
    """A change was the cause of an incident: as a person `confirmed`, or as the diagnosis says and nobody denied."""

    incident_id: str
    opened_at: datetime
    resolved_at: datetime | None
    change_id: str
    service: str
    version: str
    commit: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Spans of time: how many, and their median; None of fewer than `LEAST`."""

    count: int = 0
    median: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from `start`: deployments that were fine, and those that failed."""

    start: datetime
    fine: int
    failed: int


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """One service, or all ("").

    `lead` is of commits, of which `left_out` deployments know none; `restore` of incidents, `recover` of failed deployments.
    """

    service: str
    deployments: int = 0
    back: int = 0
    again: int = 0
    failed: Mapping[Failed, int] = field(default_factory=dict)
    lead: Spread = Spread()
    left_out: int = 0
    restore: Spread = Spread()
    recover: Spread = Spread()

    @property
    def failures(self) -> int:
        """How many deployments failed."""
        return sum(self.failed.values())

    @property
    def failure_rate(self) -> float | None:
        """The share of deployments that failed; None of fewer than `LEAST`."""
        return self.failures / self.deployments if self.deployments >= LEAST else None


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody who is paged: `name` as routing.yaml writes it, `shifts` of `days` each in the span, and the pages that came."""

    name: str
    days: float
    shifts: float
    pages: int
    night: int


@dataclass(frozen=True, slots=True)
class OnCallFigures:
    """Pages and what people did. `acknowledge` is the time to the first acknowledgement, of incidents; `unacknowledged` had none.

    `acted` pages were followed by somebody's deed on the incident, `more` of them by more than an acknowledgement.
    """

    watches: tuple[Watch, ...] = ()
    acted: int = 0
    more: int = 0
    acknowledge: Spread = Spread()
    unacknowledged: int = 0

    @property
    def pages(self) -> int:
        """How many times somebody was paged."""
        return sum(watch.pages for watch in self.watches)

    @property
    def night(self) -> int:
        """How many of them by night, where the paged person is."""
        return sum(watch.night for watch in self.watches)


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """A span of time in figures: all services together, each with anything, the last weeks, on-call, and what is not in it."""

    since: datetime
    until: datetime
    total: ServiceFigures
    services: tuple[ServiceFigures, ...] = ()
    weeks: tuple[Week, ...] = ()
    on_call: OnCallFigures = OnCallFigures()
    notes: tuple[str, ...] = ()
