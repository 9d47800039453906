"""The executor apart: how soon it takes what people approved, and what it costs while nothing happens.

A real `tocsin executor` on a database of this process; errands are questions, which are taken the way that starts are.
"""

import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.errand import QUESTION, ErrandKind, ErrandState
from bot.executor.dispatch import Dispatch
from bot.executor.keys import Signer, new_pair
from bot.executor.letters import Question
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase
from bot.storage.errands import SqlErrandStore
from tests.bench.room import rss

ERRANDS, LONGEST_GAP = 60, 3.0  # so many, after a pause of up to so many seconds each: the executor looks ever more seldom
IDLE = 30.0  # seconds
LOOK = 0.005  # seconds between two looks whether it was taken
TOML = """\
[executor]
environments = ["production"]
[deployers.shop]
kind = "command"
start = ["PROGRAM", "{service}", "{version}", "{key}"]
status = ["PROGRAM", "{key}"]
current = ["PROGRAM", "{service}"]
versions = ["PROGRAM", "{service}"]
"""


async def executor(errands: int = ERRANDS, idle: float = IDLE) -> dict[str, float]:
    """Posted → taken and posted → answered (p50, p95, in ms); CPU while nothing happens, in percent of a core; MiB of memory."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-executor-") as folder:
        return await _measured(Path(folder), errands, idle)


async def _measured(folder: Path, errands: int, idle: float) -> dict[str, float]:
    private, public = new_pair()
    program = folder / "program"
    program.write_text('#!/bin/sh\necho \'{"version": "v42"}\'\n', encoding="utf-8")
    program.chmod(0o700)
    (folder / "tocsin.toml").write_text(TOML.replace("PROGRAM", str(program)), encoding="utf-8")
    url = f"sqlite:///{folder / 'bench.db'}"
    db = SqlDatabase(url)
    db.open()
    environ = {**os.environ, "TOCSIN_DATABASE_URL": url, "TOCSIN_EXECUTOR_PUBLIC_KEY": public}
    words = ("-m", "bot", "--config", str(folder), "executor", "--until-stdin-closes")
    child = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=environ, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        await asyncio.wait_for(child.stdout.readuntil(b"The executor is up"), 60)
        found = await _latency(db, Dispatch(db, SqlErrandStore(), SqlActionStore(), Signer(private), _now), errands)
        return found | await _idle(child.pid, idle)
    finally:
        child.kill()
        await child.wait()
        db.close()


async def _latency(db: SqlDatabase, dispatch: Dispatch, errands: int) -> dict[str, float]:
    """Posted → taken, posted → answered, in milliseconds."""
    chance, loop = random.Random(1), asyncio.get_running_loop()
    taken, answered = [], []
    for number in range(errands):
        await asyncio.sleep(chance.uniform(0, LONGEST_GAP))
        began = loop.time()
        asked = asyncio.create_task(dispatch.ask(f"b{number}", Question(ErrandKind.CURRENT, "shop", "payments", "production")))
        taken.append(await _until(_is_taken(db, f"{QUESTION}b{number}"), asked) - began)
        await asked
        answered.append(loop.time() - began)
    return {**_percentiles("taken", taken), **_percentiles("answered", answered)}


def _is_taken(db: SqlDatabase, id: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        there = await db.read(lambda tx: SqlErrandStore().get(tx, id))
        return there is not None and there.state is not ErrandState.WAITING

    return look


async def _until(true: Callable[[], Awaitable[bool]], asked: "asyncio.Task[object]") -> float:
    while not (asked.done() or await true()):
        await asyncio.sleep(LOOK)
    return asyncio.get_running_loop().time()


def _percentiles(what: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {f"executor_{what}_p{p}_ms": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * p // 100)]) for p in (50, 95)}


async def _idle(pid: int, seconds: float) -> dict[str, float]:
    await asyncio.sleep(3)
    before = _cpu(pid)
    await asyncio.sleep(seconds)
    used = _cpu(pid) - before
    return {"executor_idle_cpu_percent": round(100 * used / seconds, 2), "executor_rss_mib": rss(pid)}


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _now() -> datetime:
    return datetime.now(UTC)
