"""The desk: everything a story may reach for."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bot.actions.policy import Policies
from bot.domain.alert import Severity
from bot.domain.care import CareLimits
from bot.domain.noise import NoiseLimits
from bot.domain.service import Catalogue
from bot.domain.watch import WatchLimits
from bot.flows.vitals import Vitals
from bot.incidents.noise.rules import NoiseRules
from bot.incidents.routing import Routing
from bot.knowledge.library import Library
from bot.knowledge.sources import Sources
from bot.ports import (
    ActionStore,
    AlertStore,
    AttributionStore,
    BelongingStore,
    CardStore,
    ChangeSource,
    ChangeStore,
    Channel,
    ChartStore,
    CheckStore,
    Clock,
    CopyStore,
    Database,
    Deployer,
    DiagnosisStore,
    DraftStore,
    EdgeSource,
    ErrandStore,
    EvidenceSource,
    InboxStore,
    IncidentStore,
    JournalStore,
    Ledger,
    LockStore,
    Model,
    NoiseStore,
    NumberSource,
    Pager,
    PastStore,
    Proposals,
    QueryProbe,
    ReachStore,
    Responder,
    Reviews,
    Schedules,
    SilenceSource,
    SuggestionStore,
    SwitchStore,
    TicketStore,
    TimelineStore,
    TopologyStore,
    Tracker,
    WatchStore,
    WeightStore,
    Work,
)
from bot.topology.current import LiveCatalogue


@dataclass(frozen=True, slots=True)
class Limits:
    """The spans of time that the stories keep to."""

    correlate: timedelta = timedelta(minutes=15)
    reopen: timedelta = timedelta(minutes=30)
    settle: timedelta = timedelta(seconds=60)
    verify: timedelta = timedelta(seconds=120)
    rehearse: timedelta = timedelta(seconds=30)  # a deployer's own dry run may take so long
    gather: timedelta = timedelta(seconds=5)
    first_card: timedelta = timedelta(seconds=1)  # the first card waits this long for the first diagnosis
    look_again: timedelta = timedelta(seconds=30)  # a live incident is looked at again when it changed, at most this often
    think: timedelta = timedelta(seconds=120)  # a model may read the evidence of an incident for so long
    reply: timedelta = timedelta(seconds=60)  # a model may take so long for an answer to a person
    draw: timedelta = timedelta(seconds=15)  # charts come so long after the news, when first things are done
    window: timedelta = timedelta(hours=2)  # how far back evidence and changes are looked at


@dataclass(frozen=True, slots=True)
class Budgets:
    """What models may cost; a call whose price nobody knows counts as a call only. The day is a UTC day."""

    incident_cost: float = 1.0  # US dollars
    incident_calls: int = 40
    day_cost: float = 20.0
    day_calls: int = 1000


@dataclass(frozen=True, slots=True)
class Ticketing:
    """Which tracker gets a ticket, from which severity on by itself, and how many reports of users are a signal."""

    tracker: str = ""  # a connector's name; "" is none
    open_at: Severity | None = None  # None: when a person asks for one
    reports: int = 3
    window: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Drafting:
    """Where an approved draft of a runbook goes: to a repository that a forge takes proposals for, else into a folder."""

    folder: Path | None = None
    proposals: Proposals | None = None
    repository: str = ""
    path: str = ""  # below which runbooks lie in the repository
    branch: str = ""  # "" is the repository's default one


@dataclass(frozen=True, slots=True)
class Desk:
    """Stores, chat, clock and rules, picked in `bot.wiring`; tests pass their own."""

    db: Database
    work: Work
    clock: Clock
    new_id: Callable[[], str]
    channel: Channel
    inbox: InboxStore
    alerts: AlertStore
    attributions: AttributionStore
    incidents: IncidentStore
    timeline: TimelineStore
    changes: ChangeStore
    copies: CopyStore
    diagnoses: DiagnosisStore
    actions: ActionStore
    ledger: Ledger
    locks: LockStore
    errands: ErrandStore
    journal: JournalStore
    cards: CardStore
    charts: ChartStore
    belongings: BelongingStore
    switches: SwitchStore
    noise: NoiseStore
    tickets: TicketStore
    reach: ReachStore
    suggestions: SuggestionStore
    past: PastStore
    checks: CheckStore
    drafts: DraftStore
    topology: TopologyStore
    watches: WatchStore
    weights: WeightStore
    catalogue: Callable[[], Catalogue]
    routing: Callable[[], Routing]
    policies: Callable[[], Policies]
    library: Library
    sources: Sources = field(default_factory=Sources)
    evidence_sources: tuple[EvidenceSource, ...] = ()
    edge_sources: tuple[EdgeSource, ...] = ()
    live: LiveCatalogue | None = None  # where learned edges go, that `catalogue` answers with; None: nothing is learned
    change_sources: tuple[ChangeSource, ...] = ()
    deployers: Mapping[str, Deployer] = field(default_factory=dict)
    pagers: Mapping[str, Pager] = field(default_factory=dict)
    schedules: Mapping[str, Schedules] = field(default_factory=dict)
    responders: Mapping[str, Responder] = field(default_factory=dict)
    silence_sources: Mapping[str, SilenceSource] = field(default_factory=dict)
    trackers: Mapping[str, Tracker] = field(default_factory=dict)
    reviews: Mapping[str, Reviews] = field(default_factory=dict)
    probes: tuple[QueryProbe, ...] = ()
    model: Model | None = None
    vitals: Vitals = field(default_factory=Vitals)
    budgets: Budgets = Budgets()
    ticketing: Ticketing = Ticketing()
    limits: Limits = Limits()
    care: CareLimits = field(default_factory=CareLimits)
    drafting: Drafting = Drafting()
    draws: bool = True  # charts in the threads of incidents
    quiet: NoiseLimits = field(default_factory=NoiseLimits)
    noise_rules: Callable[[], NoiseRules] = NoiseRules
    watching: WatchLimits = field(default_factory=WatchLimits)
    decided: Counter[str] = field(
        default_factory=Counter
    )  # noise decisions of this process, by "<kind> acted" or "<kind> shadow"
    default_environment: str = "production"
    code_version: str = ""

    @property
    def number_sources(self) -> tuple[NumberSource, ...]:
        """Of the evidence sources those that are read with no incident: numbers alone."""
        return tuple(s for s in self.evidence_sources if isinstance(s, NumberSource) and s.numbers)
