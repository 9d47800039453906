"""The bot in a process that is there to be killed: everything that wiring builds, its durable work, Slack's door. Or an executor.

Time is short here: what waits for seconds or minutes in a life waits for fractions of them. What is waited for is the same.
"""

import argparse
import asyncio
import contextlib
import functools
import importlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from starlette.applications import Starlette

import bot.durable.worker
import bot.wire.rest
import bot.wiring
from bot.actions import execute, verify
from bot.commands import executor
from bot.commands.serve import _hear, collect_rarely
from bot.domain import errand
from bot.door.server import Server
from bot.durable.lease import Lease
from bot.durable.worker import Worker
from bot.executor import running, work
from bot.flows.runbooks.keeping_up import keep_up
from bot.settings import load_settings
from bot.slack.app import http_route
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.storage import database
from bot.wiring.executor import routes_of
from bot.wiring.work import queues
from tests.once.steps import Steps

LEASE, BEAT = 2.0, 0.5  # seconds
SHORT = timedelta(seconds=0.3)
PATIENCE = 6
CRASHES = 1000  # of one piece of work: on a busy machine a process loses its short lease without having died
BOT, EXECUTOR = "bot", "executor"
SETTLED = timedelta(seconds=2)

LATER = (  # what the bot imports when it needs it
    "anyio.streams.tls",
    "bot.executor.deployers",
    "bot.executor.https",
    "bot.executor.keys",
    "bot.executor.mailboxes",
    "bot.storage.listener",
    "bot.storage.migrations",
    "encodings.idna",
    "httpcore",
    "psycopg",
    "slack_bolt.listener_matcher.async_builtins",
    "uvicorn.lifespan.off",
)

Say = Callable[..., None]


def prepare() -> None:
    """What takes long to import or to read is there before anybody is born."""
    for name in LATER:
        importlib.import_module(name)
    bot.wire.rest._trusted()


def hurry() -> None:
    """Waits are short, and only a crash of the machine would lose what was committed; processes die here, not machines."""
    execute.FIRST_WAIT, execute.SLOWEST_WAIT, execute.PATIENCE = 0.05, 0.4, PATIENCE
    execute.UNCERTAIN_WAIT, execute.SETTLED = SHORT, SETTLED
    quick_pragmas: Any = tuple("synchronous=OFF" if p.startswith("synchronous") else p for p in database._PRAGMAS)
    database._PRAGMAS = quick_pragmas
    errand.LEASE = timedelta(seconds=LEASE)
    running.LEASE = errand.LEASE  # type: ignore[attr-defined]  # its own name for it
    work.PAUSES = (0.0, 0.1, 0.3, 0.6)
    verify.FIRST_WAIT, verify.SLOWEST_WAIT = 0.1, 0.3
    bot.durable.worker.Lease = functools.partial(Lease, lease=LEASE, beat=BEAT)  # type: ignore[attr-defined]  # its own name for it

    def quick(settings: Any) -> Any:
        return {name: replace(q, pace=min(q.pace, 0.05), first_wait=0.1, crashes=CRASHES) for name, q in queues(settings).items()}

    bot.wiring.queues = quick


def live(wanted: dict[str, Any], say: Say) -> int:
    """The bot, or the executor, of this folder, until it is told to stop or killed."""
    os.environ.update(wanted["environment"])
    hurry()
    collect_rarely()
    steps = Steps(wanted["steps"], tuple(wanted["fatal"]) if wanted.get("fatal") else None)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("alembic", "httpx", "slack_bolt", "slack_sdk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    steps.install()
    uvloop.run(_carry_out(wanted, say) if wanted["role"] == EXECUTOR else _live(wanted, say))
    return 0


async def _carry_out(wanted: dict[str, Any], say: Say) -> None:
    say(up=os.getpid(), port=0)
    await executor._run(argparse.Namespace(config=Path(wanted["folder"]), until_stdin_closes=False))


async def _live(wanted: dict[str, Any], say: Say) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load_settings(Path(wanted["folder"]))
    slack = settings.slack
    assert slack.bot_token is not None
    assert slack.signing_secret is not None
    one = bot.wiring.build(settings, SlackChannel(connect(slack.bot_token.get_secret_value(), slack.api_url), slack.link_hosts))
    worker = Worker(one.db, one.work, one.handlers)
    pages = Starlette(routes=[http_route(one.slack, slack.signing_secret.get_secret_value()), *routes_of(settings, one.desk)])
    listener = socket.create_server(("127.0.0.1", 0))
    web = Server(pages)
    tasks = [asyncio.create_task(worker.run()), asyncio.create_task(web.serve(sockets=[listener]))]
    tasks.append(asyncio.create_task(keep_up(one.desk)))
    if one.db.postgres:
        tasks.append(asyncio.create_task(_hear(one, _NoInbox())))  # type: ignore[arg-type]  # nothing is taken in here
    say(up=os.getpid(), port=listener.getsockname()[1])
    ended = asyncio.create_task(stop.wait())
    await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    await worker.stop(3)
    web.should_exit = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*tasks[:2]), 5)
    for task in tasks[2:]:
        task.cancel()
    one.db.close()


class _NoInbox:
    """Nobody sends webhooks."""

    def wake(self) -> None:
        """Nothing is there."""
