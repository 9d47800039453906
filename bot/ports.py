"""The outside world on one page: what a vendor can do, and the doors to database, work, chat and clock.

A Protocol stands here only where two real implementations exist, or where an import rule keeps two rooms apart.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.domain.action import Action
from bot.domain.alert import Alert
from bot.domain.change import Change, Commit, Version
from bot.domain.conversation import Abilities, Prompt, Reply
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Entry, Incident
from bot.domain.interaction import Feedback, Interaction, LedgerEntry, Spent
from bot.domain.request import Person
from bot.domain.telemetry import Readings, Window
from bot.domain.view import AnswerView, HomeView, Place, Said, Shown

T = TypeVar("T")
Clock = Callable[[], datetime]
Scalar = str | int | float | bool | None


# --- what a vendor can do ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as it came in; header names in lower case, `body` raw."""

    connector: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that the bot has no use for, and why."""

    reason: str


Parsed = tuple[Alert | Change | Ignored, ...]


class WebhookSettings(BaseModel):
    """What every webhook connector can be told; `previous_secret` stays valid during a rotation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr | None = None
    previous_secret: SecretStr | None = None
    allow_unsigned: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The live secrets, the current one first."""
        return tuple(s.get_secret_value() for s in (self.secret, self.previous_secret) if s is not None)


class Webhook(Protocol):
    """Alerts or changes that a vendor sends."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the delivery proves that it knows one of the secrets."""

    def delivery_id(self, delivery: Delivery) -> str:
        """The vendor's own id of this delivery, or "" where the vendor has none."""

    def parse(self, delivery: Delivery) -> Parsed:
        """The delivery in our words; pure. Raise BadPayload naming the path if it is not what the vendor documents."""


@runtime_checkable
class Explains(Protocol):
    """A webhook that can tell how it reads a payload, which a mapping in the settings decides."""

    def explain(self, delivery: Delivery) -> Iterator[str]:
        """Each field, where it was looked for and what was found, one line each. Raise BadPayload like parse."""


class EvidenceSource(Protocol):
    """Read-only numbers, logs or traces. A failure is a value (`Readings.status`), never an exception."""

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """What the source knows of these services in this window."""


class ChangeSource(Protocol):
    """Commits and diffs, fetched when needed."""

    async def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit with its diff; None if this source does not have the repository or the commit."""

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        """The commits after `base` up to `head`, newest first, with diffs; empty if unknown here."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a deployer is asked to do; `key` is the idempotency key."""

    service: str
    environment: str
    version: str
    key: str


class RunState(StrEnum):
    """What a deployer says of a run; UNKNOWN: it never heard of the key."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Run:
    """A deployer's run; `output` are its last lines, unredacted."""

    id: str
    state: RunState
    version: str = ""
    link: str = ""
    output: tuple[str, ...] = ()


class Deployer(Protocol):
    """Changes what runs. Every method raises Unavailable when the deployer cannot be asked.

    `start` raises Unavailable also where nobody knows whether it started; any other BotError means that nothing was started.
    """

    @property
    def idempotent(self) -> bool:
        """It promises that a key starts one run only, so that `start` may be repeated when its outcome is unknown."""

    async def current(self, service: str, environment: str) -> Version:
        """What runs now, asked, not assumed."""

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What ran before, newest first, the current one included."""

    async def start(self, order: Order) -> Run:
        """Start it once per key; the same key again answers with the same run."""

    async def status(self, order: Order) -> Run:
        """What became of the order with this key; state UNKNOWN if it never arrived."""

    def how_to_ask(self, order: Order) -> str:
        """What a person can do to find out what became of an order: an imperative sentence without its full stop."""


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
    changes: Callable[[BaseModel], ChangeSource | None] | None = None
    deployer: Callable[[Mapping[str, object]], Deployer] | None = None


# --- models -----------------------------------------------------------------------------------------------------


class Embedder(Protocol):
    """Texts to vectors of unit length; `name` and `digest` identify the model so that vectors are never mixed."""

    name: str
    digest: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, in order; blocking, called in a thread."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A read-only look that a model may take; `parameters` is the JSON schema of its arguments.

    `run` answers with text; a BotError becomes a sentence for the model. It knows one incident and no free URL, SQL or shell.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    run: Callable[[Mapping[str, object]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked. `text` is the user message: the long evidence first, the question last.

    With `form` (a JSON schema) the answer is one object of it; `check` says what is wrong with an object, or "": the model
    gets that sentence and one more try. With `tools` the model may look before it answers. `most_*` and `deadline` end it;
    `stopped` is asked before each call.
    """

    prompt: Prompt
    text: str
    form: Mapping[str, object] | None = None
    check: Callable[[Mapping[str, object]], str] | None = None
    tools: Sequence[Tool] = ()
    most_calls: int = 8
    most_tokens_out: int = 2000
    most_cost: float | None = None  # US dollars
    deadline: timedelta = timedelta(seconds=60)
    about: Mapping[str, str] = field(default_factory=dict)  # for traces: "incident" (INC-42), "interaction" (the journal's id)
    stopped: Callable[[], Awaitable[bool]] | None = None  # True: nothing more may be sent


