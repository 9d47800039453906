"""However many deliveries a batch takes, the same alerts come to the same verdicts, problems and incidents."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from bot.domain.alert import Alert
from bot.flows.alerts import on_tidied, tidy
from bot.flows.changes import on_changes
from bot.flows.desk import Desk
from bot.intake.inbox import Drain, Told
from bot.ports import Delivery, Parcel, Transaction
from bot.storage.alerts import alerts, instances, problems
from bot.storage.database import SqlDatabase, sql
from connectors.alertmanager import CONNECTOR
from tests.desk import a_desk
from tests.fakes import FakeClock
from tests.intake import desk as intake
from tests.intake.desk import PLAIN, Stories

SIZES = (1, 50, 2_000)
SERVICES = ("payments", "search", "elsewhere", "unheard-of")  # none is related to another, so that no order matters
ROUNDS = (False, False, True, False, True)  # resolved or not: each instance is told of so, one time after the other
EXPECTED = ("new", "repeat", "cleared", "fires again", "cleared")


def _told(environment: str, start: datetime) -> Iterator[dict[str, Any]]:
    """Alerts in the order of their times: two instances of a problem of each service, through all rounds but the last few."""
    for round_, resolved in enumerate(ROUNDS):
        for number, service in enumerate(SERVICES):
            for pod in ("a", "b"):
                if round_ == len(ROUNDS) - 1 and number % 2:
                    continue
                began = start + timedelta(minutes=10 if round_ > 2 else 0, seconds=10 * round_ + number)
                yield {
                    "status": "resolved" if resolved else "firing",
                    "labels": {
                        "alertname": f"Slow{number}",
                        "service": service,
                        "severity": ("critical", "warning", "info")[number % 3],
                        "environment": environment,
                        "pod": pod,
                    },
                    "annotations": {"summary": f"{service} is slow (password=hunter2hunter2)"},
                    "startsAt": began.isoformat(),
                    "endsAt": (began + timedelta(seconds=5)).isoformat() if resolved else "0001-01-01T00:00:00Z",
                }


def _seen(database: SqlDatabase, desk: Desk, environment: str) -> dict[str, object]:
    """All that is kept of an environment, but for ids, and for the words that tell who came first."""

    def look(tx: Transaction) -> dict[str, object]:
        events = sql(tx).execute(select(alerts).where(alerts.c.environment == environment).order_by(alerts.c.id)).all()
        marks = {e.fingerprint: (e.name, e.service) for e in events}
        found = [i for i in desk.incidents.recent(tx, 100) if i.environment == environment]
        homes = {i.id: i.services for i in found}
        return {
            "verdicts": Counter(
                (e.name, e.service, e.at, e.resolved, e.severity, e.verdict, homes[e.incident_id]) for e in events
            ),
            "problems": {
                marks[p.fingerprint]: (p.firing, p.events, p.resolved_at, homes[p.incident_id])
                for p in sql(tx).execute(select(problems).where(problems.c.fingerprint.in_(marks)))
            },
            "instances": Counter(
                (marks[i.fingerprint], i.began_at, i.ended_at)
                for i in sql(tx).execute(select(instances).where(instances.c.fingerprint.in_(marks)))
            ),
            "incidents": Counter(
                (i.service, i.severity, i.status, i.firing, i.events, frozenset((m.name, m.firing, m.events) for m in i.members))
                for i in found
            ),
            "bodies": {e.body.replace(environment, "") for e in events},
        }

    return database.read_now(look)


async def test_batches_of_any_size_come_to_the_same(database: SqlDatabase, clock: FakeClock) -> None:
    desk, seen = a_desk(database, clock), []
    told = Told(on_tidied, on_changes, tidy=tidy)
    for size in SIZES:
        stream = [
            Delivery("alertmanager", {}, json.dumps({"alerts": [alert]}).encode(), clock())
            for alert in _told(f"e{size}", clock() - timedelta(minutes=20))
        ]
        await database.keep(lambda tx, stream=stream: desk.inbox.add(tx, [(d, "") for d in stream]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        drain, done = Drain(desk, {"alertmanager": CONNECTOR}, told, batch=size), []
        while count := await drain.once():
            done.append(count)
        assert (sum(done), max(done)) == (len(stream), min(size, len(stream)))
        seen.append(_seen(database, desk, f"e{size}"))
    assert seen[0] == seen[1] == seen[2]
    words = Counter(verdict for (*_, verdict, _), n in seen[0]["verdicts"].items() for _ in range(n))  # type: ignore[attr-defined]  # it is a Counter
    assert words == {**dict.fromkeys(EXPECTED, 8), "cleared": 12}
    assert "hunter2" not in str(seen)


async def test_what_another_replica_did_meanwhile_is_not_told_twice(database: SqlDatabase, clock: FakeClock) -> None:
    desk, stories = intake.a_desk(database, clock), Stories().prepare(database)
    stolen: list[int] = []

    def steal(batch: Sequence[Alert], _: Desk) -> Sequence[Alert]:
        if [alert.name for alert in batch] == ["two"] and not stolen:
            taken = database.write_now(lambda tx: desk.inbox.take(tx, 1))
            stolen.extend(parcel.id for parcel in taken)
            database.write_now(lambda tx: desk.inbox.finish(tx, [_done(parcel) for parcel in taken]))
        return batch

    bodies = [json.dumps({"alerts": [name]}).encode() for name in ("one", "two", "three")]
    await database.keep(lambda tx: desk.inbox.add(tx, [(Delivery("plain", {}, body, clock()), "") for body in bodies]))
    drain = Drain(desk, {"plain": PLAIN}, Told(stories.on_alerts, stories.on_changes, tidy=steal), batch=1)
    assert [await drain.once() for _ in range(3)] == [1, 1, 0]
    assert len(stolen) == 1
    assert stories.heard(database) == ["one", "three"]


async def test_the_drain_rests_no_longer_than_anything_comes(database: SqlDatabase, clock: FakeClock) -> None:
    drain = Drain(intake.a_desk(database, clock), {}, Told(lambda *_: None, lambda *_: None))
    drain._breath = 60.0
    async with asyncio.timeout(30):
        await drain._breathe()


def _done(parcel: Parcel) -> Parcel:
    return replace(parcel, state="done", outcome="1 alert")
