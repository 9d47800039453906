"""A bot alone with a workspace, as every measurement finds it."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot.commands.loopback import free_port
from bot.commands.staging import clean_environment, start_bot, start_workspace

SERVICE = "  - {{name: svc{n}, owner: team}}\n"
TOML = """
[incidents]
settle_seconds = 3600
[connectors.alertmanager]
"""
SECRET = "bench-secret"


@dataclass(frozen=True, slots=True)
class Bench:
    """A bot alone with a workspace: where its alerts go in, where people read, its process, its folder and database."""

    door: str
    page: str
    pid: int
    log: Path
    session: aiohttp.ClientSession
    database: str = ""


def say(line: str) -> None:
    """Progress, on stderr."""
    print(f"  {line}", file=sys.stderr, flush=True)


def family(pid: int) -> list[int]:
    """A process and all that it started, and those: the bot and its door."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def rss(pid: int, which: str = "VmRSS") -> float:
    """Resident memory of a process and its children in MiB now; the sum of their peaks with `VmHWM`."""
    kib = 0
    for one in family(pid):
        status = Path(f"/proc/{one}/status").read_text()
        kib += int(status.split(f"{which}:")[1].split()[0])
    return round(kib / 1024, 1)


@contextlib.asynccontextmanager
async def bench(services: int, **settings: str) -> AsyncIterator[Bench]:
    """A bot with so many services, its real embedder ready unless the settings want none."""
    async with contextlib.AsyncExitStack() as stack:
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
        config = folder / "bot"
        config.mkdir()
        (config / "services.yaml").write_text("services:\n" + "".join(SERVICE.format(n=n) for n in range(services)))
        (config / "routing.yaml").write_text('default: {channel: "#incidents"}\n')
        (config / "policies.yaml").write_text("groups: {}\nrules: []\n")
        runbooks = json.dumps([str(Path(__file__).parents[2] / "runbooks")])
        (config / "tocsin.toml").write_text(f"[knowledge]\nrunbooks = {runbooks}\n{TOML}")
        page, slack = await start_workspace(stack, free_port(), "", folder / "workspace.log", clean_environment())
        database = settings.pop("TOCSIN_DATABASE_URL", f"sqlite:///{folder}/tocsin.db")
        own = {"TOCSIN_PORT": str(port), "TOCSIN_ALERTMANAGER_SECRET": SECRET, "TOCSIN_DATABASE_URL": database, **settings}
        bot = await start_bot(stack, config, folder / "bot.log", {**clean_environment(), **slack, **own})
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        if "TOCSIN_KNOWLEDGE_EMBEDDER" not in settings:
            say("waiting for the vectors")
            await _until_vectors(folder / "bot.log")
        door = f"http://127.0.0.1:{port}/webhooks/alertmanager"
        yield Bench(door, page, bot.pid, folder / "bot.log", session, database)


async def _until_vectors(log: Path) -> None:
    for _ in range(600):
        if "incident:" in log.read_text():
            return
        await asyncio.sleep(0.5)
