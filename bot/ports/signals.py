"""What came in and what was made of it: one store each for deliveries, alerts, changes, tickets, noise and attribution."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.alert import Alert
from bot.domain.attribution import ServiceMapping, Unmatched
from bot.domain.care import Fired
from bot.domain.change import Change
from bot.domain.noise import Decision, Kind, NoiseState, Outcome, Silence, Source, Storm
from bot.domain.ticket import TicketStatus
from bot.domain.topology import CallMinute, KnownCall, SeenCall
from bot.ports.webhooks import Delivery
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


class TopologyStore(Protocol):
    """Who was seen calling whom, by which source, since when; and what passed minute by minute."""

    def saw(self, tx: Transaction, source: str, seen: Sequence[SeenCall], at: datetime) -> None:
        """A source saw these calls now."""

    def known(self, tx: Transaction, since: datetime | None = None) -> tuple[KnownCall, ...]:
        """The calls that some source saw since a time, or ever; the latest first."""

    def add(self, tx: Transaction, counted: Sequence[CallMinute]) -> None:
        """Counts of minutes, added to what is there of them already."""

    def minutes(self, tx: Transaction, start: datetime, end: datetime, services: Collection[str]) -> tuple[CallMinute, ...]:
        """What passed from and to these services in the minutes that begin from `start` to before `end`, oldest first."""

    def totals(self, tx: Transaction, start: datetime, end: datetime) -> tuple[CallMinute, ...]:
        """What passed between all services in these minutes together, as if it were one minute at `start`."""


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


class ChangeStore(Protocol):
    """What was shipped."""

    def save(self, tx: Transaction, changes: Iterable[Change]) -> None:
        """Insert or replace by id; an older report never overwrites a newer status."""

    def between(self, tx: Transaction, start: datetime, end: datetime) -> tuple[Change, ...]:
        """The changes of a span of time, oldest first."""

    def shipments(self, tx: Transaction, start: datetime, end: datetime) -> tuple[Change, ...]:
        """The changes of a span that are neither commits nor builds, oldest first; nothing is told of their checks."""

    def commits(self, tx: Transaction, shas: Iterable[str]) -> tuple[Change, ...]:
        """What repositories told of these commits, by their whole SHA."""

    def get(self, tx: Transaction, id: str) -> Change | None:
        """One change."""


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
