"""Durable work over several replicas on a real PostgreSQL: caps, takeover, fencing, clocks, notifications."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from contextvars import Context
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import insert, text, update

from bot.domain.view import Place
from bot.durable.queues import Queue
from bot.durable.table import replica, work
from bot.durable.turn import TURN_LOCK
from bot.durable.work import DurableWork
from bot.errors import TakenOver, Unavailable
from bot.ports import Card, Scalar, Transaction
from bot.storage.cards import SqlCardStore
from bot.storage.database import SqlDatabase, sql
from tests.durable.test_work import QUICK, Recorder, items, settled, start, until, working
from tests.postgres import replica_of

pytestmark = [pytest.mark.slow, pytest.mark.promise]


class Twins:
    """Three replicas with handlers that note what runs where and when."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.active: Counter[str] = Counter()
        self.worst: Counter[str] = Counter()

    async def __call__(self, args: Mapping[str, Scalar]) -> None:
        kind = str(args["n"]).partition("-")[0]
        self.runs[str(args["n"])] += 1
        self.active[kind] += 1
        self.worst[kind] = max(self.worst[kind], self.active[kind])
        await asyncio.sleep(0.02)
        self.active[kind] -= 1


async def test_cap_partition_and_pace_hold_over_three_replicas(opened: SqlDatabase) -> None:
    queues = {"actions": Queue("actions", cap=3, timeout=5), "slack": Queue("slack", cap=8, timeout=5, pace=0.2)}
    kept, job = DurableWork(queues), Twins()
    async with AsyncExitStack() as replicas:
        others = [replica_of(opened) for _ in range(2)]
        for other in others:
            replicas.callback(other.close)
        for database in (opened, *others):
            await replicas.enter_async_context(working(database, {"job": job}, DurableWork(queues)))
        for n in range(20):
            await start(opened, kept, f"loose-{n}")
            await start(opened, kept, f"line-{n}", partition="p")
        for n in range(4):
            await start(opened, kept, f"channel-{n}", "slack", partition="C1")
        await settled(opened, kept, 44)
    assert set(job.runs.values()) == {1}
    assert job.worst["line"] == 1
    assert job.worst["loose"] <= 3
    began = sorted(i.started_at or 0 for i in await items(opened, kept) if i.queue == "slack")
    assert all(b - a >= 0.2 for a, b in pairwise(began))


async def test_the_work_of_a_replica_that_no_longer_beats_is_taken_over(
    opened: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.durable.lease.Lease.__init__.__kwdefaults__", {"lease": 1.0, "beat": 0.2})
    kept, job = DurableWork(), Recorder()
    row = {
        "id": "a", "queue": "actions", "name": "job", "args": '{"n": "a"}', "state": "running", "owner": "dead",
        "attempts": 1, "run_at": 0, "created_at": 0, "started_at": 0,
    }  # fmt: skip
    await opened.write(lambda tx: sql(tx).execute(insert(work), [row]))
    await opened.write(lambda tx: sql(tx).execute(insert(replica), [{"id": "dead", "beat": 0}]))
    async with working(opened, {"job": job}, kept):
        await settled(opened, kept, 1)
    (item,) = await items(opened, kept)
    assert (item.state, item.attempts, item.crashes, job.seen) == ("done", 2, 1, ["a"])


async def test_a_replica_frozen_inside_a_turn_does_not_stop_the_others(opened: SqlDatabase) -> None:
    kept, job = DurableWork(), Recorder()
    frozen = replica_of(opened)

    def freeze(tx: Transaction) -> None:
        sql(tx).execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN_LOCK})
        time.sleep(12)

    freezing = asyncio.create_task(frozen.write(freeze))
    await asyncio.sleep(0.5)
    began = time.monotonic()
    async with working(opened, {"job": job}, kept):
        await start(opened, kept, "a")
        await settled(opened, kept, 1)
        assert time.monotonic() - began < 11
    with pytest.raises(Unavailable):
        await freezing
    frozen.close()


async def test_all_is_done_after_the_database_was_away(opened: SqlDatabase) -> None:
    kept, job = DurableWork(), Recorder(take=0.05)
    async with working(opened, {"job": job}, kept):
        for n in range(30):
            await start(opened, kept, f"{n}")
        killing = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        for _ in range(5):
            with suppress(Unavailable):
                await opened.write(lambda tx: sql(tx).execute(killing))
            await asyncio.sleep(0.3)
        await settled(opened, kept, 30)
    assert {i.state for i in await items(opened, kept)} == {"done"}
    assert set(job.seen) == {f"{n}" for n in range(30)}


