"""An incident: its life, what it gathers, and the moves that are legal."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.alert import Severity
from bot.errors import IllegalMove


class Status(StrEnum):
    """Where an incident is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"  # resolved and out of the reopen window, or merged; never joined again


LEGAL: dict[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.ACKNOWLEDGED, Status.RESOLVED}),
    Status.ACKNOWLEDGED: frozenset({Status.OPEN, Status.RESOLVED}),
    Status.RESOLVED: frozenset({Status.OPEN, Status.CLOSED}),
    Status.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One problem folded into an incident, and why it belongs there.

    `joined_at` is when it began, by its sender's clock; when it fires again after it cleared, it begins anew.
    """

    fingerprint: str
    name: str
    service: str
    reason: str
    joined_at: datetime
    severity: Severity
    firing: int = 0  # instances that fire now
    events: int = 0  # alerts seen that said that it fires, repeats included
    summary: str = ""
    cleared_at: datetime | None = None
    hooks: tuple[str, ...] = ()  # what else it can be matched by: "node=n1", "alert=targetdown"
    connector: str = ""
    ref: str = ""  # the vendor's own id of its latest alert
    silenced_until: datetime | None = None  # in the vendor's own tool


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that is wrong, however many alerts say so. `number` is for people: INC-42."""

    id: str
    number: int
    title: str
    service: str
    environment: str
    severity: Severity
    status: Status
    opened_at: datetime
    updated_at: datetime
    members: tuple[Member, ...] = ()
    channel: str = ""  # home channel, chosen when the first card is posted
    on_call: tuple[str, ...] = ()  # its owners until somebody acknowledges it
    on_call_from: str = ""  # who said so, for people: "rota backend", "routing.yaml: pagerduty did not answer"
    waiting_since: datetime | None = None  # since when nobody has it, by our clock: escalation counts from here
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""  # a person, or "alerts cleared", or "verified after <action>"
    silenced_until: datetime | None = None
    silenced_by: str = ""  # a Slack user id, or the connector in which its alerts were silenced
    confirmed_cause: str = ""
    confirmed_by: str = ""
    opened_by: str = ""  # whoever opened it by hand, a Slack user id
    merged_into: str = ""  # the key of the incident that has its problems now
    storm: bool = False  # it takes whatever begins while many problems begin at once
    version: int = 0  # raised by every write; stale writes are refused

    @property
    def key(self) -> str:
        """The id that people use: INC-42."""
        return f"INC-{self.number}"

    @property
    def live(self) -> bool:
        """It still needs somebody."""
        return self.status in (Status.OPEN, Status.ACKNOWLEDGED)

    @property
    def ends_by_itself(self) -> bool:
        """Quiet alerts end it; one that a person opened tells of more than alerts see, and ends by a person's word."""
        return not self.opened_by

    @property
    def services(self) -> tuple[str, ...]:
        """Every service with a problem in it, the first one first."""
        return tuple(dict.fromkeys((self.service, *(m.service for m in self.members))))

    @property
    def firing(self) -> int:
        """How many alert instances fire now."""
        return sum(m.firing for m in self.members)

    @property
    def events(self) -> int:
        """How many alerts were folded into it; those that told of an end are not counted."""
        return sum(m.events for m in self.members)

    def move(self, to: Status, now: datetime, by: str = "") -> "Incident":
        """The incident in its next status; an illegal move is refused by name."""
        if to not in LEGAL[self.status]:
            raise IllegalMove(f"{self.key} is {self.status.value}; it cannot become {to.value}.")
        changed = replace(self, status=to, updated_at=now)
        if to is Status.ACKNOWLEDGED:
            return replace(changed, acknowledged_by=by)
        if to is Status.RESOLVED:
            return replace(changed, resolved_at=now, resolved_by=by)
        if to is Status.OPEN:
            had = "" if self.status is Status.ACKNOWLEDGED else self.acknowledged_by  # reopened, its people stay
            return replace(changed, resolved_at=None, resolved_by="", acknowledged_by=had, waiting_since=now)
        return changed


def merged(incident: Incident, into: Incident, now: datetime) -> Incident:
    """The incident once another has its problems: closed, and it says where they went."""
    if incident.status is Status.CLOSED:
        raise IllegalMove(f"{incident.key} is closed; it cannot be merged.")
    return replace(
        incident,
        status=Status.CLOSED,
        merged_into=into.key,
        resolved_at=incident.resolved_at or now,
        resolved_by=incident.resolved_by or f"merged into {into.key}",
        updated_at=now,
    )


class EntryKind(StrEnum):
    """What a timeline entry tells of."""

    ALERT = "alert"
    STATUS = "status"
    CHANGE = "change"
    DIAGNOSIS = "diagnosis"
    ACTION = "action"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an incident's timeline; `by` is a Slack user id, "tocsin" or a connector's name."""

    incident_id: str
    at: datetime
    kind: EntryKind
    text: str
    by: str = "tocsin"
