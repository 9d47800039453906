"""Everything is assembled here, and only here are concrete classes and vendors picked."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from uuid6 import uuid7

from bot import __version__
from bot.actions.policy import Policies, policies_file
from bot.domain.document import Document, DocumentKind
from bot.domain.service import Catalogue
from bot.durable.queues import DEFAULTS, Queue
from bot.durable.work import DurableWork
from bot.errors import BadSettings
from bot.flows import (
    announce,
    approval,
    command,
    execution,
    feedback,
    homepage,
    housekeeping,
    investigation,
    manual,
    ordering,
    pin,
    question,
    report,
    settling,
    suggestions,
    thinking,
)
from bot.flows.desk import Desk
from bot.incidents.routing import Routing, routing_file
from bot.intake.schedule import Daily, Every, Job
from bot.intake.web import Door
from bot.investigation.model.late import How
from bot.investigation.model.opening import open_model
from bot.investigation.model.telemetry import Telemetry
from bot.knowledge.chroma import ChromaFolder, ChromaServer, VectorStore
from bot.knowledge.documents import Source, markdown_folder
from bot.knowledge.embedder import NONE, open_embedder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.ports import (
    ChangeSource,
    Channel,
    Connector,
    Deployer,
    EvidenceSource,
    Handler,
    Model,
    Scalar,
    Transaction,
    WebhookSettings,
)
from bot.settings import Settings, load_settings
from bot.slack.app import App, build_app
from bot.slack.front import Stories as SlackStories
from bot.slack.socket import SocketMode
from bot.storage import inbox as inbox_store
from bot.storage import journal as journal_store
from bot.storage.actions import SqlActionStore
from bot.storage.alerts import SqlAlertStore
from bot.storage.cards import SqlCardStore
from bot.storage.changes import SqlChangeStore
from bot.storage.database import SqlDatabase
from bot.storage.diagnoses import SqlDiagnosisStore
from bot.storage.inbox import SqlInboxStore
from bot.storage.incidents import SqlIncidentStore, SqlTimelineStore
from bot.storage.journal import SqlJournalStore
from bot.storage.ledger import SqlLedger
from bot.storage.switches import SqlSwitchStore
from bot.topology.catalogue import catalogue_file
from bot.topology.rulefile import RuleFile
from connectors import CONNECTORS

T = TypeVar("T")
log = logging.getLogger(__name__)


def stories() -> SlackStories:
    """The flows that Slack's requests lead to."""
    return SlackStories(
        on_command=command.on_command,
        on_question=question.on_question,
        on_approval=approval.on_press,
        on_feedback=feedback.on_press,
        on_card=command.on_press,
        home=homepage.home,
        suggestions=suggestions.suggestions,
        services=ordering.services,
        order_form=ordering.order_form,
        check_order=ordering.check_order,
        on_order=ordering.on_order,
        on_opening=manual.open_by_hand,
        on_pin=pin.on_pin,
    )


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stores:
    """One store per aggregate, all on one database."""

    inbox: SqlInboxStore = field(default_factory=SqlInboxStore)
    alerts: SqlAlertStore = field(default_factory=SqlAlertStore)
    incidents: SqlIncidentStore = field(default_factory=SqlIncidentStore)
    timeline: SqlTimelineStore = field(default_factory=SqlTimelineStore)
    changes: SqlChangeStore = field(default_factory=SqlChangeStore)
    diagnoses: SqlDiagnosisStore = field(default_factory=SqlDiagnosisStore)
    actions: SqlActionStore = field(default_factory=SqlActionStore)
    ledger: SqlLedger = field(default_factory=SqlLedger)
    journal: SqlJournalStore = field(default_factory=SqlJournalStore)
    cards: SqlCardStore = field(default_factory=SqlCardStore)
    switches: SqlSwitchStore = field(default_factory=SqlSwitchStore)


def rules(settings: Settings) -> tuple[RuleFile[Catalogue], RuleFile[Routing], RuleFile[Policies]]:
    """The files that people review. Raises BadSettings with every fault and its line."""
    return (
        catalogue_file(settings.path("services.yaml"), settings.backstage),
        routing_file(settings.path("routing.yaml"), settings.zone),
        policies_file(settings.path("policies.yaml")),
    )


@dataclass(frozen=True, slots=True)
class Vendors:
    """What the configured connectors can do; `doors` are those that receive webhooks."""

    doors: Mapping[str, Door]
    evidence: tuple[EvidenceSource, ...]
    changes: tuple[ChangeSource, ...]
    deployers: Mapping[str, Deployer]