async def test_what_a_job_writes_after_it_was_taken_over_is_refused(opened: SqlDatabase) -> None:
    kept, cards = DurableWork(), SqlCardStore()
    refusals: list[TakenOver] = []

    async def job(args: Mapping[str, Scalar]) -> None:
        await opened.write(lambda tx: cards.put(tx, Card("before", Place("C0PAYMENTS"))))
        taking = update(work).where(work.c.id == "a").values(owner="somebody else")
        await asyncio.create_task(thief.write(lambda tx: sql(tx).execute(taking)), context=Context())
        try:
            await opened.write(lambda tx: cards.put(tx, Card("after", Place("C0PAYMENTS"))))
        except TakenOver as refusal:
            refusals.append(refusal)
            raise

    thief = replica_of(opened)
    async with working(opened, {"job": job}, kept):
        await start(opened, kept, "a")
        await until(lambda: bool(refusals))
    assert [c.key for c in await opened.read(lambda tx: cards.like(tx, ""))] == ["before"]
    assert [(i.state, i.owner) for i in await items(opened, kept)] == [("running", "somebody else")]
    thief.close()


async def test_a_replica_that_cannot_beat_loses_its_work_to_the_other_one(
    opened: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.durable.lease.Lease.__init__.__kwdefaults__", {"lease": 3.0, "beat": 0.2})
    deaf, kept = replica_of(opened), DurableWork()
    held, slow, quick = DurableWork(), Recorder(take=60), Recorder()
    async with working(deaf, {"job": slow}, held):
        await start(opened, kept, "a")
        await until(lambda: slow.active == 1)

        async def away(work: object) -> None:
            raise Unavailable("cut off")

        monkeypatch.setattr(deaf, "write", away)
        async with working(opened, {"job": quick}, kept):
            began = time.monotonic()
            await settled(opened, kept, 1)
            assert time.monotonic() - began < 15
            await until(lambda: slow.active == 0)  # it gave up by itself
        monkeypatch.undo()
    (item,) = await items(opened, kept)
    assert (item.state, item.attempts, quick.seen) == ("done", 2, ["a"])
    deaf.close()


@pytest.mark.parametrize("skew", [-60.0, 60.0])
async def test_a_clock_that_is_a_minute_off_neither_hurries_nor_delays_nor_kills(opened: SqlDatabase, skew: float) -> None:
    other, job, long = replica_of(opened), Recorder(), Recorder(take=1.5)
    right, wrong = DurableWork(), DurableWork(clock=lambda: time.time() + skew)
    async with working(opened, {"long": long, "job": job}, right), working(other, {"long": long, "job": job}, wrong):
        for kept, name in ((right, "right"), (wrong, "wrong")):
            soon = datetime.fromtimestamp(kept.clock() + 0.5, tz=UTC)
            await start(opened, kept, f"long-{name}", name="long")
            await start(opened, kept, f"soon-{name}", not_before=soon)
            await start(opened, kept, f"now-{name}")
        await settled(opened, right, 6)
    found = {i.id: i for i in await items(opened, right)}
    assert {(i.state, i.attempts, i.crashes) for i in found.values()} == {("done", 1, 0)}
    for name in ("right", "wrong"):
        waited = (found[f"soon-{name}"].started_at or 0) - found[f"soon-{name}"].created_at
        assert 0.4 < waited < 20  # a minute off would be seen


async def test_what_one_replica_starts_wakes_the_other_at_its_commit(opened: SqlDatabase) -> None:
    other, job = replica_of(opened), Recorder()
    async with working(opened, {"job": job}) as kept:
        await until(lambda: kept.notified)
        await asyncio.sleep(0.5)
        waits = []
        for n in range(20):
            began = time.monotonic()
            await start(other, DurableWork(QUICK), f"{n}")
            await until(lambda n=n: len(job.seen) > n)  # type: ignore[misc]  # a bound default
            waits.append(time.monotonic() - began)
        assert sorted(waits)[10] < 0.4, waits  # polling alone would take a second on average
        cut = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert (await opened.write(lambda tx: sql(tx).execute(cut).all())) != []
        await until(lambda: not kept.notified)
        await start(other, DurableWork(QUICK), "meanwhile")
        await until(lambda: "meanwhile" in job.seen)
        await until(lambda: kept.notified)
    other.close()
