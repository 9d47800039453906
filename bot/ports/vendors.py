"""What a vendor can do: evidence, people to wake, tickets, documents; webhooks and deployers have files of their own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from bot.domain.alert import Alert, Severity
from bot.domain.change import Commit
from bot.domain.handling import Deed
from bot.domain.service import Service
from bot.domain.telemetry import Readings, Window
from bot.domain.ticket import Ticket, TicketStatus
from bot.domain.topology import SeenCall
from bot.ports.deployers import Deployer
from bot.ports.knowledge import IncidentHistory, Proposals, QueryProbe
from bot.ports.webhooks import Delivery, Webhook


@runtime_checkable
class EvidenceSource(Protocol):
    """Read-only numbers, logs or traces. A failure is a value (`Readings.status`), never an exception."""

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """What the source knows of these services in this window."""


@runtime_checkable
class NumberSource(Protocol):
    """An evidence source of numbers over time. Only such are asked again and again: logs and traces cost their owners money."""

    numbers: bool

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """As `EvidenceSource.read`; what it tells are series."""


@runtime_checkable
class Catalogued(Protocol):
    """An evidence source that asks about a service as the catalogue says."""

    def catalogued(self, service: Callable[[str], Service]) -> EvidenceSource:
        """The same source, told how services are described; asked anew at each reading, as people edit services.yaml."""


class EdgeSource(Protocol):
    """Knows who called whom. What also is an EvidenceSource is read when an incident is looked into."""

    name: str  # how the graph names it as the source of an edge

    async def seen(self, window: Window) -> tuple[SeenCall, ...]:
        """The calls of the window between all services. Raises Unavailable, NotAllowed or BadPayload."""


class ChangeSource(Protocol):
    """Commits and diffs, fetched when needed."""

    async def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit with its diff; None if this source does not have the repository or the commit."""

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        """The commits after `base` up to `head`, newest first, with diffs; empty if unknown here."""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Somebody whose turn it is, as a pager knows them; `until` is the end of their shift."""

    name: str
    email: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What somebody is woken for; `key` is the idempotency key, made by `bot.domain.handling.page_key`.

    `target` is the pager's own name of whom to wake (an escalation policy, a team); "" is the one in its settings.
    """

    key: str
    title: str
    severity: Severity
    service: str
    text: str = ""
    link: str = ""
    target: str = ""


class Schedules(Protocol):
    """Knows whose turn it is."""

    async def on_call(self, schedule: str) -> tuple[OnCall, ...]:
        """Whose turn it is now on a schedule, by its id or name; the first is asked first. Raises Unavailable or NotFound."""


class Pager(Protocol):
    """Wakes people. Every method raises Unavailable when the pager cannot be asked, NotFound for a target it does not know."""

    async def page(self, page: Page) -> None:
        """Wake somebody; the same key again while it is open wakes nobody twice."""

    async def carry(self, key: str, deed: Deed, by: str) -> None:
        """A page of ours was acknowledged or resolved here; the pager is told. A key or a deed that it does not know is no error.

        The target is the last part of the key.
        """


@dataclass(frozen=True, slots=True)
class Silenced:
    """An alert that is silenced in a vendor's own tool; `ref` is the vendor's id of the alert (`Alert.ref`)."""

    ref: str
    until: datetime
    by: str = ""
    note: str = ""


class SilenceSource(Protocol):
    """Can be asked which of its alerts are silenced, and which fire; silences that a vendor tells of by itself are Handlings."""

    async def silenced(self) -> tuple[Silenced, ...]:
        """Every alert that is silenced now, by whomever. Raises Unavailable."""

    async def firing(self) -> frozenset[str] | None:
        """The ids of all alerts that fire there, silenced or not; None while it cannot know. Raises Unavailable.

        A vendor that is silent about an alert is also silent about its end.
        """


