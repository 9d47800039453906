"""tocsin executor: the process that holds the deploy credentials, apart from the bot; its keys; what it lacks.

It is put together here and not in `bot.wiring`, whose import alone would bring Slack and models into this process.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from bot.commands import Commands, runs, stdin_closes
from bot.errors import BadSettings, BotError

if TYPE_CHECKING:
    from bot.executor.work import Bench
    from bot.ports import Deployer, Mailbox
    from bot.settings import Settings
    from bot.storage.database import SqlDatabase

log = logging.getLogger(__name__)
CONNECTIONS = 4  # to PostgreSQL
AGAIN = 2.0  # seconds between two looks whether the bot's database is there
PRIVATE, PUBLIC = "executor-signing.key", "executor-public.key"


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("executor", help="carry out what people approved, apart from the bot")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does (for programs that start it)"
    )
    parser.set_defaults(run=runs(_run))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    check = verbs.add_parser("check", help="ask each deployer what it lacks, and whether the bot can be reached")
    check.set_defaults(run=runs(_check))
    keygen = verbs.add_parser("keygen", help="make the pair of keys: the bot signs with one, an executor checks with the other")
    keygen.add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="where both are written (default: here)")
    keygen.set_defaults(run=_keygen)


async def _run(args: argparse.Namespace) -> int:
    from bot.executor.running import Executor  # slow: only this command pays for it

    settings = _settings(args)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("alembic", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    bench = _bench(settings)
    for text in _strangers(settings):
        log.warning("%s", text)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    if args.until_stdin_closes:
        closing = asyncio.create_task(stdin_closes())
        closing.add_done_callback(lambda _: stop.set())
    async with _mailbox(settings, tuple(bench.deployers), stop) as mailbox:
        if mailbox is None:
            return 0
        print(f"The executor is up: {', '.join(bench.deployers) or 'no deployer'}; errands from {_where(settings)}", flush=True)
        await Executor(mailbox, bench).run(stop)
    return 0


async def _check(args: argparse.Namespace) -> int:
    settings = _settings(args)
    bench = _bench(settings)
    found = [(False, "executor", text) for text in _strangers(settings)]
    if not bench.deployers:
        found.append((False, "executor", "tocsin.toml has no [deployers.NAME]; see docs/executor.md"))
    found += await asyncio.gather(*(_examined(name, deployer) for name, deployer in bench.deployers.items()))
    found.append(await _reached(settings, tuple(bench.deployers)))
    for good, subject, text in found:
        print(f"{'ok' if good else 'NO':3} {subject:14} {text}")
    return 0 if all(good for good, *_ in found) else 1


async def _examined(name: str, deployer: "Deployer") -> tuple[bool, str, str]:
    from bot.commands.deployers import examined  # as `tocsin doctor` does

    finding = await examined(name, deployer)
    return finding.ok, finding.subject, finding.text


async def _reached(settings: "Settings", deployers: tuple[str, ...]) -> tuple[bool, str, str]:
    stop = asyncio.Event()
    stop.set()  # what is not there now is not waited for
    try:
        async with _mailbox(settings, deployers, stop) as mailbox:
            if mailbox is None:
                return False, "bot", f"{_where(settings)} is not there yet: start the bot once"
            await mailbox.reach()
    except BotError as error:
        return False, "bot", f"{error} It was looked for at {_where(settings)}: does `tocsin serve` run there?"
    return True, "bot", f"errands can be had from {_where(settings)}"


def _keygen(args: argparse.Namespace) -> int:
    from bot.executor.keys import new_pair  # slow, as above

    private, public = new_pair()
    for name, text in ((PRIVATE, private), (PUBLIC, public)):
        _write(args.to / name, text)
    print(f"{args.to / PRIVATE}: for the bot alone, TOCSIN_EXECUTOR_SIGNING_KEY_FILE names it.")
    print(f"{args.to / PUBLIC}: for executors, TOCSIN_EXECUTOR_PUBLIC_KEY_FILE names it, or [executor] public_key is")
    print(f"  {public}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadSettings(f"{path} is there already; it is not overwritten. Move it, or name another folder: --to") from None
    except OSError as error:
        raise BadSettings(f"{path} cannot be written: {error.strerror}.") from None
    with open(number, "w", encoding="ascii") as file:
        file.write(text + "\n")


def _settings(args: argparse.Namespace) -> "Settings":
    from bot.settings import load_settings  # slow, as above

    return load_settings(args.config)


def _bench(settings: "Settings") -> "Bench":
    """What this executor works with. Raises BadSettings for a value that is wrong."""
    from bot.executor.deployers import made  # slow, as above
    from bot.executor.fences import Fences
    from bot.executor.keys import Verifier
    from bot.executor.work import Bench
    from connectors import CONNECTORS

    own = settings.executor
    if not own.public_key:
        raise BadSettings(
            "The executor has no key to check orders with: run `tocsin executor keygen`, "
            "then set TOCSIN_EXECUTOR_PUBLIC_KEY_FILE, or [executor] public_key."
        )
    fences = Fences(frozenset(own.services), frozenset(own.environments), own.least_approvals, own.starts_per_hour)
    deployers = made(settings.deployers, {c.name: c for c in CONNECTORS})
    return Bench(deployers, Verifier(own.public_key), fences, _now)


@asynccontextmanager
async def _mailbox(settings: "Settings", deployers: tuple[str, ...], stop: asyncio.Event) -> AsyncIterator["Mailbox | None"]:
    """The database, once the bot has made it, or the bot's door; None if `stop` came first."""
    from bot.executor.https import HttpsMailbox  # slow, as above
    from bot.executor.mailboxes import DatabaseMailbox
    from bot.storage.database import SqlDatabase
    from bot.storage.errands import SqlErrandStore

    own, name = settings.executor, f"{socket.gethostname()[:60]}-{uuid4().hex[:8]}"
    if own.url:
        if own.key is None:
            raise BadSettings(
                "[executor] url is set, but no key: TOCSIN_EXECUTOR_KEY_FILE names the file that the bot's does too."
            )
        yield HttpsMailbox(own.url, own.key.get_secret_value(), name, deployers)
        return
    db = SqlDatabase(settings.database, connections=CONNECTIONS)
    if not await _opened(db, stop):
        yield None
        return
    try:
        yield DatabaseMailbox(db, SqlErrandStore(), _now, name, deployers)
    finally:
        db.close()


async def _opened(db: "SqlDatabase", stop: asyncio.Event) -> bool:
    waiting = False
    while True:
        try:
            await asyncio.to_thread(db.open, beside=True)
        except BotError as error:
            if stop.is_set():
                return False
            if not waiting:
                log.warning("the bot's database is waited for: %s", error)
            waiting = True
        else:
            return True
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({stopping}, timeout=AGAIN)
        stopping.cancel()


def _strangers(settings: "Settings") -> list[str]:
    """What this process should not be able to read, and can."""
    slack = settings.slack
    found = {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "TOCSIN_MODEL_API_KEY": settings.model_api_key,
        "OPENAI_API_KEY": settings.openai_api_key,
        "ANTHROPIC_API_KEY": settings.anthropic_api_key,
        "TOCSIN_EXECUTOR_SIGNING_KEY": settings.executor.signing_key,
    }
    named = [name for name, value in found.items() if value is not None]
    return [f"{', '.join(named)}: the bot's alone; take it out of this process's environment and folder."] if named else []


def _where(settings: "Settings") -> str:
    from bot.storage.database import SqlDatabase  # slow, as above

    return settings.executor.url or str(SqlDatabase(settings.database))


def _now() -> datetime:
    return datetime.now(UTC)
