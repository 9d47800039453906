"""A hold outlives kill -9: another process tells what still fires, once."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.flows.alerts import release
from bot.storage.database import SqlDatabase
from tests.fakes import FakeClock
from tests.flows.held_process import the_desk

pytestmark = pytest.mark.promise

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
async def test_a_hold_in_a_process_that_was_killed_ends_in_the_next_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.flows.held_process", url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        mark = child.stdout.readline().strip()
        child.kill()
    database, work = SqlDatabase(url), DurableWork()
    database.open()
    clock = FakeClock(datetime.now(UTC))
    desk = the_desk(database, clock, work)
    before = len(database.read_now(lambda tx: desk.incidents.recent(tx, 100)))
    (held,) = database.read_now(lambda tx: desk.noise.held(tx))
    assert held.fingerprint == mark

    async def nothing(_args: object) -> None:
        clock.set(datetime.now(UTC))

    async def let_go(args: dict[str, object]) -> None:
        clock.set(datetime.now(UTC))
        await release(args, desk)  # type: ignore[arg-type]  # what the work kept

    names = ("first_card", "investigate", "settle", "refresh", "escalate")
    worker = Worker(database, work, {**dict.fromkeys(names, nothing), "release": let_go})  # type: ignore[dict-item]  # as above
    running = asyncio.create_task(worker.run())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and database.read_now(lambda tx: desk.noise.held(tx)):
        await asyncio.sleep(0.1)
    await worker.stop(1)
    await running
    incidents = database.read_now(lambda tx: desk.incidents.recent(tx, 100))
    assert len(incidents) == before + 1
    assert incidents[0].firing == 1
    database.close()
