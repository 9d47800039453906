"""tocsin serve: the bot, until Ctrl-C or SIGTERM. Its door is a process of its own, which it starts and keeps."""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bot.commands import Commands, stdin_closes
from bot.commands.spans import open_span_door, senders_token
from bot.errors import BadSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from bot.door.keeper import Keeper
    from bot.door.server import Server
    from bot.durable.worker import Worker
    from bot.intake.inbox import Drain
    from bot.intake.meters import Meters
    from bot.intake.selfcheck import Probe, SelfCheck
    from bot.settings import Settings
    from bot.wiring import Bot

log = logging.getLogger(__name__)
SWITCH = 0.0005  # seconds that a busy thread keeps the interpreter while others wait; Python's own is ten times that
M_ARENA_MAX = -8  # of glibc's malloc.h
RARELY = (50_000, 20, 50)  # a look at an incident makes millions of values, hardly any in circles
GRACE = 8.0  # seconds that running work gets at the end


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="run the bot")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does (for programs that start it)"
    )
    parser.set_defaults(run=lambda args: uvloop.run(_run(args)))


async def _run(args: argparse.Namespace) -> int:
    collect_rarely()
    _one_heap()
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it

    settings = load_settings(args.config)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("alembic", "httpx", "chromadb", "apscheduler", "slack_bolt", "slack_sdk", "sentence_transformers"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    waits: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
    if args.until_stdin_closes:
        waits.append(asyncio.create_task(stdin_closes()))
    async with running(settings, say=lambda line: print(line, flush=True)) as parts:
        await asyncio.wait([*waits, *parts], return_when=asyncio.FIRST_COMPLETED)
        failed = [part for part in parts if part.done()]
    for part in failed:
        log.critical("a part of the bot ended by itself: %s", part.get_name(), exc_info=part.exception())
    return 1 if failed else 0


def collect_rarely() -> None:
    """The collector looks for circles of values a seventieth as often: a diagnosis takes two thirds of the time."""
    gc.set_threshold(*RARELY)


def _one_heap() -> None:
    """All threads share one heap: by itself glibc gives each its own, and what large batches leave in them stays resident."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # other libraries have no such thing
        mallopt(M_ARENA_MAX, 1)


@contextlib.asynccontextmanager
async def running(settings: "Settings", say: Callable[[str], None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """The bot runs while this is entered; the tasks it gives are not meant to end."""
    from bot.door.keeper import Keeper, arrivals  # slow, as above
    from bot.door.orders import Orders
    from bot.door.server import Server, listen
    from bot.durable.worker import Worker
    from bot.flows.mapping.following import follow_topology
    from bot.flows.runbooks.keeping_up import keep_up
    from bot.intake.inbox import Drain
    from bot.intake.meters import Meters
    from bot.intake.schedule import Clockwork
    from bot.intake.watching import Watching
    from bot.slack.channel import SlackChannel
    from bot.slack.client import connect
    from bot.wiring import build, jobs, told
    from bot.wiring.pages import link_hosts

    slack = settings.slack
    if slack.bot_token is None:
        raise BadSettings("SLACK_BOT_TOKEN is not set. `tocsin workspace` gives you a local workspace to start with.")
    if settings.topology.otlp_port:
        senders_token(settings)
    async with contextlib.AsyncExitStack() as end:
        listener = end.enter_context(listen(settings.host, settings.port))
        house = Path(end.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-", ignore_cleanup_errors=True)), "house")
        channel = SlackChannel(connect(slack.bot_token.get_secret_value(), slack.api_url), link_hosts(settings))
        bot = build(settings, channel)
        end.callback(bot.db.close)
        end.callback(bot.desk.library.close)
        if bot.telemetry is not None:
            end.callback(bot.telemetry.close)
        meters = Meters()
        meters.watch(
            "tocsin_noise_decisions",
            "Alerts that were held, or would have been, by kind, since this process began.",
            "decision",
            lambda: dict(bot.desk.decided),
        )
        meters.watch(
            "tocsin_knowledge_vectors",
            "Vectors of runbooks and past incidents that are being made: how many are, of how many; 0 while none are.",
            "state",
            lambda: dict(zip(("made", "wanted"), map(float, bot.desk.library.making), strict=True)),
        )
        drain = Drain(bot.desk, bot.readers, told(), meters=meters)
        worker = Worker(bot.db, bot.work, bot.handlers)
        web = Server(_pages(bot, drain, worker, meters), str(house))
        keeper = Keeper(
            listener,
            Orders(
                settings.database,
                settings.connectors,
                str(house),
                settings.intake.max_body_bytes,
                settings.intake.max_waiting,
                settings.log_level,
            ),
            arrivals(drain.wake),
        )
        tasks = [
            asyncio.create_task(worker.run(), name="durable work"),
            asyncio.create_task(drain.run(), name="inbox"),
            asyncio.create_task(web.serve(), name="pages"),
            asyncio.create_task(keeper.run(), name="door"),
        ]
        end.push_async_callback(_finish, list(tasks), keeper, web, drain, worker)
        if bot.db.postgres:
            hearing = asyncio.create_task(_hear(bot, drain), name="notifications")
            tasks.append(hearing)
            end.callback(hearing.cancel)
        watching = None
        if bot.watchers:
            watching = Watching(bot.desk, bot.watchers, bot.readers, meters, settings.intake.max_waiting, drain.wake)
            tasks.append(asyncio.create_task(watching.run(), name="watchers"))
            end.callback(tasks[-1].cancel)
        if bot.socket_mode is not None:
            await bot.socket_mode.start()
            end.push_async_callback(bot.socket_mode.stop)
        knowledge = asyncio.create_task(keep_up(bot.desk), name="knowledge")
        tasks.append(knowledge)
        end.callback(knowledge.cancel)
        spans = await open_span_door(bot, end, tasks) if settings.topology.otlp_port else None
        tasks.append(asyncio.create_task(follow_topology(bot.desk), name="topology"))
        end.callback(tasks[-1].cancel)
        checking = asyncio.create_task(
            _selfcheck(
                bot, drain, worker, keeper, {**(watching.probes() if watching else {}), **({"spans": spans} if spans else {})}
            ).run(),
            name="self-check",
        )
        tasks.append(checking)
        end.callback(checking.cancel)
        clockwork = Clockwork(bot.db, bot.work, jobs(settings))
        clockwork.start()
        end.push_async_callback(clockwork.stop)
        await _up(bot, keeper)
        say(f"The bot is up: webhooks at http://{settings.host}:{settings.port}/webhooks/<connector>")
        yield tasks


def _selfcheck(bot: "Bot", drain: "Drain", worker: "Worker", keeper: "Keeper", watchers: "Mapping[str, Probe]") -> "SelfCheck":
    """What looks after the parts of the bot."""
    from datetime import timedelta

    from bot.executor.remote import RemoteDeployers  # slow, as above
    from bot.intake.selfcheck import SelfCheck

    async def database() -> str:
        await bot.db.read(bot.desk.inbox.waiting)
        return ""

    async def door() -> str:
        return keeper.trouble()

    async def inbox() -> str:
        return "" if drain.healthy else "nothing was drained for 30 s"

    async def work() -> str:
        return "" if worker.healthy else "no turn was made for 30 s"

    async def slack() -> str:
        connected = bot.socket_mode is None or await bot.socket_mode.connected()
        return "" if connected else "the socket is not connected"

    async def messages() -> str:
        waiting = await bot.db.read(lambda tx: bot.work.list(tx, state="ready", queue="slack", limit=200))
        now = bot.work.clock()
        late = [i for i in waiting if i.attempts >= 3 and now - i.created_at > 120 and i.name != "part_report"]
        return f"{len(late)} messages could not be posted for two minutes" if late else ""

    async def knowledge() -> str:
        return bot.desk.library.trouble or bot.desk.sources.trouble

    remote = bot.desk.deployers
    health = bot.settings.health
    return SelfCheck(
        bot.desk,
        {
            "database": database,
            "door": door,
            "inbox": inbox,
            "durable work": work,
            "Slack's connection": slack,
            "posting to Slack": messages,
            "knowledge": knowledge,
            **({"executor": remote.dispatch.trouble} if isinstance(remote, RemoteDeployers) else {}),
            **watchers,
        },
        grace=timedelta(seconds=health.grace_seconds),
        vital=("database", "door", "inbox", "durable work", "Slack's connection", "posting to Slack"),
        heartbeat=health.heartbeat_url.get_secret_value() if health.heartbeat_url else "",
        every=timedelta(seconds=health.heartbeat_seconds),
    )


async def _hear(bot: "Bot", drain: "Drain") -> None:
    """What other replicas commit wakes this one at once; while that is interrupted, looking now and then does."""
    from bot.durable.work import CHANNEL  # slow, as above
    from bot.storage.inbox import ARRIVED

    def heard(now: bool) -> None:
        bot.work.notified = now

    await bot.db.listen({CHANNEL: bot.work.wake, ARRIVED: drain.wake}, heard)


async def _finish(tasks: list["asyncio.Task[None]"], keeper: "Keeper", web: "Server", drain: "Drain", worker: "Worker") -> None:
    """The door closes first, then what runs gets a moment, then everything has ended."""
    await keeper.stop()
    web.should_exit = True
    drain.stop()
    await worker.stop(GRACE)
    await asyncio.wait(tasks, timeout=GRACE)


async def _up(bot: "Bot", keeper: "Keeper") -> None:
    """Returns once the door is open and Slack is connected; Slack being down does not hold the door shut."""
    for _ in range(100):
        connected = bot.socket_mode is None or await bot.socket_mode.connected()
        if keeper.up.is_set() and connected:
            return
        await asyncio.sleep(0.1)
    if not keeper.up.is_set():
        log.warning("the door is not open yet; what is sent waits in the port's queue")
        return
    log.warning("slack is not connected yet; alerts are taken in, cards follow")


def _pages(bot: "Bot", drain: "Drain", worker: "Worker", meters: "Meters") -> "Starlette":
    """What the door sends on to us: health, counters, and Slack's requests where it speaks HTTP."""
    from bot.intake.house import create_house  # slow, as above
    from bot.slack.app import http_route
    from bot.wiring.executor import routes_of

    pages = create_house(
        bot.desk,
        meters,
        {
            "inbox": lambda: drain.healthy,
            "durable work": lambda: worker.healthy,
            "knowledge": lambda: bot.desk.library.ready,
        },
    )
    pages.router.routes += routes_of(bot.settings, bot.desk)
    secret = bot.settings.slack.signing_secret
    if bot.socket_mode is None:
        pages.router.routes.append(http_route(bot.slack, secret.get_secret_value() if secret else ""))
    return pages
