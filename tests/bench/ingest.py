"""The intake side by side with Alertmanager and a web server that does nothing, and how long the bot takes to digest it.

Alertmanager is Debian's (`apt-get install prometheus-alertmanager`), here only for the run. Rates on a shared machine are
worth little by themselves: read the ratios, and the CPU time that a server spent on each request.
"""

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from bot.commands.loopback import free_port
from bot.commands.staging import clean_environment
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, sql
from bot.storage.inbox import SqlInboxStore
from tests.bench.room import SECRET, Bench, bench, family, rss, say
from tests.postgres import a_server

TICKS = os.sysconf("SC_CLK_TCK")
CLIENT_MOST = 0.9  # of a core: a driver that is busier measures itself
PROOF = ["-H", f"Authorization: Bearer {SECRET}"]
PLAIN = {"TOCSIN_KNOWLEDGE_EMBEDDER": "none"}
CURVE = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Rival:
    """A server to send to: its name, its process, the driver's words for it."""

    name: str
    pid: int
    words: Sequence[str]


async def ingest(driver: Path, database: str, parts: Sequence[str], rounds: int) -> dict[str, object]:
    """The parts that are named: rates, flood, steady, curve."""
    result: dict[str, object] = {"database": database, "load1": round(os.getloadavg()[0], 2)}
    for part in parts:
        with contextlib.ExitStack() as stack:
            settings = dict(PLAIN)
            if database == "postgres":
                settings["TOCSIN_DATABASE_URL"] = stack.enter_context(a_server(fsync=True)).url
            if part == "rates":
                result[part] = await rates(driver, settings, rounds)
            else:
                async with bench(50, **settings) as here:
                    await asyncio.sleep(2)
                    result[part] = await _PARTS[part](driver, here)
        say(f"{part}: {json.dumps(result[part])}")
    return result


async def rates(driver: Path, settings: dict[str, str], rounds: int) -> list[dict[str, object]]:
    """Requests and alerts per second of the three, 64 connections, medians of some rounds in turn."""
    seen: dict[tuple[str, int], list[dict[str, float]]] = {}
    async with bench(50, **settings) as here, _alertmanager() as alertmanager, _nothing() as nothing:
        bot = Rival("tocsin", here.pid, ["--url", here.door, *PROOF])
        for _ in range(rounds):
            for batch, total in ((1, 15_000), (100, 50_000)):
                for rival in (alertmanager, bot, nothing):
                    if batch == 1 or rival is not nothing:
                        seen.setdefault((rival.name, batch), []).append(await _sent(driver, rival, batch, total))
                    if rival is bot:
                        await _digested(here, 0)
    return [
        {"server": name, "batch": batch, **{key: round(statistics.median(r[key] for r in runs), 3) for key in runs[0]}}
        for (name, batch), runs in seen.items()
    ]


async def flood(driver: Path, here: Bench) -> dict[str, object]:
    """100,000 distinct alerts, 100 a request: seconds until acknowledged, until rows with verdict and incident; peak memory."""
    before, began = rss(here.pid), time.perf_counter()
    run = asyncio.create_task(_sent(driver, Rival("tocsin", here.pid, ["--url", here.door, *PROOF]), 100, 100_000))
    rows = await _digested(here, 100_000)
    sent = await run
    return {
        "acknowledged_s": round(sent["wall_s"], 1),
        "rows_s": round(time.perf_counter() - began, 1),
        "rows": rows,
        "errors": sent["errors"],
        "rss_before_mib": before,
        "rss_peak_mib": rss(here.pid, "VmHWM"),
        "cpu_s": round(_cpu(here.pid), 1),
    }


async def steady(driver: Path, here: Bench, seconds: int = 60) -> dict[str, float]:
    """500 alerts a second, one a request, for a minute: how long a sender waits."""
    bot = Rival("tocsin", here.pid, ["--url", here.door, "--rate", "500", *PROOF])
    return await _sent(driver, bot, 1, 500 * seconds)


async def curve(driver: Path, here: Bench) -> list[dict[str, object]]:
    """What 20,000 more alerts cost when so many are stored: CPU milliseconds each, in the bot."""
    points: list[dict[str, object]] = []
    for stored in CURVE:
        await asyncio.to_thread(_preload, here.database, stored)
        bot = Rival("tocsin", here.pid, ["--url", here.door, *PROOF])
        rows, cpu, began = await _digested(here, 0), _cpu(here.pid), time.perf_counter()
        await _sent(driver, bot, 100, 20_000)
        await _digested(here, rows + 20_000)
        spent = _cpu(here.pid) - cpu
        points.append({"stored": rows, "cpu_ms_each": round(spent / 20, 3), "s": round(time.perf_counter() - began, 1)})
        say(str(points[-1]))
    return points


_PARTS: dict[str, Callable[[Path, Bench], Awaitable[object]]] = {"flood": flood, "steady": steady, "curve": curve}


