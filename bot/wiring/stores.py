"""One store per aggregate, and the database beside a running bot, for commands."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bot.errors import BadSettings
from bot.ports import Transaction
from bot.settings import Settings, load_settings
from bot.storage.actions import SqlActionStore
from bot.storage.alerts import SqlAlertStore
from bot.storage.attribution import SqlAttributionStore
from bot.storage.belongings import SqlBelongingStore
from bot.storage.cards import SqlCardStore
from bot.storage.care import SqlCheckStore, SqlDraftStore
from bot.storage.changes import SqlChangeStore
from bot.storage.charts import SqlChartStore
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from bot.storage.diagnoses import SqlDiagnosisStore
from bot.storage.errands import SqlErrandStore
from bot.storage.inbox import SqlInboxStore
from bot.storage.incidents import SqlIncidentStore, SqlTimelineStore
from bot.storage.journal import SqlJournalStore
from bot.storage.ledger import SqlLedger
from bot.storage.locks import SqlLockStore
from bot.storage.noise import SqlNoiseStore
from bot.storage.past import SqlPastStore
from bot.storage.reach import SqlReachStore
from bot.storage.suggestions import SqlSuggestionStore
from bot.storage.switches import SqlSwitchStore
from bot.storage.tickets import SqlTicketStore
from bot.storage.topology import SqlTopologyStore
from bot.storage.watches import SqlWatchStore
from bot.storage.weights import SqlWeightStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stores:
    """One store per aggregate, all on one database."""

    inbox: SqlInboxStore = field(default_factory=SqlInboxStore)
    alerts: SqlAlertStore = field(default_factory=SqlAlertStore)
    attributions: SqlAttributionStore = field(default_factory=SqlAttributionStore)
    incidents: SqlIncidentStore = field(default_factory=SqlIncidentStore)
    timeline: SqlTimelineStore = field(default_factory=SqlTimelineStore)
    changes: SqlChangeStore = field(default_factory=SqlChangeStore)
    copies: SqlCopyStore = field(default_factory=SqlCopyStore)
    diagnoses: SqlDiagnosisStore = field(default_factory=SqlDiagnosisStore)
    actions: SqlActionStore = field(default_factory=SqlActionStore)
    ledger: SqlLedger = field(default_factory=SqlLedger)
    locks: SqlLockStore = field(default_factory=SqlLockStore)
    errands: SqlErrandStore = field(default_factory=SqlErrandStore)
    journal: SqlJournalStore = field(default_factory=SqlJournalStore)
    cards: SqlCardStore = field(default_factory=SqlCardStore)
    charts: SqlChartStore = field(default_factory=SqlChartStore)
    belongings: SqlBelongingStore = field(default_factory=SqlBelongingStore)
    switches: SqlSwitchStore = field(default_factory=SqlSwitchStore)
    noise: SqlNoiseStore = field(default_factory=SqlNoiseStore)
    tickets: SqlTicketStore = field(default_factory=SqlTicketStore)
    topology: SqlTopologyStore = field(default_factory=SqlTopologyStore)
    watches: SqlWatchStore = field(default_factory=SqlWatchStore)
    weights: SqlWeightStore = field(default_factory=SqlWeightStore)
    reach: SqlReachStore = field(default_factory=SqlReachStore)
    suggestions: SqlSuggestionStore = field(default_factory=SqlSuggestionStore)
    past: SqlPastStore = field(default_factory=SqlPastStore)
    checks: SqlCheckStore = field(default_factory=SqlCheckStore)
    drafts: SqlDraftStore = field(default_factory=SqlDraftStore)


def ask(folder: Path, work: Callable[[Stores, Transaction], T]) -> T:
    """Read in one transaction, beside a running bot; for commands."""
    return beside(folder, lambda db: db.read_now(lambda tx: work(Stores(), tx)))


def beside(folder: Path, work: Callable[[SqlDatabase], T], *, make: bool = False) -> T:
    """Use the database beside a running bot; for commands. With `make` it is made where there is none yet."""
    db = opened(load_settings(folder), make=make)
    try:
        return work(db)
    finally:
        db.close()


def opened(settings: Settings, *, make: bool = False) -> SqlDatabase:
    """The database, open beside a running bot. Raises BadSettings saying what is in the way."""
    db = SqlDatabase(settings.database)
    try:
        db.open(beside=True)
    except BadSettings:
        if not make:
            raise
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        db.open()  # the first time, or after an update
    return db
