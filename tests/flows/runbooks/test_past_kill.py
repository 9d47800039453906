"""A confirmed cause outlives kill -9 on its way to becoming knowledge: the next process knows it once, and replicas hear."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.domain.document import Document
from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.flows.desk import Desk
from bot.flows.runbooks.keeping_up import MARK
from bot.flows.runbooks.past import keep_past
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from tests.flows.runbooks.past_process import the_desk

pytestmark = [pytest.mark.slow, pytest.mark.promise]

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("moment", ["before", "amid"])
async def test_a_confirmed_cause_is_knowledge_once_although_the_process_died(tmp_path: Path, moment: str) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    program = [sys.executable, "-m", "tests.flows.runbooks.past_process", url, moment]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert done.stdout.strip() == ("['incident:INC-42']" if moment == "amid" else "")  # it was known, and nobody else was told
    database, work = SqlDatabase(url), DurableWork()
    database.open()
    desk = the_desk(database, work)
    assert database.read_now(lambda tx: desk.switches.get(tx, MARK)) == ""
    ran: list[str] = []

    async def keep(args: dict[str, object]) -> None:
        ran.append(str(args["incident_id"]))
        await keep_past(args, desk)  # type: ignore[arg-type]  # what the work kept

    worker = Worker(database, work, {"keep_past": keep})  # type: ignore[dict-item]  # as above
    running = asyncio.create_task(worker.run())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not database.read_now(lambda tx: desk.switches.get(tx, MARK)):
        await asyncio.sleep(0.05)
    await worker.stop(5)
    await running
    assert len(ran) == 1
    assert [told(d) for d in desk.library.documents] == [("incident:INC-42", "retries were raised", "42 min")]
    await another_replica_knows(database)
    database.close()


async def another_replica_knows(database: SqlDatabase) -> None:
    desk: Desk = the_desk(database, DurableWork())
    await desk.library.sync()
    assert [d.id for d in desk.library.documents] == ["incident:INC-42"]

    def mark(tx: Transaction) -> str:
        return desk.switches.get(tx, MARK)

    assert database.read_now(mark)  # by which its `keep_up` knows that there is news


def told(document: Document) -> tuple[str, ...]:
    return (document.id, document.facts["cause"], document.facts["took"])
