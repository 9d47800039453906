"""One store per aggregate: what is kept, and how it is found again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.action import Action
from bot.domain.alert import Alert
from bot.domain.change import Change
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Entry, Incident
from bot.domain.interaction import Feedback, Interaction, LedgerEntry, Spent
from bot.domain.view import Place
from bot.ports.vendors import Delivery
from bot.ports.work import Transaction


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
class Reached:
    """Somebody was to be reached about an incident, and what came of it; `key` names the one attempt, ever.

    `how` is the outlet ("slack", "pagerduty", "email") and `target` whom; `page` is the key that the pager got ("" for none).
    """

    key: str
    incident_id: str
    at: datetime
    how: str
    target: str
    state: str  # due | done | failed
    page: str = ""
    detail: str = ""  # for people


class ReachStore(Protocol):
    """Who was to be reached about which incident; one row per attempt, so that none is made twice."""

    def get(self, tx: Transaction, key: str) -> Reached | None:
        """One attempt."""

    def put(self, tx: Transaction, reached: Reached) -> None:
        """Insert or replace."""

    def of(self, tx: Transaction, incident_id: str) -> tuple[Reached, ...]:
        """All about one incident, oldest first."""


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