class Listener(Protocol):
    """Hears an answer while it is made."""

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""

    async def words(self, more: str) -> None:
        """More of the answer's text."""


class Model(Protocol):
    """A language model. What is sent has secrets taken out and personal data tokenised by the model's own room."""

    name: str  # "openai:gpt-…", as it was asked for

    async def abilities(self) -> Abilities:
        """What it can do; asked of the model once, cautious while it does not answer."""

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The answer, or the failure as a value."""


# --- the chat ---------------------------------------------------------------------------------------------------


class Telling(Protocol):
    """An answer that appears in a thread while it is made. Only `end` raises: steps and words are a courtesy."""

    place: Place  # where it stands; ts "" until the chat has it

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""

    async def words(self, more: str) -> None:
        """More of the answer's text (Markdown)."""

    async def end(self, view: AnswerView) -> Place:
        """The answer is complete: what stands there is exactly this view. Raises Unavailable."""


class Channel(Protocol):
    """Where people read. Raises Unavailable (with `retry_after` seconds where told) when the chat does not answer."""

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """Post a new message (in `place.thread` if set) that carries `key`; the returned place has its ts."""

    async def edit(self, place: Place, view: Shown) -> None:
        """Replace the message at `place`."""

    async def whisper(self, place: Place, user: str, view: Shown) -> None:
        """Show it to one person only."""

    async def tell(self, place: Place, person: Person, *, key: str) -> Telling:
        """Begin an answer to this person in `place.thread` that carries `key` in the end. Raises Unavailable."""

    async def find(self, channel: str, key: str, thread: str = "") -> Place | None:
        """The message of ours that carries `key`, if it was posted after all; asked after a broken connection.

        Name the thread if it was meant for one: only that thread is read then.
        """

    async def permalink(self, place: Place) -> str:
        """A link to the message, or ""."""

    async def read(self, place: Place) -> Said | None:
        """The message at `place`, in a thread or not; None if there is none, or the bot may not read there."""

    async def publish(self, user: str, view: HomeView) -> None:
        """Show a person their home page."""

    async def timezone(self, user: str) -> str:
        """The IANA name of a person's time zone, "UTC" where it is not known."""

    async def channel_id(self, name: str) -> str:
        """The id of "#name"; an id is returned as it is. Raises NotFound."""


# --- the database and durable work ------------------------------------------------------------------------------


class Transaction(Protocol):
    """An open database transaction; only storage and durable look inside."""


class Database(Protocol):
    """Runs plain functions in transactions, away from the event loop."""

    async def write(self, work: Callable[[Transaction], T], *, urgent: bool = False) -> T:
        """Run it in one transaction and commit; roll back if it raises. On SQLite one at a time; urgent work goes first."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run it in a read transaction."""


fence: ContextVar[Callable[[Transaction], None] | None] = ContextVar("fence", default=None)
"""What every write of a running piece of work has to pass first: raises TakenOver once another replica has it."""


class Work(Protocol):
    """Work that survives a crash, at least once; handlers are idempotent."""

    def start(
        self,
        tx: Transaction,
        queue: str,
        name: str,
        id: str,
        args: Mapping[str, Scalar],
        *,
        partition: str | None = None,
        not_before: datetime | None = None,
    ) -> bool:
        """Have `name` run with `args` once this transaction commits; False if this id is known already."""