def _preload(url: str, stored: int) -> None:
    """As many alerts, problems and instances as if the bot had seen them a week ago: copies under other names."""
    engine = create_engine(url)
    numbers = "WITH RECURSIVE n(i) AS (SELECT {0} UNION ALL SELECT i + 1 FROM n WHERE i < {1})"
    digits = "printf('%016x', {0})" if engine.dialect.name == "sqlite" else "lpad(to_hex({0}), 16, '0')"
    with engine.connect() as tx:
        have = tx.execute(text("SELECT count(*) FROM alerts")).scalar_one()
    body = json.dumps({"connector": "alertmanager", "filler": "x" * 500})
    for first in range(have, stored, 5_000):  # small steps: the bot writes beside us
        series = numbers.format(first, min(first + 5_000, stored) - 1)
        with engine.begin() as tx:
            tx.execute(
                text(
                    f"INSERT INTO alerts (at, fingerprint, instance, name, service, environment, severity, resolved, verdict,"
                    f" incident_id, body) {series} SELECT '2026-01-01 00:00:00.000000', {digits.format('i % 5000')},"
                    f" {digits.format('i')}, 'Old', 'svc1', 'production', 'SEV3', {_FALSE[engine.dialect.name]}, 'new',"
                    f" 'old', '{body}' FROM n".replace(":", r"\:")
                )
            )
            tx.execute(
                text(
                    f"INSERT INTO instances (key, fingerprint, began_at) {series} SELECT {digits.format('i')},"
                    f" {digits.format('i % 5000')}, '2026-01-01 00:00:00.000000' FROM n".replace(":", r"\:")
                )
            )
    engine.dispose()


_FALSE = {"sqlite": "0", "postgresql": "false"}


async def _digested(here: Bench, rows: int) -> int:
    """How many alerts there are once nothing waits and so many rows stand."""
    database, inbox = SqlDatabase(here.database), SqlInboxStore()
    database.open(migrate=False, beside=True)

    def look(tx: Transaction) -> tuple[int, int]:
        if waiting := inbox.waiting(tx):
            return waiting, 0
        return 0, sql(tx).execute(text("SELECT count(*) FROM alerts WHERE verdict <> ''")).scalar_one()

    try:
        for _ in range(600):
            waiting, stand = await database.read(look)
            if not waiting and stand >= rows:
                return stand
            await asyncio.sleep(0.25)
    finally:
        database.close()
    raise TimeoutError(f"{waiting} deliveries wait after {time.perf_counter():.0f} s; see {here.log}")


async def _sent(driver: Path, rival: Rival, batch: int, total: int) -> dict[str, float]:
    """One run of the driver; what it says, with the CPU time that the server spent."""
    words = [*rival.words, "--batch", str(batch), "-n", str(total), "-c", "64"]
    spent, door = _cpu(rival.pid), sum(map(_own_cpu, family(rival.pid)[1:]))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(driver), *words, stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    out, _ = await process.communicate()
    said: dict[str, Any] = json.loads(out)
    requests = max(1, round(said["requests_per_s"] * said["wall_s"]))
    wall = max(said["wall_s"], 0.001)
    found = {key: float(said[key] or 0) for key in ("p50_ms", "p99_ms", "max_ms", "errors", "wall_s")}
    found["alerts_per_s"] = said["accepted_per_s"]
    found["requests_per_s"] = round(said["accepted_per_s"] / batch, 1)
    found["server_ms_each"] = round(1000 * (_cpu(rival.pid) - spent) / requests, 3)
    if rival.name == "tocsin":
        found["door_ms_each"] = round(1000 * (sum(map(_own_cpu, family(rival.pid)[1:])) - door) / requests, 3)
    found["client_core"] = round(said["client_cpu_s"] / wall, 2)
    over = " (the driver is too busy)" if found["client_core"] > CLIENT_MOST else ""
    say(f"{rival.name} x{batch}: {found}{over}")
    return found


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process and its children have used."""
    return sum(map(_own_cpu, family(pid)))


def _own_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.asynccontextmanager
async def _alertmanager() -> AsyncIterator[Rival]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        raise SystemExit("Alertmanager is not installed: apt-get install prometheus-alertmanager")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "alertmanager.yml")
        config.write_text("route: {receiver: nobody, group_by: [alertname]}\nreceivers: [{name: nobody}]\n")
        port = free_port()
        words = [
            f"--config.file={config}",
            f"--storage.path={folder}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        async with _running(port, program, *words) as pid:
            yield Rival("alertmanager", pid, ["--url", f"http://127.0.0.1:{port}/api/v2/alerts", "--format", "amapi"])


@contextlib.asynccontextmanager
async def _nothing() -> AsyncIterator[Rival]:
    port = free_port()
    words = ["-m", "uvicorn", "tests.bench.noop:app", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    async with _running(port, sys.executable, *words, "--log-level", "warning", "--no-access-log") as pid:
        yield Rival("no-op", pid, ["--url", f"http://127.0.0.1:{port}/"])


@contextlib.asynccontextmanager
async def _running(port: int, program: str, *words: str) -> AsyncIterator[int]:
    """A server on a port; its process id. It ends with the block."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *words, stdout=quiet, stderr=quiet)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()
