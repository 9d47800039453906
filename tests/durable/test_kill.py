"""Work that survives kill -9 of a real process: nothing is lost, order holds, and what kills every time is given up."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bot.durable.work import DurableWork
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from tests.durable.run_worker import QUEUES

pytestmark = pytest.mark.promise

REPOSITORY = Path(__file__).parents[2]


def prepared(folder: Path, count: int, name: str = "job", queue: str = "actions") -> None:
    """A database with so many items, in five partitions and without one."""
    database, kept = SqlDatabase(f"sqlite:///{folder}/tocsin.db"), DurableWork(QUEUES)
    database.open()

    def start(tx: Transaction) -> None:
        for n in range(count):
            partition = f"p{n % 6}" if n % 6 else None
            kept.start(tx, queue, name, f"{n}", {"n": n}, partition=partition)

    database.write_now(start)
    database.close()


async def working(folder: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.durable.run_worker", str(folder), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"up\n"
    return process


def states(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / "tocsin.db", timeout=10)) as database:
        return dict(database.execute("SELECT state, count(*) FROM work GROUP BY state").fetchall())


def first_runs(folder: Path) -> list[int]:
    """The items in the order in which each was first done."""
    return list(dict.fromkeys(int(n) for n in (folder / "runs").read_text().split()))


async def killed_again_and_again(folder: Path, rounds: int, count: int, chance: random.Random) -> None:
    prepared(folder, count)
    for _ in range(rounds):
        process = await working(folder)
        await asyncio.sleep(chance.uniform(0.02, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    process = await working(folder)
    end = time.monotonic() + 60
    while states(folder) != {"done": count}:
        assert time.monotonic() < end, states(folder)
        await asyncio.sleep(0.1)
    process.kill()
    await process.wait()
    runs = first_runs(folder)
    assert sorted(runs) == list(range(count))
    for partition in range(1, 6):
        line = [n for n in runs if n % 6 == partition]
        assert line == sorted(line)
    total = len((folder / "runs").read_text().split())
    assert total <= count + (rounds + 1) * 6, "more was repeated than can have run at a kill"


async def test_kill_9_loses_no_work_and_keeps_the_order(tmp_path: Path) -> None:
    await killed_again_and_again(tmp_path, 2, 200, random.Random(1))


@pytest.mark.slow
async def test_twenty_kills_lose_no_work_and_keep_the_order(tmp_path: Path) -> None:
    await killed_again_and_again(tmp_path, 20, 1500, random.Random(2))


@pytest.mark.slow
async def test_work_that_kills_the_process_every_time_is_given_up(tmp_path: Path) -> None:
    prepared(tmp_path, 1, "deadly", "slack")
    for _ in range(QUEUES["slack"].crashes):
        assert states(tmp_path) != {"dead": 1}
        process = await working(tmp_path)
        assert await asyncio.wait_for(process.wait(), 30) == 9
    process = await working(tmp_path)
    await asyncio.sleep(0.5)
    process.kill()
    await process.wait()
    assert states(tmp_path) == {"dead": 1}