Handler = Callable[[Mapping[str, Scalar]], Awaitable[None]]
QUEUES = ("investigate", "model", "actions", "slack", "housekeeping")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One stored delivery of the inbox; `id` is its place in line."""

    id: int
    delivery: Delivery
    state: str  # waiting | done | unreadable
    attempts: int = 0
    error: str = ""
    outcome: str = ""  # "2 alerts", "ignored: ping", for people


class InboxStore(Protocol):
    """Raw deliveries between 202 and done."""

    def add(self, tx: Transaction, deliveries: Sequence[tuple[Delivery, str]]) -> list[bool]:
        """Keep deliveries with their vendor's delivery ids; False for one that is known already."""

    def take(self, tx: Transaction, most: int) -> list[Parcel]:
        """The oldest waiting parcels."""

    def finish(self, tx: Transaction, parcels: Sequence[Parcel]) -> None:
        """Store their new state, error and outcome."""

    def waiting(self, tx: Transaction) -> int:
        """How many wait."""

    def recent(self, tx: Transaction, *, state: str | None, limit: int) -> list[Parcel]:
        """The newest parcels, of one state or all."""

    def get(self, tx: Transaction, id: int) -> Parcel | None:
        """One parcel."""


class IncidentStore(Protocol):
    """Incidents; every write is compare-and-set on `version`."""

    def save(self, tx: Transaction, incident: Incident) -> Incident:
        """Insert (version 0) or replace; returns it with the next version. Raises Outrun if somebody was faster."""

    def get(self, tx: Transaction, id: str) -> Incident | None:
        """By internal id, or by people's "INC-42"."""

    def live(self, tx: Transaction, resolved_since: datetime | None = None) -> tuple[Incident, ...]:
        """Open and acknowledged ones, oldest first, with those resolved since a time if given (never closed ones)."""

    def recent(self, tx: Transaction, limit: int = 20) -> tuple[Incident, ...]:
        """The newest, whatever their status."""

    def next_number(self, tx: Transaction) -> int:
        """The next number for people."""


class TimelineStore(Protocol):
    """What happened, per incident."""

    def add(self, tx: Transaction, entries: Iterable[Entry]) -> None:
        """Keep entries."""

    def of(self, tx: Transaction, incident_id: str) -> tuple[Entry, ...]:
        """The entries of one incident, oldest first."""


class ChangeStore(Protocol):
    """What was shipped."""

    def save(self, tx: Transaction, changes: Iterable[Change]) -> None:
        """Insert or replace by id; an older report never overwrites a newer status."""

    def between(self, tx: Transaction, start: datetime, end: datetime) -> tuple[Change, ...]:
        """The changes of a span of time, oldest first."""

    def get(self, tx: Transaction, id: str) -> Change | None:
        """One change."""


class DiagnosisStore(Protocol):
    """The latest look at each incident."""

    def save(self, tx: Transaction, incident_id: str, diagnosis: Diagnosis) -> None:
        """Keep it as the latest."""

    def latest(self, tx: Transaction, incident_id: str) -> Diagnosis | None:
        """The latest, or None."""


class ActionStore(Protocol):
    """Actions; every move is compare-and-set."""

    def hold(self, tx: Transaction) -> None:
        """From here until this transaction ends nobody else adds one: who looks first may add after."""

    def add(self, tx: Transaction, action: Action) -> Action:
        """Keep a new one."""

    def get(self, tx: Transaction, id: str) -> Action | None:
        """One action."""

    def move(self, tx: Transaction, before: Action, after: Action) -> Action | None:
        """Replace `before` by `after` if nobody was faster (version and status unchanged); else None."""

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[Action, ...]:
        """The actions of one incident, newest first."""

    def unfinished(self, tx: Transaction) -> tuple[Action, ...]:
        """All that have not ended, oldest first."""


