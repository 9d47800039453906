"""One store per aggregate: what is kept, and how it is found again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.action import Action
from bot.domain.alert import Alert
from bot.domain.attribution import ServiceMapping, Unmatched
from bot.domain.belonging import Belonging, Regrouping
from bot.domain.care import Fired
from bot.domain.change import Change
from bot.domain.copy import Copy, Mark, SourceState
from bot.domain.document import Document
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Entry, Incident
from bot.domain.interaction import Feedback, Interaction, LedgerEntry, Spent
from bot.domain.noise import Decision, Kind, NoiseState, Outcome, Silence, Source, Storm
from bot.domain.ticket import TicketStatus
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
        """Keep deliveries with their vendor's delivery ids, in a `Database.keep`; False for one that is known already."""

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

    def old(self, tx: Transaction, before: datetime, after: int = 0) -> tuple[list[int], int | None]:
        """Numbers above `after` of what came in before a time and waits no more, some at once; where to go on, if anywhere."""

    def forget(self, tx: Transaction, ids: Sequence[int]) -> None:
        """These deliveries were never here, raw bodies included; in a `Database.keep`."""

    def forget_outcomes(self, tx: Transaction) -> None:
        """What became of deliveries that are older than all that are kept is not told any more."""


class IncidentStore(Protocol):
    """Incidents; every write is compare-and-set on `version`."""

    def save(self, tx: Transaction, incident: Incident) -> Incident:
        """Insert (version 0) or replace; returns it with the next version. Raises Outrun if somebody was faster."""

    def save_all(self, tx: Transaction, kept: Sequence[Incident]) -> tuple[Incident, ...]:
        """`save` for each of many, in a handful of statements."""

    def get(self, tx: Transaction, id: str) -> Incident | None:
        """By internal id, or by people's "INC-42"."""

    def live(self, tx: Transaction, resolved_since: datetime | None = None, *, hold: bool = False) -> tuple[Incident, ...]:
        """Open and acknowledged ones, oldest first, with those resolved since a time if given (never closed ones).

        With `hold` nobody else changes them until this transaction ends.
        """

    def recent(self, tx: Transaction, limit: int = 20) -> tuple[Incident, ...]:
        """The newest, whatever their status."""

    def next_number(self, tx: Transaction) -> int:
        """The next number for people."""


class BelongingStore(Protocol):
    """What people said of which problems belong together, and what they merged and split."""

    def said(self, tx: Transaction, fingerprints: Collection[str]) -> tuple[Belonging, ...]:
        """All that was said of any of these problems."""

    def say(self, tx: Transaction, words: Iterable[Belonging]) -> None:
        """Keep what was said."""

    def take_back(self, tx: Transaction, deed: str) -> None:
        """Forget what was said by this deed."""

    def keep(self, tx: Transaction, regrouping: Regrouping) -> None:
        """Insert or replace."""

    def latest(self, tx: Transaction, incident_id: str) -> Regrouping | None:
        """The newest that this incident gave or took problems by, undone ones left out."""

    def rehome(self, tx: Transaction, fingerprints: Collection[str], source: str, target: str) -> None:
        """Problems of one incident, and the alert events that told of them there, belong to another from now on."""


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

    def known(self, tx: Transaction, incident_ids: Sequence[str]) -> set[str]:
        """Those of these incidents that were looked into."""


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

    def like(self, tx: Transaction, prefix: str) -> Mapping[str, str]:
        """The positions of all switches whose name begins so."""


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

    def hold_all(self, tx: Transaction, keys: Collection[str]) -> Mapping[str, Card]:
        """`hold` for many keys; the cards that there are, by key."""

    def put(self, tx: Transaction, card: Card) -> None:
        """Insert or replace."""

    def put_all(self, tx: Transaction, kept: Iterable[Card]) -> None:
        """`put` for many."""

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

    def fired(self, tx: Transaction, since: datetime) -> tuple[Fired, ...]:
        """How often each alert of each service began to fire since a time."""


@dataclass(frozen=True, slots=True)
class KeptTicket:
    """A ticket as we know it; `incident_id` is "" for a user's report, `told` marks what of the incident it was told.

    `status_at` is the time, by the tracker's clock, of the news that its status is from.
    """

    connector: str
    ref: str
    title: str
    status: TicketStatus
    opened_at: datetime
    status_at: datetime
    service: str = ""
    incident_id: str = ""
    url: str = ""
    told: tuple[str, ...] = ()


class TicketStore(Protocol):
    """Tickets and the incidents that they belong to."""

    def get(self, tx: Transaction, connector: str, ref: str) -> KeptTicket | None:
        """One ticket, or None."""

    def save(self, tx: Transaction, ticket: KeptTicket) -> None:
        """Insert or replace."""

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[KeptTicket, ...]:
        """The tickets of one incident, oldest first."""

    def reports(self, tx: Transaction, service: str, since: datetime) -> int:
        """How many tickets about a service were opened since a time and belong to no incident."""


