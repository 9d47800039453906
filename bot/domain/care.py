"""Care of the runbooks: what of them was tried and how it went, what is wrong with which, and what nobody has written yet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from bot.domain.alert import Severity


class Tried(StrEnum):
    """What of a runbook can be tried without changing anything."""

    QUERY = "query"
    LINK = "link"


class Health(StrEnum):
    """How it went. Only BROKEN, NO_METRIC and DEAD are faults of the runbook."""

    FINE = "fine"
    BROKEN = "broken"  # the query is no PromQL, or cannot be carried out
    NO_METRIC = "no such metric"
    NO_DATA = "no data"  # the metrics are there, at the moment no series fits
    DEAD = "dead"  # the page is gone
    SKIPPED = "skipped"  # it holds what only a person can fill in
    UNKNOWN = "unknown"  # it could not be tried

    @property
    def fault(self) -> bool:
        """The runbook has to be changed."""
        return self in (Health.BROKEN, Health.NO_METRIC, Health.DEAD)


@dataclass(frozen=True, slots=True)
class Check:
    """One query or link of a runbook and how its last try went; `good_at` is when it last went well."""

    document: str
    kind: Tried
    text: str
    health: Health
    reason: str = ""  # for people
    at: datetime | None = None
    good_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """How often an alert of a service began to fire in a span of time, for how many incidents; the worst of its severities."""

    name: str
    service: str
    times: int
    severity: Severity
    incidents: tuple[str, ...] = ()  # their ids
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ailing:
    """A runbook and what is wrong with it, the worst first; `weight` orders runbooks."""

    document: str
    title: str
    owner: str
    reasons: tuple[str, ...]
    weight: float
    link: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """An alert for which nobody was shown a runbook: in `without` of the `times` that it fired."""

    name: str
    service: str
    owner: str
    times: int
    without: int
    severity: Severity
    last_at: datetime | None = None

    @property
    def weight(self) -> float:
        """How often, and how bad: a SEV1 counts as much as eight of SEV4."""
        return self.without * 2.0 ** (4 - self.severity.rank)


@dataclass(frozen=True, slots=True)
class CareLimits:
    """When a runbook needs its owner, and how much of the corpus is tried in a night."""

    review_days: int = 180
    unused_days: int = 90
    most: int = 300  # queries and links in one night
    pause: float = 0.25  # seconds between two tries


class DraftState(StrEnum):
    """Where a drafted runbook is."""

    DRAFT = "draft"
    APPROVED = "approved"  # a person approved it; it is being put where it belongs
    KEPT = "kept"  # it is in the runbook folder, or proposed to the repository
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Draft:
    """A runbook that nobody has approved yet, and is no knowledge until then. `text` is Markdown with front matter.

    `where` says for people where an approved one went: a path or the address of a pull request.
    """

    id: str
    incident_id: str
    title: str
    path: str  # below the runbook folder: "payments/high-error-rate.md"
    text: str
    state: DraftState
    at: datetime
    asked_by: str
    engine: str = "rules"  # or the model's name
    decided_by: str = ""
    decided_at: datetime | None = None
    where: str = ""
    url: str = ""
    note: str = ""  # why a model's words are not in it


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file for a repository, proposed on a branch of its own; the same `key` is one proposal, ever."""

    key: str
    repository: str
    path: str
    text: str
    title: str
    body: str
    branch: str = ""  # that it is meant for; "" is the repository's default one

    @property
    def own_branch(self) -> str:
        """The branch that holds it."""
        return f"tocsin/runbook-{re.sub(r'[^A-Za-z0-9-]', '', self.key)[:40]}"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around the runbooks, to hold them against. `rules` None: nobody can be asked which alerts there are."""

    services: frozenset[str] = frozenset()  # with their aliases; empty: no catalogue
    rules: frozenset[str] | None = None  # normal names of the alerts that rules are there for
    fired: frozenset[str] = frozenset()  # normal names of the alerts that fired of late
    paths: frozenset[str] = frozenset()  # of all runbooks
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by document: what is wrong with its typed actions
    today: date = field(default_factory=lambda: date.min)
