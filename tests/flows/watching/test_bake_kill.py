"""The watch over a deployment outlives kill -9: another process looks on and ends it, once."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.flows.watching.baking import bake_look
from bot.ports import Scalar
from bot.storage.database import SqlDatabase
from tests.fakes import FakeClock
from tests.flows.watching.bake_process import the_desk

pytestmark = pytest.mark.promise

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
async def test_a_watch_in_a_process_that_was_killed_ends_in_the_next_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.flows.watching.bake_process", url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        id = child.stdout.readline().strip()
        child.kill()
    database, work, clock = SqlDatabase(url), DurableWork(), FakeClock(datetime.now(UTC))
    database.open()
    desk = the_desk(database, clock, work)
    looks: list[str] = []

    async def look(args: Mapping[str, Scalar]) -> None:
        clock.set(datetime.now(UTC))
        looks.append(str(args["slot"]))
        await bake_look(args, desk)

    worker = Worker(database, work, {"bake_look": look})
    running = asyncio.create_task(worker.run())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and database.read_now(desk.watches.bakes):
        await asyncio.sleep(0.1)
    await worker.stop(1)
    await running
    (bake,) = database.read_now(lambda tx: desk.watches.bakes(tx, datetime(2020, 1, 1, tzinfo=UTC)))
    assert bake.id == id
    assert not bake.active
    assert len(looks) == len(set(looks)) >= 1
    database.close()
