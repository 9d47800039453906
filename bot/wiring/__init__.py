"""Everything is assembled here, and only in this room are concrete classes and vendors picked. `build` is the whole.

stores     one store per aggregate; the database beside a running bot
vendors    connectors with their settings; executor: deployers that are elsewhere
knowledge  runbooks, past incidents, vectors
models     the language model and its traces
work       flows by name: durable work, clock, Slack
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from uuid6 import uuid7

from bot import __version__
from bot.actions.policy import Policies, policies_file
from bot.domain.service import Catalogue
from bot.durable.work import DurableWork
from bot.flows.desk import Desk
from bot.flows.reaching.oncall import Remembering
from bot.incidents.noise.rules import noise_file
from bot.incidents.routing import Routing, routing_file
from bot.intake.web import Door
from bot.investigation.model.telemetry import Telemetry
from bot.knowledge.sources import Sources
from bot.ports import Channel, Connector, Handler, Watcher
from bot.settings import Settings
from bot.slack.app import App, build_app
from bot.slack.socket import SocketMode
from bot.storage.database import SqlDatabase
from bot.topology.catalogue import catalogue_file
from bot.topology.current import LiveCatalogue
from bot.topology.minutes import MinuteEdges
from bot.topology.rulefile import RuleFile
from bot.wiring.beside import library_beside, records_beside
from bot.wiring.executor import deployers_of
from bot.wiring.knowledge import DatabaseTurn, confirmed_incidents, embedder_of, library_of, vector_store
from bot.wiring.models import model_of, telemetry_of
from bot.wiring.pages import link_hosts
from bot.wiring.sources import links, origins
from bot.wiring.stores import Stores, ask, beside
from bot.wiring.vendors import Vendors, described, drafting, heard_channels, vendors
from bot.wiring.work import handlers, jobs, queues, stories, told

__all__ = [
    "Bot",
    "Stores",
    "Vendors",
    "ask",
    "beside",
    "build",
    "confirmed_incidents",
    "embedder_of",
    "handlers",
    "jobs",
    "library_beside",
    "library_of",
    "model_of",
    "queues",
    "records_beside",
    "rules",
    "slack_app",
    "stories",
    "telemetry_of",
    "told",
    "utc_now",
    "vector_store",
    "vendors",
]


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def rules(settings: Settings) -> tuple[RuleFile[Catalogue], RuleFile[Routing], RuleFile[Policies]]:
    """The files that people review. Raises BadSettings with every fault and its line."""
    return (
        catalogue_file(settings.path("services.yaml"), settings.backstage),
        routing_file(settings.path("routing.yaml"), settings.zone),
        policies_file(settings.path("policies.yaml")),
    )


@dataclass(frozen=True, slots=True)
class Bot:
    """The assembled bot: the desk, its durable work and the handlers that wiring gave names to."""

    settings: Settings
    db: SqlDatabase
    work: DurableWork
    desk: Desk
    doors: Mapping[str, Door]
    readers: Mapping[str, Connector]  # who can read what the inbox holds
    watchers: Mapping[str, Watcher]
    handlers: Mapping[str, Handler]
    slack: App
    socket_mode: SocketMode | None  # None: Slack's requests come by signed HTTP
    telemetry: Telemetry | None = None


def build(settings: Settings, channel: Channel) -> Bot:
    """The bot for these settings, speaking through this channel; opens (and migrates) the database.

    Raises BadSettings for any wrong value before anything is started.
    """
    catalogue, routing, policies = rules(settings)
    noise = noise_file(settings.path("noise.yaml"), settings.zone)
    able = vendors(settings)
    model, telemetry = model_of(settings), telemetry_of(settings)
    named, pages, drafts_to = origins(settings), links(settings), drafting(settings)
    stores = Stores()
    work = DurableWork(queues(settings))
    db = SqlDatabase(settings.database)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds raw bodies: nobody else reads them
    db.open()
    sources = Sources(named, db, stores.copies, utc_now, pages)
    live = LiveCatalogue(lambda: catalogue.current, settings.topology.learned, timedelta(days=settings.topology.fade_days))
    counted = (MinuteEdges(db, stores.topology),) if settings.topology.otlp_port else ()
    desk = Desk(
        db=db,
        work=work,
        clock=utc_now,
        new_id=lambda: str(uuid7()),
        channel=channel,
        inbox=stores.inbox,
        alerts=stores.alerts,
        attributions=stores.attributions,
        incidents=stores.incidents,
        timeline=stores.timeline,
        changes=stores.changes,
        copies=stores.copies,
        diagnoses=stores.diagnoses,
        actions=stores.actions,
        ledger=stores.ledger,
        locks=stores.locks,
        errands=stores.errands,
        journal=stores.journal,
        cards=stores.cards,
        charts=stores.charts,
        belongings=stores.belongings,
        switches=stores.switches,
        noise=stores.noise,
        tickets=stores.tickets,
        reach=stores.reach,
        suggestions=stores.suggestions,
        past=stores.past,
        checks=stores.checks,
        drafts=stores.drafts,
        topology=stores.topology,
        watches=stores.watches,
        weights=stores.weights,
        catalogue=live,
        live=live,
        routing=lambda: routing.current,
        policies=lambda: policies.current,
        library=library_of(
            settings,
            lambda: db.read_now(partial(confirmed_incidents, stores=stores, catalogue=lambda: catalogue.current)),
            DatabaseTurn(db, utc_now) if db.postgres else None,
            sources.documents,
            db,
        ),
        sources=sources,
        evidence_sources=(*described(able.evidence, lambda: catalogue.current), *counted),
        edge_sources=(*able.edges, *counted),
        change_sources=able.changes,
        deployers=deployers_of(settings, able.deployers, db, lambda: catalogue.current),
        pagers=able.pagers,
        schedules={name: Remembering(one, utc_now) for name, one in able.schedules.items()},
        responders=able.responders,
        silence_sources=able.silences,
        trackers=able.trackers,
        reviews=able.reviews,
        model=telemetry.traced(model) if telemetry and model else model,
        budgets=settings.budgets,
        ticketing=settings.ticketing,
        limits=settings.limits,
        care=settings.care,
        drafting=drafts_to,
        draws=settings.slack.charts,
        probes=able.probes,
        quiet=settings.quiet,
        watching=settings.watching,
        noise_rules=lambda: noise.current,
        default_environment=settings.environment,
        code_version=__version__,
    )
    app, socket_mode = slack_app(desk, settings)
    return Bot(
        settings,
        db,
        work,
        desk,
        able.doors,
        able.readers,
        able.watchers,
        handlers(desk, work, settings),
        app,
        socket_mode,
        telemetry,
    )


def slack_app(desk: Desk, settings: Settings) -> tuple[App, SocketMode | None]:
    """The app that hears Slack: over a socket where there is an app token, else over signed HTTP."""
    slack = settings.slack
    app = build_app(
        desk,
        stories(heard_channels(settings)),
        bot_token=slack.bot_token.get_secret_value() if slack.bot_token else "",
        signing_secret=slack.signing_secret.get_secret_value() if slack.signing_secret else "",
        api_url=slack.api_url,
        link_hosts=link_hosts(settings),
        pin_emoji=slack.pin_emoji.strip(":"),
    )
    if slack.app_token is None:
        return app, None
    return app, SocketMode(app, slack.app_token.get_secret_value(), slack.api_url)
