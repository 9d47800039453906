"""Promise 1 with real processes: what was answered with 202 survives kill -9 at any moment, and counts exactly once."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from bot.domain.alert import Alert
from bot.domain.incident import Incident, Status
from bot.storage.codec import load
from bot.storage.database import SqlDatabase, sql
from tests.parcels import PARCELS
from tests.postgres import Postgres

pytestmark = pytest.mark.promise

REPOSITORY = Path(__file__).parents[2]
SECRET = "a-secret-of-this-test"
SENDERS = 12


@dataclass
class Sender:
    """Sends alerts with ids of their own as fast as they are answered; a broken connection is sent again, as vendors do."""

    acknowledged: list[str] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)

    async def send(self, port: int, name: str, dead: asyncio.Event) -> None:
        """Send until the process is dead."""
        url = f"http://127.0.0.1:{port}/webhooks/alertmanager"
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {SECRET}"}, timeout=30) as http:
            n = 0
            while not dead.is_set():
                n += 1
                uid = f"{name}-{n}"
                self.sent.add(uid)
                for _ in range(2 if n % 5 == 0 else 1):  # every fifth twice: duplicates are harmless
                    try:
                        answer = await http.post(url, content=body(uid))
                    except httpx.HTTPError:
                        return
                    if answer.status_code == 202:
                        self.acknowledged.append(uid)


def body(uid: str) -> bytes:
    """An Alertmanager webhook, version 4, of one alert."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "Load", "service": "payments", "severity": "warning", "uid": uid},
        "annotations": {"summary": uid},
        "startsAt": "2026-11-22T12:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": uid,
    }
    return json.dumps(
        {
            "version": "4",
            "groupKey": uid,
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "tocsin",
            "groupLabels": {"alertname": "Load"},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://127.0.0.1:9093",
            "alerts": [alert],
        }
    ).encode()


class Intake:
    """Processes with the intake on one database, one after the other."""

    def __init__(self, url: str, *, apart: bool = True) -> None:
        self.url = url
        self.apart = apart  # the door in a process of its own, as in production; together it is up sooner
        self.door = 0
        self.parent: asyncio.subprocess.Process | None = None
        self.pid = 0

    async def start(self) -> int:
        """A new process; its port."""
        if self.parent is None:
            self.parent = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.intake.serve_intake", SECRET),
                cwd=REPOSITORY,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "TOCSIN_TEST_DATABASE": self.url},
            )
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.write(b"\n" if self.apart else b"together\n")
        told = (await asyncio.wait_for(self.parent.stdout.readline(), 60)).split()
        assert len(told) == 3, "the process did not come up"
        self.pid, self.door = int(told[0]), int(told[2])
        return int(told[1])

    def signal(self, how: signal.Signals) -> None:
        """Tell the process."""
        os.kill(self.pid, how)

    async def end(self) -> None:
        """None is left."""
        if self.parent is not None and self.parent.stdin is not None:
            self.parent.stdin.close()
            with suppress(ProcessLookupError):
                self.signal(signal.SIGTERM)
            await asyncio.wait_for(self.parent.wait(), 60)


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    """The rows of a query, asked beside the process."""
    database = SqlDatabase(url)
    database.open(migrate=False, beside=True)
    try:
        return [tuple(row) for row in database.read_now(lambda tx: sql(tx).execute(text(query)).all())]
    finally:
        database.close()


async def drained(url: str) -> None:
    """Wait until nothing waits."""
    end = time.monotonic() + 60
    while ask(url, f"SELECT count(*) FROM {PARCELS} WHERE state = 'waiting'") != [(0,)]:
        assert time.monotonic() < end, "the inbox was not emptied"
        await asyncio.sleep(0.1)


async def flowing(sender: Sender, count: int) -> None:
    """Wait until so many were acknowledged."""
    end = time.monotonic() + 60
    while len(sender.acknowledged) < count:
        assert time.monotonic() < end, "nothing is acknowledged"
        await asyncio.sleep(0.005)


async def killed_again_and_again(url: str, rounds: int, chance: random.Random, *, apart: bool = True) -> None:
    sender, intake = Sender(), Intake(url, apart=apart)
    for number in range(rounds):
        port = await intake.start()
        dead = asyncio.Event()
        load = [asyncio.create_task(sender.send(port, f"r{number}s{s}", dead)) for s in range(SENDERS)]
        await flowing(sender, len(sender.acknowledged) + SENDERS)
        await asyncio.sleep(chance.uniform(0, 0.5))
        intake.signal(signal.SIGKILL)
        dead.set()
        await asyncio.gather(*load)
    await intake.start()
    await drained(url)
    await intake.end()
    whole(url, sender)


def whole(url: str, sender: Sender) -> None:
    """Every acknowledged alert was worked on once, and what the incidents say adds up."""
    alerts = [load(Alert, str(body)).labels["uid"] for (body,) in ask(url, "SELECT body FROM alerts")]
    counts = Counter(alerts)
    assert set(sender.acknowledged) - set(counts) == set(), "acknowledged and lost"
    assert {uid: n for uid, n in counts.items() if n != 1} == {}, "worked on more than once"
    assert set(counts) <= sender.sent
    assert ask(url, f"SELECT count(*) FROM {PARCELS} WHERE state != 'done'") == [(0,)]
    incidents = [load(Incident, str(body)) for (body,) in ask(url, "SELECT body FROM incidents")]
    assert [(i.key, i.status, i.firing, i.events) for i in incidents] == [("INC-1", Status.OPEN, len(alerts), len(alerts))]
    assert ask(url, "SELECT count(*) FROM instances WHERE began_at IS NOT NULL") == [(len(alerts),)]
    assert ask(url, "SELECT DISTINCT incident_id FROM alerts") == [(incidents[0].id,)]
    if url.startswith("sqlite"):
        assert ask(url, "PRAGMA integrity_check") == [("ok",)]


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    await killed_again_and_again(f"sqlite:///{tmp_path}/tocsin.db", 2, random.Random(1), apart=False)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_doubled_by_twenty_kills(tmp_path: Path) -> None:
    await killed_again_and_again(f"sqlite:///{tmp_path}/tocsin.db", 20, random.Random(2))


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_doubled_by_twenty_kills_on_postgresql(postgres: Postgres) -> None:
    with postgres.a_database() as url:
        await killed_again_and_again(url, 20, random.Random(3), apart=False)


async def test_a_process_told_to_stop_finishes_what_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    sender, dead, intake = Sender(), asyncio.Event(), Intake(url)
    port = await intake.start()
    load = [asyncio.create_task(sender.send(port, f"s{s}", dead)) for s in range(4)]
    await flowing(sender, 10)
    await intake.end()
    dead.set()
    await asyncio.gather(*load)
    kept = {json.loads(raw)["groupKey"] for (raw,) in ask(url, "SELECT body FROM inbox") if isinstance(raw, bytes)}
    assert set(sender.acknowledged) <= kept
