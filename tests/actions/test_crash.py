"""kill -9 in the middle of an action: the vendor's own count of runs is one, whenever the blow falls."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus, Stopping
from bot.domain.request import Deed, Person
from bot.domain.view import Place
from bot.durable.work import DurableWork
from bot.flows.acting.cancelling import stop
from bot.flows.acting.proposing import propose
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase
from bot.storage.ledger import SqlLedger
from tests.actions.estate import AMIR, OLIVIA, a_desk, press
from tests.actions.mortal import real_deployer
from tests.postgres import on_sqlite

pytestmark = [on_sqlite, pytest.mark.promise]  # over PostgreSQL: tests/e2e/test_replicas.py

ROOT = Path(__file__).parents[2]


class Estate:
    """A database file, a vendor's folder, one approved action, and processes to kill."""

    def __init__(self, database: SqlDatabase, folder: Path, idempotent: bool) -> None:
        self.database, self.folder, self.idempotent = database, folder, idempotent
        self.path = folder / "tocsin.db"
        self.action = ""
        self.started: list[subprocess.Popen[str]] = []

    async def approve(self) -> None:
        deployer = real_deployer(self.folder, self.idempotent)
        desk = a_desk(self.database, lambda: datetime.now(UTC), deployer, work=DurableWork())
        action = await propose(
            incident=None,
            kind=ActionKind.ROLLBACK,
            service="payments",
            target="",
            environment="production",
            person=Person(OLIVIA),
            desk=desk,
            reason="a test",
            place=Place("C-OPS"),
        )
        assert await press(desk, Deed.ACTION_APPROVE, action.id, AMIR) is None
        self.action = action.id
        self.database.close()

    def process(self, *how: str) -> "subprocess.Popen[str]":
        promise = "idempotent" if self.idempotent else "plain"
        words = [str(self.path), str(self.folder), self.action, promise, *how]
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.actions.mortal", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self.started.append(started)
        assert started.stdout is not None
        assert started.stdout.readline() == "working\n"
        return started

    def finish(self) -> Action:
        """The process is started once more and left alone; the action as it then stands."""
        assert self.process().wait(timeout=60) == 0
        self.database.open(migrate=False)
        try:
            action = self.database.read_now(lambda tx: SqlActionStore().get(tx, self.action))
            assert self.database.read_now(SqlLedger().broken_at) is None
        finally:
            self.database.close()
        assert action is not None
        return action

    def runs(self) -> list[str]:
        log = self.folder / "runs.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def started() -> Iterator[list[Estate]]:
    """Every process that a test left running is ended."""
    estates: list[Estate] = []
    yield estates
    for process in (p for e in estates for p in e.started):
        kill(process)
        if process.stdout is not None:
            process.stdout.close()


def behave(folder: Path, **behaviour: Any) -> None:
    (folder / "behaviour.json").write_text(json.dumps(behaviour))


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never appeared"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["claimed", "asked", "accepted"])
async def test_a_kill_in_the_middle_of_a_start_leaves_one_run(
    database: SqlDatabase, tmp_path: Path, started: list[Estate], moment: str
) -> None:
    estate = Estate(database, tmp_path, idempotent=True)
    started.append(estate)
    await estate.approve()
    behave(tmp_path, before=0.4, after=0.4)
    process = estate.process(moment)
    if moment == "claimed":
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
    else:
        wait_for(tmp_path / ("asked" if moment == "asked" else "runs.log"))
    kill(process)
    assert estate.finish().status is ActionStatus.VERIFYING
    time.sleep(1.0 if moment == "asked" else 0)  # the orphaned first order arrives late
    assert estate.runs() == [f"{estate.action} payments v42"]


@pytest.mark.slow
async def test_a_kill_before_the_start_with_a_deployer_that_promises_nothing_is_uncertain_and_runs_nothing(
    database: SqlDatabase, tmp_path: Path, started: list[Estate]
) -> None:
    estate = Estate(database, tmp_path, idempotent=False)
    started.append(estate)
    await estate.approve()
    behave(tmp_path, forgetful=True)
    process = estate.process("claimed")
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    kill(process)
    action = estate.finish()
    assert action.status is ActionStatus.UNCERTAIN
    assert f"status --key {estate.action}" in action.outcome
    assert estate.runs() == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(24))
async def test_kills_at_random_moments_leave_one_run(
    database: SqlDatabase, tmp_path: Path, started: list[Estate], seed: int
) -> None:
    chance = random.Random(seed)
    idempotent = seed % 3 != 0
    estate = Estate(database, tmp_path, idempotent)
    started.append(estate)
    await estate.approve()
    behave(tmp_path, before=chance.uniform(0, 0.3), after=chance.uniform(0, 0.3), forgetful=not idempotent)
    for _ in range(chance.choice([1, 1, 2, 3])):
        process = estate.process()
        time.sleep(chance.uniform(0, 0.9))
        kill(process)
    action = estate.finish()
    time.sleep(0.8)  # an order of a killed process may arrive late
    if idempotent:
        assert (action.status, len(estate.runs())) == (ActionStatus.VERIFYING, 1)
    else:
        assert len(estate.runs()) <= 1
        assert action.status in (ActionStatus.VERIFYING, ActionStatus.UNCERTAIN)
        assert action.status is ActionStatus.UNCERTAIN or len(estate.runs()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.15])
async def test_a_kill_after_somebody_wanted_it_stopped_still_stops_the_one_run(
    database: SqlDatabase, tmp_path: Path, started: list[Estate], moment: float
) -> None:
    estate = Estate(database, tmp_path, idempotent=True)
    started.append(estate)
    await estate.approve()
    behave(tmp_path, status="running")
    process = estate.process()
    wait_for(tmp_path / "runs.log")
    kill(process)
    database.open(migrate=False)
    desk = a_desk(database, lambda: datetime.now(UTC), real_deployer(tmp_path, True), work=DurableWork())
    assert "is running" in (await stop(estate.action, OLIVIA, desk)).text
    database.close()
    process = estate.process()
    time.sleep(moment)
    kill(process)
    action = estate.finish()
    assert action.cancel is not None
    assert (action.status, action.cancel.state, len(estate.runs())) == (ActionStatus.FAILED, Stopping.STOPPED, 1)
    assert action.outcome.startswith(f"It was cancelled by {OLIVIA}")