def vendors(settings: Settings) -> Vendors:
    """Every connector with its own settings. Raises BadSettings naming the connector, the value and what would do."""
    known = {c.name: c for c in CONNECTORS}
    for name in settings.connectors:
        if name not in known:
            raise BadSettings(f"There is no connector {name!r}; there are {', '.join(known)}. See [connectors.*] in tocsin.toml.")
    own = {name: _own_settings(c, settings.connectors.get(name, {})) for name, c in known.items()}
    known = {n: replace(c, webhook=c.configured(own[n])) if c.configured else c for n, c in known.items()}
    evidence = [c.evidence(own[n]) for n, c in known.items() if c.evidence and n in settings.connectors]
    changes = [c.changes(own[n]) for n, c in known.items() if c.changes and n in settings.connectors]
    return Vendors(
        doors={n: Door(c, s) for n, c in known.items() if c.webhook and isinstance(s := own[n], WebhookSettings)},
        evidence=tuple(e for e in evidence if e is not None),
        changes=tuple(c for c in changes if c is not None),
        deployers={name: _deployer(name, values, known) for name, values in settings.deployers.items()},
    )


def _own_settings(connector: Connector, values: Mapping[str, object]) -> BaseModel:
    try:
        return connector.settings.model_validate(values) if values else connector.settings.model_construct()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"[connectors.{connector.name}] {where}: {first['msg']}. {connector.help}") from None


def _deployer(name: str, values: Mapping[str, object], known: Mapping[str, Connector]) -> Deployer:
    kind = str(values.get("kind", ""))
    kinds = [n for n, c in known.items() if c.deployer]
    if kind not in kinds:
        raise BadSettings(f"[deployers.{name}] kind is {kind!r}; it has to be one of {', '.join(kinds)}.")
    make = known[kind].deployer
    assert make is not None  # noqa: S101  `kinds` holds only those that have one
    return make({k: v for k, v in values.items() if k != "kind"})


def library_of(settings: Settings, confirmed: Source | None = None) -> Library:
    """The runbooks and past incidents of the settings' folders, with the incidents that people confirmed."""
    sources: list[Source] = [
        *(markdown_folder(settings.path(f), DocumentKind.RUNBOOK) for f in settings.knowledge.runbooks),
        *(markdown_folder(settings.path(f), DocumentKind.INCIDENT) for f in settings.knowledge.incidents),
        *([confirmed] if confirmed else []),
    ]
    name = settings.knowledge.embedder
    index = None if name == NONE else VectorIndex(vector_store(settings), partial(open_embedder, name))
    return Library(sources, index)


def vector_store(settings: Settings) -> VectorStore:
    """Where the vectors are kept: a server if one is named, else a folder beside the database."""
    knowledge = settings.knowledge
    if not knowledge.vector_url:
        return ChromaFolder(settings.data / "vectors")
    return ChromaServer(knowledge.vector_url, knowledge.vector_token.get_secret_value() if knowledge.vector_token else "")


@dataclass(frozen=True, slots=True)
class Bot:
    """The assembled bot: the desk, its durable work and the handlers that wiring gave names to."""

    settings: Settings
    db: SqlDatabase
    work: DurableWork
    desk: Desk
    doors: Mapping[str, Door]
    handlers: Mapping[str, Handler]
    slack: App
    socket_mode: SocketMode | None  # None: Slack's requests come by signed HTTP
    telemetry: Telemetry | None = None


def jobs(settings: Settings) -> list[Job]:
    """What the clock starts."""
    return [
        Job("digest", Daily(time.fromisoformat(settings.digest_at), settings.zone), queue="slack"),
        Job("remind", Every(timedelta(minutes=15)), {"hours": settings.incidents.remind_hours}, queue="slack"),
        Job("sync_knowledge", Every(timedelta(minutes=10))),
        Job("sweep", Every(timedelta(minutes=5))),
    ]


def queues(settings: Settings) -> Mapping[str, Queue]:
    """The queues' rules; a question to a model, which may be asked twice, ends by the model's own limit first."""
    patient = replace(DEFAULTS["model"], timeout=max(DEFAULTS["model"].timeout, 2 * settings.model_timeout_seconds + 60))
    return {**DEFAULTS, "model": patient}


def build(settings: Settings, channel: Channel) -> Bot:
    """The bot for these settings, speaking through this channel; opens (and migrates) the database.

    Raises BadSettings for any wrong value before anything is started.
    """
    catalogue, routing, policies = rules(settings)
    able = vendors(settings)
    model, telemetry = model_of(settings), telemetry_of(settings)
    stores = Stores()
    work = DurableWork(queues(settings))
    db = SqlDatabase(settings.database)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds raw bodies: nobody else reads them
    db.open()
    desk = Desk(
        db=db,
        work=work,
        clock=utc_now,
        new_id=lambda: str(uuid7()),
        channel=channel,
        inbox=stores.inbox,
        alerts=stores.alerts,
        incidents=stores.incidents,
        timeline=stores.timeline,
        changes=stores.changes,
        diagnoses=stores.diagnoses,
        actions=stores.actions,
        ledger=stores.ledger,
        journal=stores.journal,
        cards=stores.cards,
        switches=stores.switches,
        catalogue=lambda: catalogue.current,
        routing=lambda: routing.current,
        policies=lambda: policies.current,
        library=library_of(settings, lambda: db.read_now(partial(confirmed_incidents, stores=stores))),
        evidence_sources=able.evidence,
        change_sources=able.changes,
        deployers=able.deployers,
        model=telemetry.traced(model) if telemetry and model else model,
        budgets=settings.budgets,
        limits=settings.limits,
        default_environment=settings.environment,
        code_version=__version__,
    )
    app, socket_mode = slack_app(desk, settings)
    return Bot(settings, db, work, desk, able.doors, handlers(desk, work, settings), app, socket_mode, telemetry)