class Responder(Protocol):
    """Does at a vendor what people did here to the vendor's own alerts, so that both sides agree."""

    deeds: frozenset[Deed]  # what the vendor knows how to do

    async def carry(self, alert: Alert, deed: Deed, by: str, note: str, until: datetime | None = None) -> str:
        """Do it to the vendor's alert, and return the vendor's id of what was made (a silence) or "". Twice is once.

        `alert` is the latest of its problem; its labels are those that all firing instances of the problem share.
        Raises Unavailable if the vendor cannot be asked, NotFound if it does not know the alert any more.
        """


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket to be opened; `key` is the idempotency key. `text` is plain Markdown."""

    key: str
    title: str
    text: str
    service: str
    severity: Severity
    link: str = ""


class Tracker(Protocol):
    """A ticket system. Every method raises Unavailable when it cannot be asked, NotFound where the ticket is gone."""

    async def open(self, draft: TicketDraft) -> Ticket:
        """Open it once per key; the same key again answers with the same ticket."""

    async def get(self, ref: str) -> Ticket | None:
        """One ticket by the tracker's id of it, or None."""

    async def comment(self, ref: str, text: str, key: str) -> None:
        """Add a comment once per key."""

    async def move(self, ref: str, status: TicketStatus) -> None:
        """Bring it to this status; it being there already is no error."""


class Reviews(Protocol):
    """Where people look at changes before they are merged. Raises Unavailable, NotAllowed, NotFound or BadPayload."""

    async def remark(self, repository: str, number: int, text: str, topic: str) -> None:
        """The one comment of ours about this topic says this Markdown; it is made, or edited where it stands."""


class Watcher(Protocol):
    """A stream instead of a webhook. What it sees is kept like a webhook's delivery, before anything is made of it."""

    async def watch(self, told: Callable[[Delivery], Awaitable[None]]) -> None:
        """Tell of everything new until cancelled; broken connections are its own business. `told` returns once it is kept."""

    def trouble(self) -> str:
        """Why it does not see everything at the moment, for people; "" while it does."""


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A page as a vendor keeps it; `ref` is the vendor's id of it, which survives a rename.

    `media_type` is text/markdown, text/html, application/pdf or text/plain; `body` is capped by the source. `path` is where it
    lies among its siblings ("Ops/Payments/Timeouts"), `front` what the vendor knows in the words of our front matter.
    """

    ref: str
    title: str
    body: bytes
    media_type: str = "text/markdown"
    path: str = ""
    link: str = ""
    updated_at: datetime | None = None
    front: Mapping[str, object] = field(default_factory=dict)


class DocumentSource(Protocol):
    """Where runbooks or old incidents lie. Both methods raise Unavailable when it cannot be asked."""

    async def listing(self) -> Mapping[str, str]:
        """Every document that there is: its ref, and a version that changes when it does."""

    async def fetch(self, ref: str) -> RawDocument | None:
        """One document; None if it is gone."""


@runtime_checkable
class Renames(Protocol):
    """A source whose refs are paths and whose versions tell contents apart, so that what moved can be followed."""

    repository: str  # "acme/ops", as webhooks name it; "" if it is none

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:
        """Where it stands since the last listing ("" if it cannot tell), and the new ref by the old one of what moved since."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a source of documents is given beside its settings: its name, and where files lie.

    Relative paths of the settings start at `base`; `own` is a folder that it may make and keep things in.
    """

    name: str
    base: Path
    own: Path


@dataclass(frozen=True, slots=True)
class Connector:
    """One vendor as a record of what it can do; absent means None.

    The factories get the validated settings model; `configured` makes a webhook whose reading depends on them, in place of
    `webhook`. `help` is one line for the docs: where the secret goes.
    """

    name: str
    title: str
    settings: type[BaseModel]
    help: str = ""
    webhook: Webhook | None = None
    configured: Callable[[BaseModel], Webhook] | None = None
    evidence: Callable[[BaseModel], EvidenceSource | None] | None = None
    edges: Callable[[BaseModel], EdgeSource | None] | None = None
    changes: Callable[[BaseModel], ChangeSource | None] | None = None
    deployer: Callable[[Mapping[str, object]], Deployer] | None = None
    documents: Callable[[Mapping[str, object], Room], DocumentSource] | None = None  # own values of [knowledge.sources.NAME]
    pager: Callable[[BaseModel], Pager | None] | None = None
    schedules: Callable[[BaseModel], Schedules | None] | None = None
    responder: Callable[[BaseModel], Responder | None] | None = None
    silences: Callable[[BaseModel], SilenceSource | None] | None = None
    tracker: Callable[[BaseModel], Tracker | None] | None = None
    watcher: Callable[[BaseModel], Watcher | None] | None = None
    history: Callable[[BaseModel, str], IncidentHistory | None] | None = None  # also gets a query: JQL, a label
    probe: Callable[[BaseModel], QueryProbe | None] | None = None
    reviews: Callable[[BaseModel], Reviews | None] | None = None
    proposals: Callable[[BaseModel], Proposals | None] | None = None
