"""Promise 1 with real processes: what was answered with 202 survives kill -9 at any moment, and counts exactly once."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

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
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {SECRET}"}, timeout=5) as http:
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


async def serving(folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    """A new process on the same folder, and its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.intake.serve_intake", str(folder), SECRET,
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line.strip().isdigit(), f"the process did not come up (exit {process.returncode})"
    return process, int(line)


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "tocsin.db", timeout=10)) as database:
        return database.execute(query).fetchall()


async def drained(folder: Path) -> None:
    """Wait until nothing waits."""
    end = time.monotonic() + 60
    while ask(folder, "SELECT count(*) FROM inbox WHERE state = 'waiting'") != [(0,)]:
        assert time.monotonic() < end, "the inbox was not emptied"
        await asyncio.sleep(0.1)


async def flowing(sender: Sender, count: int) -> None:
    """Wait until so many were acknowledged."""
    end = time.monotonic() + 30
    while len(sender.acknowledged) < count:
        assert time.monotonic() < end, "nothing is acknowledged"
        await asyncio.sleep(0.005)


async def killed_again_and_again(folder: Path, rounds: int, chance: random.Random) -> None:
    sender = Sender()
    for number in range(rounds):
        process, port = await serving(folder)
        dead = asyncio.Event()
        load = [asyncio.create_task(sender.send(port, f"r{number}s{s}", dead)) for s in range(SENDERS)]
        await flowing(sender, len(sender.acknowledged) + SENDERS)
        await asyncio.sleep(chance.uniform(0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
        dead.set()
        await process.wait()
        await asyncio.gather(*load)
    process, _ = await serving(folder)
    await drained(folder)
    process.terminate()
    await process.wait()
    counts = Counter(str(uid) for (uid,) in ask(folder, "SELECT uid FROM uids"))
    assert set(sender.acknowledged) - set(counts) == set(), "acknowledged and lost"
    assert {uid: n for uid, n in counts.items() if n != 1} == {}, "worked on more than once"
    assert set(counts) <= sender.sent
    assert ask(folder, "SELECT count(*) FROM inbox WHERE state != 'done'") == [(0,)]
    assert ask(folder, "PRAGMA integrity_check") == [("ok",)]


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    await killed_again_and_again(tmp_path, 2, random.Random(1))


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_or_doubled_by_twenty_kills(tmp_path: Path) -> None:
    await killed_again_and_again(tmp_path, 20, random.Random(2))


async def test_a_process_told_to_stop_finishes_what_it_holds(tmp_path: Path) -> None:
    sender, dead = Sender(), asyncio.Event()
    process, port = await serving(tmp_path)
    load = [asyncio.create_task(sender.send(port, f"s{s}", dead)) for s in range(4)]
    await flowing(sender, 10)
    process.terminate()
    await asyncio.wait_for(process.wait(), 20)
    dead.set()
    await asyncio.gather(*load)
    kept = {json.loads(raw)["groupKey"] for (raw,) in ask(tmp_path, "SELECT body FROM inbox") if isinstance(raw, bytes)}
    assert set(sender.acknowledged) <= kept