def telemetry_of(settings: Settings) -> Telemetry | None:
    """The way to an OpenTelemetry collector, where one is set. Raises BadSettings."""
    own = settings.telemetry
    if not own.otlp_endpoint:
        return None
    headers = own.otlp_headers.get_secret_value() if own.otlp_headers else ""
    return Telemetry(own.otlp_endpoint, headers, version=__version__)


def model_of(settings: Settings) -> Model | None:
    """The configured language model; None, and no part of LangChain loaded, where none is. Raises BadSettings."""
    if not settings.model:
        return None
    first = _how(settings, settings.model, settings.model_url, settings.model_api_key)
    if not settings.model_fallback:
        return open_model(first)
    same = settings.model_fallback.partition(":")[0] == settings.model.partition(":")[0]
    url = settings.model_fallback_url or (settings.model_url if same else "")
    key = settings.model_fallback_api_key or (settings.model_api_key if same else None)
    return open_model(first, _how(settings, settings.model_fallback, url, key))


def _how(settings: Settings, name: str, url: str, key: SecretStr | None) -> How:
    vendors_own = {"openai": settings.openai_api_key, "anthropic": settings.anthropic_api_key}
    return How(
        name,
        url,
        key or vendors_own.get(name.partition(":")[0]),
        settings.model_small,
        settings.model_context,
        timedelta(seconds=settings.model_timeout_seconds),
    )


def slack_app(desk: Desk, settings: Settings) -> tuple[App, SocketMode | None]:
    """The app that hears Slack: over a socket where there is an app token, else over signed HTTP."""
    slack = settings.slack
    app = build_app(
        desk,
        stories(),
        bot_token=slack.bot_token.get_secret_value() if slack.bot_token else "",
        signing_secret=slack.signing_secret.get_secret_value() if slack.signing_secret else "",
        api_url=slack.api_url,
        link_hosts=slack.link_hosts,
        pin_emoji=slack.pin_emoji.strip(":"),
    )
    if slack.app_token is None:
        return app, None
    return app, SocketMode(app, slack.app_token.get_secret_value(), slack.api_url)


def confirmed_incidents(tx: Transaction, stores: Stores) -> list[Document]:
    """The incidents whose cause a person confirmed, as knowledge."""
    return [
        feedback.past_document(tx, i, stores.diagnoses, stores.actions)
        for i in stores.incidents.recent(tx, 5000)
        if i.confirmed_cause
    ]


def _for(flow: Callable[[Mapping[str, Scalar], Desk], Awaitable[None]], desk: Desk) -> Handler:
    return lambda args: flow(args, desk)


def handlers(desk: Desk, work: DurableWork, settings: Settings) -> Mapping[str, Handler]:
    """The flows that durable work starts, by name."""
    keep = settings.retention
    forget: Mapping[housekeeping.Forget, timedelta] = {
        inbox_store.prune: timedelta(days=keep.raw_days),
        SqlAlertStore().forget: timedelta(days=keep.alert_days),
        journal_store.prune: timedelta(days=keep.journal_days),
        work.purge: timedelta(days=1),
    }
    return {
        "refresh": _for(announce.refresh, desk),
        "first_card": _for(announce.first_card, desk),
        "investigate": _for(investigation.investigate, desk),
        "think": _for(thinking.think, desk),
        "answer": _for(question.answer, desk),
        "settle": _for(settling.settle, desk),
        "execute": _for(execution.execute, desk),
        "verify_action": _for(execution.verify, desk),
        "expire_action": _for(execution.expire, desk),
        "call_for_help": _for(execution.call_for_help, desk),
        "opened_by_hand": _for(manual.opened_by_hand, desk),
        "pin": _for(pin.pin, desk),
        "refresh_home": _for(homepage.refresh_home, desk),
        "digest": _for(report.digest, desk),
        "remind": _for(report.remind, desk),
        "sync_knowledge": _for(housekeeping.sync_knowledge, desk),
        "sweep": lambda args: housekeeping.sweep(args, desk, forget),
    }


def ask(folder: Path, work: Callable[[Stores, Transaction], T]) -> T:
    """Read in one transaction, beside a running bot; for commands."""
    return beside(folder, lambda db: db.read_now(lambda tx: work(Stores(), tx)))


def beside(folder: Path, work: Callable[[SqlDatabase], T]) -> T:
    """Use the database beside a running bot; for commands."""
    db = SqlDatabase(load_settings(folder).database)
    db.open(beside=True)
    try:
        return work(db)
    finally:
        db.close()
