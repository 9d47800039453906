"""kill -9 of an executor at every step: the vendor's own count of runs is one, or none where nobody may know better."""

import asyncio
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.actions import execute
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.request import Deed, Person
from bot.domain.view import Place
from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.executor.dispatch import Dispatch, Patience
from bot.executor.keys import Signer
from bot.executor.remote import RemoteDeployer
from bot.flows.acting.proposing import propose
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, a_desk, handlers, press
from tests.actions.test_crash import behave, kill
from tests.executor.room import ACTIONS, PRIVATE, PUBLIC, STORE, now
from tests.postgres import on_sqlite

pytestmark = [on_sqlite, pytest.mark.slow, pytest.mark.promise, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
SHORT = Patience(timedelta(seconds=15), timedelta(seconds=2), timedelta(seconds=110))  # the machine may be busy


class Estate:
    """A bot in this process, a vendor's folder, and executors to kill."""

    def __init__(self, database: SqlDatabase, folder: Path, idempotent: bool) -> None:
        self.database, self.folder, self.idempotent = database, folder, idempotent
        self.started: list[subprocess.Popen[str]] = []
        self.numbers = iter(range(10_000))
        self.work = DurableWork()
        self.desk = self._desk()

    def _desk(self) -> Desk:
        dispatch = Dispatch(self.database, STORE, ACTIONS, Signer(PRIVATE), now, SHORT)
        deployer = RemoteDeployer("shop", dispatch, lambda: f"q{next(self.numbers)}")
        return a_desk(self.database, now, deployer, work=self.work)

    def executor(self, moment: str = "") -> "subprocess.Popen[str]":
        promise = "idempotent" if self.idempotent else "plain"
        words = [str(self.folder / "tocsin.db"), str(self.folder), PUBLIC, promise, *([moment] if moment else [])]
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.executor.mortal", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self.started.append(started)
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        return started

    async def approved(self) -> Action:
        """A rollback is asked for and approved; an executor has to be there to be asked."""
        action = await propose(
            incident=None,
            kind=ActionKind.ROLLBACK,
            service="payments",
            target="",
            environment="production",
            person=Person(OLIVIA),
            desk=self.desk,
            reason="a test",
            place=Place("C-OPS"),
        )
        assert await press(self.desk, Deed.ACTION_APPROVE, action.id, AMIR) is None
        return action

    async def until_known(self, action: Action, meanwhile: Callable[[], None] = lambda: None) -> Action:
        """The bot works until it is known what became of the action; `meanwhile` happens in a thread."""
        worker = Worker(self.database, self.work, handlers(self.desk))
        running = asyncio.create_task(worker.run())
        happening = asyncio.create_task(asyncio.to_thread(meanwhile))
        try:
            while True:
                found = await self.database.read(lambda tx: ACTIONS.get(tx, action.id))
                assert found is not None
                if found.status not in (ActionStatus.APPROVED, ActionStatus.EXECUTING):
                    return found
                await asyncio.sleep(0.05)
        finally:
            await happening
            await worker.stop(grace=5)
            await running

    def runs(self) -> list[str]:
        log = self.folder / "runs.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "PATIENCE", 3)


@pytest.fixture
def started() -> Iterator[list[Estate]]:
    """Every process that a test left running is ended."""
    estates: list[Estate] = []
    yield estates
    for process in (p for e in estates for p in e.started):
        kill(process)
        if process.stdout is not None:
            process.stdout.close()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(("moment", "idempotent"), [("checked", False), ("begun", True), ("begun", False), ("accepted", False)])
async def test_an_executor_that_is_killed_leaves_one_run_at_most(
    database: SqlDatabase, tmp_path: Path, started: list[Estate], moment: str, idempotent: bool
) -> None:
    estate = Estate(database, tmp_path, idempotent)
    started.append(estate)
    behave(tmp_path, forgetful=not idempotent)
    first = estate.executor(moment)
    action = await estate.approved()

    def kill_and_start_another() -> None:
        assert line_of(first) == moment
        kill(first)
        estate.executor()

    ended = await estate.until_known(action, kill_and_start_another)
    if moment == "begun" and not idempotent:  # nobody can know whether the call went out
        assert (ended.status, estate.runs()) == (ActionStatus.UNCERTAIN, [])
        assert f"status --key {action.id}" in ended.outcome
    else:
        assert (ended.status, estate.runs()) == (ActionStatus.VERIFYING, [f"{action.id} payments v42"])


@pytest.mark.parametrize("seed", range(2))
async def test_kills_at_random_moments_with_two_executors_leave_one_run(
    database: SqlDatabase, tmp_path: Path, started: list[Estate], seed: int
) -> None:
    chance = random.Random(seed)
    estate = Estate(database, tmp_path, idempotent=seed % 2 == 0)
    started.append(estate)
    behave(tmp_path, before=chance.uniform(0, 0.3), after=chance.uniform(0, 0.3), forgetful=not estate.idempotent)
    running = [estate.executor(), estate.executor()]
    action = await estate.approved()

    def kills() -> None:
        for process in running:
            threading.Event().wait(chance.uniform(0, 0.8))
            kill(process)
            estate.executor()

    ended = await estate.until_known(action, kills)
    await asyncio.sleep(0.8)  # an order of a killed executor may arrive late
    assert len(estate.runs()) <= 1, json.dumps(estate.runs())
    if estate.idempotent:
        assert (ended.status, len(estate.runs())) == (ActionStatus.VERIFYING, 1), ended.outcome
    else:
        assert ended.status in (ActionStatus.VERIFYING, ActionStatus.UNCERTAIN), ended.outcome
        assert ended.status is ActionStatus.UNCERTAIN or len(estate.runs()) == 1