class NoiseStore(Protocol):
    """What is known of the noise of each problem, every decision, silences, inhibiting sources, storms."""

    def line(self, tx: Transaction) -> None:
        """From here until this transaction ends no replica drains the inbox: incidents and problems stand still."""

    def states(self, tx: Transaction, fingerprints: Collection[str]) -> Mapping[str, NoiseState]:
        """What is known of the noise of these problems."""

    def keep(self, tx: Transaction, kept: Iterable[NoiseState], at: datetime) -> None:
        """Insert or replace states."""

    def due(self, tx: Transaction, at: datetime, limit: int) -> tuple[NoiseState, ...]:
        """Problems whose hold ends by then, the earliest first."""

    def held(self, tx: Transaction, limit: int = 500) -> tuple[NoiseState, ...]:
        """Problems that fire and that people are not told of now."""

    def waiting(self, tx: Transaction, until: datetime, limit: int = 500) -> tuple[NoiseState, ...]:
        """Problems that are held for being alone, and that are looked at by then."""

    def look_now(self, tx: Transaction, kinds: Collection[Kind], at: datetime) -> int:
        """Have holds of these kinds looked at again at once; how many there are."""

    def every(self, tx: Transaction) -> Iterator[NoiseState]:
        """All states."""

    def decide(self, tx: Transaction, made: Sequence[Decision]) -> None:
        """Keep decisions."""

    def turned_out(self, tx: Transaction, ids: Collection[str], at: datetime, outcome: Outcome | None = None) -> None:
        """How these decisions turned out; without a word: outlasted if `at` lies after their hold, else cleared."""

    def decided(
        self, tx: Transaction, since: datetime | None = None, fingerprint: str = "", limit: int = 10_000
    ) -> tuple[Decision, ...]:
        """Decisions, of one problem or all, the newest first."""

    def put_down_to(self, tx: Transaction, incident_id: str) -> int:
        """How many alerts are or were held because this incident explains them."""

    def silences(self, tx: Transaction, since: datetime) -> tuple[Silence, ...]:
        """Silences that end after this, the oldest first."""

    def silence(self, tx: Transaction, silence: Silence) -> Silence:
        """Keep a silence; a new one (id "") gets the next id. Raises Outrun if somebody was faster."""

    def find_silence(self, tx: Transaction, id: str) -> Silence | None:
        """The silence of this id, "SIL-4"."""

    def fire(self, tx: Transaction, firing: Sequence[Source]) -> None:
        """These alerts fire and inhibit others."""

    def clear(self, tx: Transaction, instances: Collection[str]) -> None:
        """These instances fire no more."""

    def sources(self, tx: Transaction, values: Collection[tuple[str, str]], since: datetime) -> Mapping[tuple[str, str], Source]:
        """The sources of these (rule, equal values) that were seen since then, one of each."""

    def storms(self, tx: Transaction, environments: Collection[str]) -> Mapping[str, Storm]:
        """What is brewing in these environments."""

    def brew(self, tx: Transaction, kept: Iterable[Storm]) -> None:
        """Insert or replace storms."""

    def reset(self, tx: Transaction, fingerprint: str = "") -> int:
        """Delete what was learned, of one problem or all; problems that are held now stay. How many there were."""


class CopyStore(Protocol):
    """Copies of documents that lie elsewhere, and how their sources are doing."""

    def marks(self, tx: Transaction, source: str) -> Mapping[str, Mark]:
        """What is kept of a source, by ref."""

    def documents(self, tx: Transaction, source: str) -> tuple[Document, ...]:
        """The documents of a source, each with its slug as its id."""

    def put(self, tx: Transaction, kept: Iterable[Copy]) -> None:
        """Insert or replace."""

    def drop(self, tx: Transaction, source: str, refs: Collection[str]) -> None:
        """Forget these."""

    def states(self, tx: Transaction) -> Mapping[str, SourceState]:
        """How each source is doing, by name."""

    def note(self, tx: Transaction, state: SourceState) -> None:
        """Insert or replace."""

    def only(self, tx: Transaction, names: Sequence[str]) -> None:
        """Forget every source but these, with its documents."""


class AttributionStore(Protocol):
    """What people said about whose alerts are whose, and what nobody could attribute."""

    def mappings(self, tx: Transaction) -> tuple[ServiceMapping, ...]:
        """All that people said, the latest first."""

    def put(self, tx: Transaction, mapping: ServiceMapping) -> None:
        """Keep it in place of what was said of the same label and value before."""

    def drop(self, tx: Transaction, label: str, value: str) -> bool:
        """Forget it; False if there was none."""

    def unmatched(self, tx: Transaction, known: Collection[str], limit: int = 20) -> tuple[Unmatched, ...]:
        """What the newest alerts without one of the `known` services have in common, the most frequent first."""