class Ledger(Protocol):
    """The audit trail: append-only, chained by hashes."""

    def append(self, tx: Transaction, at: datetime, actor: str, deed: str, subject: str, detail: Mapping[str, str]) -> None:
        """Write one line."""

    def entries(self, tx: Transaction, subject: str | None = None) -> tuple[LedgerEntry, ...]:
        """The lines of one subject, or all, oldest first."""

    def head(self, tx: Transaction) -> tuple[int, str]:
        """How many lines there are, and the hash of the last one ("" for none): posted, so that an outside anchor exists."""

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line whose hash does not fit, or None if the chain is whole."""


class JournalStore(Protocol):
    """Every answer that the bot gave, and what people thought of it."""

    def add(self, tx: Transaction, interaction: Interaction) -> None:
        """Keep an answer."""

    def judge(self, tx: Transaction, feedback: Feedback) -> bool:
        """Keep a judgement; False if the same person already said the same of the same thing."""

    def get(self, tx: Transaction, id: str) -> Interaction | None:
        """One answer, by id or by a unique beginning of it."""

    def recent(
        self,
        tx: Transaction,
        limit: int = 20,
        incident_id: str | None = None,
        *,
        engine: str | None = None,
        failed: bool | None = None,
        since: datetime | None = None,
    ) -> tuple[Interaction, ...]:
        """The newest answers, newest first."""

    def feedback(
        self, tx: Transaction, interaction_id: str | None = None, incident_id: str | None = None
    ) -> tuple[Feedback, ...]:
        """The judgements of one answer or one incident, oldest first."""

    def of_thread(self, tx: Transaction, thread: str, limit: int = 20) -> tuple[Interaction, ...]:
        """The newest answers of one thread (`Interaction.thread`), oldest of them first; none for ""."""

    def every(self, tx: Transaction, since: datetime | None = None) -> Iterator[Interaction]:
        """All answers, oldest first."""

    def spent(self, tx: Transaction, since: datetime, incident_id: str | None = None) -> Spent:
        """What models cost since a time, for one incident or all."""

    def head(self, tx: Transaction) -> tuple[int, str]:
        """How many answers there are, and the hash of the last one ("" for none)."""

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line whose hash does not fit, or None if the chain is whole."""


class SwitchStore(Protocol):
    """Switches that people turn while the bot runs, such as "model" -> "off"; kept over restarts, shared by replicas."""

    def get(self, tx: Transaction, name: str) -> str:
        """The position of a switch, "" if nobody ever turned it."""

    def turn(self, tx: Transaction, name: str, position: str, by: str, at: datetime) -> None:
        """Turn it."""


@dataclass(frozen=True, slots=True)
class Card:
    """A message of ours that is kept current. `shown` is the digest of what it shows; `pending` a refresh that is due."""

    key: str  # "card:<incident>", "pointer:<incident>:<channel>", "action:<id>"
    place: Place
    shown: str = ""
    pending: str = ""
    posts: int = 0


class CardStore(Protocol):
    """Which message shows what."""

    def get(self, tx: Transaction, key: str) -> Card | None:
        """The card of this key."""

    def hold(self, tx: Transaction, key: str) -> Card | None:
        """The card of this key, if there is one; nobody else holds it until this transaction ends. Before every `put`."""

    def put(self, tx: Transaction, card: Card) -> None:
        """Insert or replace."""

    def like(self, tx: Transaction, prefix: str) -> tuple[Card, ...]:
        """All cards whose key begins so."""

    def at(self, tx: Transaction, channel: str, ts: str) -> Card | None:
        """The card that stands at this message."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem (fingerprint) over time.

    A problem may have thousands of instances, so `firing` and `cleared` hold only those that were asked for: instance
    keys with when they began, and with when they ended. `count` is how many fire in all.
    """

    fingerprint: str
    name: str
    service: str
    incident_id: str = ""
    firing: Mapping[str, datetime] = field(default_factory=dict)
    cleared: Mapping[str, datetime] = field(default_factory=dict)
    count: int = 0
    events: int = 0
    last_at: datetime | None = None
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One alert event as it is kept: whose it is, what was judged of it, which incident took it ("" for none)."""

    alert: Alert
    fingerprint: str
    instance: str
    verdict: str
    incident_id: str = ""


class AlertStore(Protocol):
    """What is known of each problem: which instances fire, which incident it belongs to. See `bot.incidents`."""

    def known(self, tx: Transaction, instances: Collection[tuple[str, str]]) -> Mapping[str, Problem]:
        """What is known of the problems of these (fingerprint, instance key) pairs, by fingerprint."""

    def save(self, tx: Transaction, problems: Iterable[Problem]) -> None:
        """Insert or replace problems and the instances they hold; instances they do not hold stay as they are."""

    def seen(self, tx: Transaction, sightings: Sequence[Sighting]) -> None:
        """Keep alert events."""

    def events(self, tx: Transaction, incident_id: str, limit: int = 500) -> tuple[Alert, ...]:
        """The alert events of an incident, oldest first."""
