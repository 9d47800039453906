"""The same promises on a real PostgreSQL: schema, times, inbox, and durable work over several replicas."""

import asyncio
import importlib
import json
import pkgutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, text, update

import bot.storage
from bot.domain.view import Place
from bot.durable.queues import Queue
from bot.durable.table import metadata as work_metadata
from bot.durable.table import replica, work
from bot.durable.turn import TURN_LOCK
from bot.durable.work import DurableWork
from bot.errors import TakenOver, Unavailable
from bot.intake.inbox import Drain
from bot.ports import Card, Scalar, Transaction
from bot.storage.cards import SqlCardStore
from bot.storage.database import SqlDatabase, metadata, sql
from bot.storage.inbox import SqlInboxStore
from bot.storage.incidents import SqlIncidentStore
from tests.durable.test_work import QUICK, Recorder, items, settled, start, until, working
from tests.fakes import NOON, FakeClock, an_incident
from tests.intake.desk import PLAIN, Stories, a_delivery, a_desk
from tests.postgres import Postgres

pytestmark = pytest.mark.slow

for module in pkgutil.iter_modules(bot.storage.__path__):  # every store registers its tables when it is imported
    importlib.import_module(f"bot.storage.{module.name}")


@pytest.fixture
def opened(postgres: Postgres) -> Iterator[SqlDatabase]:
    with postgres.a_database() as url:
        database = SqlDatabase(url)
        database.open()
        yield database
        database.close()


def test_the_migrations_build_what_the_stores_use(opened: SqlDatabase) -> None:
    def differences(tx: Transaction) -> list[object]:
        found: list[object] = compare_metadata(MigrationContext.configure(sql(tx)), [metadata, work_metadata])  # type: ignore[arg-type]  # alembic takes several
        return found

    assert opened.write_now(differences) == []


def test_the_inbox_keeps_and_recognises(opened: SqlDatabase) -> None:
    inbox = SqlInboxStore()
    deliveries = [(a_delivery({"n": n}, NOON), f"id-{n}") for n in (1, 2, 1)] + [(a_delivery(b"x", NOON), "")]
    assert opened.write_now(lambda tx: inbox.add(tx, deliveries)) == [True, True, False, True]
    later = a_delivery(b"x", NOON + timedelta(seconds=59))
    assert opened.write_now(lambda tx: inbox.add(tx, [(later, "")])) == [False]
    taken = opened.write_now(lambda tx: inbox.take(tx, 10))
    assert [p.delivery for p in taken] == [d for d, _ in (deliveries[0], deliveries[1], deliveries[3])]


def test_a_transaction_that_sleeps_loses_its_locks(opened: SqlDatabase) -> None:
    setting = opened.read_now(lambda tx: sql(tx).execute(text("SHOW idle_in_transaction_session_timeout")).scalar())
    assert setting == "5s"


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
        others = [SqlDatabase(opened._url.render_as_string(hide_password=False)) for _ in range(2)]
        for other in others:
            other.open()
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
    frozen = SqlDatabase(opened._url.render_as_string(hide_password=False))
    frozen.open()

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


async def test_two_replicas_may_put_the_same_card_at_the_same_moment(opened: SqlDatabase) -> None:
    cards = SqlCardStore()

    def put(tx: Transaction, posts: int) -> None:
        cards.put(tx, Card("card:i1", Place("C0PAYMENTS"), posts=posts))
        time.sleep(0.3)  # the other one waits for our commit

    for _ in range(2):  # new, then known
        await asyncio.gather(*(opened.write(partial(put, posts=n)) for n in range(4)))
    assert len(await opened.read(lambda tx: cards.like(tx, "card:"))) == 1


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


def replica_of(opened: SqlDatabase) -> SqlDatabase:
    """Another replica's view of the same database."""
    other = SqlDatabase(opened._url.render_as_string(hide_password=False))
    other.open()
    return other


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
    monkeypatch.setattr("bot.durable.lease.Lease.__init__.__kwdefaults__", {"lease": 1.5, "beat": 0.2})
    deaf, kept = replica_of(opened), DurableWork()
    held, slow, quick = DurableWork(), Recorder(take=60), Recorder()
    async with working(deaf, {"job": slow}, held):
        await start(opened, kept, "a")
        await until(lambda: slow.active == 1)

        async def away(work: object, *, urgent: bool = False) -> None:
            raise Unavailable("cut off")

        monkeypatch.setattr(deaf, "write", away)
        async with working(opened, {"job": quick}, kept):
            began = time.monotonic()
            await settled(opened, kept, 1)
            assert time.monotonic() - began < 6
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
        assert 0.4 < waited < 3


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
        assert sorted(waits)[10] < 0.2, waits  # polling alone would take a second on average
        cut = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert (await opened.write(lambda tx: sql(tx).execute(cut).all())) != []
        await until(lambda: not kept.notified)
        await start(other, DurableWork(QUICK), "meanwhile")
        await until(lambda: "meanwhile" in job.seen)
        await until(lambda: kept.notified)
    other.close()


async def test_a_poisonous_parcel_never_takes_an_innocent_one_with_it_when_two_replicas_drain(
    opened: SqlDatabase, clock: FakeClock
) -> None:
    other, inbox, stories = replica_of(opened), SqlInboxStore(), Stories(poison={"poison"})
    stories.prepare(opened)
    names = ["poison" if n % 7 == 3 else f"good-{n}" for n in range(28)]
    deliveries = [(a_delivery({"alerts": [name]}, NOON), f"id-{n}") for n, name in enumerate(names)]
    await opened.write(lambda tx: inbox.add(tx, deliveries))
    drains = [
        Drain(a_desk(db, clock), {"plain": PLAIN}, stories.on_alerts, stories.on_changes, batch=10) for db in (opened, other)
    ]

    async def waiting() -> int:
        return await opened.read(inbox.waiting)

    while await waiting():
        await asyncio.gather(*(drain.once() for drain in drains))
    aside = await opened.read(lambda tx: inbox.recent(tx, state="unreadable", limit=50))
    assert {json.loads(p.delivery.body)["alerts"][0] for p in aside} == {"poison"}
    assert len(aside) == 4
    heard = [what for what in stories.heard(opened) if what.startswith("good")]
    assert sorted(heard) == sorted(n for n in names if n != "poison")
    other.close()


async def test_a_wish_and_a_record_at_the_same_moment_lose_nothing(opened: SqlDatabase) -> None:
    cards = SqlCardStore()
    await opened.write(lambda tx: cards.put(tx, Card("card:i1", Place("C0PAYMENTS"))))

    def record(tx: Transaction) -> None:
        card = cards.hold(tx, "card:i1")
        time.sleep(0.3)
        assert card is not None
        cards.put(tx, replace(card, place=Place("C0PAYMENTS", "1.1"), posts=1))

    def wish(tx: Transaction) -> None:
        card = cards.hold(tx, "card:i1")
        assert card is not None
        cards.put(tx, replace(card, pending="now"))

    recording = asyncio.create_task(opened.write(record))
    await asyncio.sleep(0.1)
    await asyncio.gather(recording, opened.write(wish))
    assert await opened.read(lambda tx: cards.get(tx, "card:i1")) == Card(
        "card:i1", Place("C0PAYMENTS", "1.1"), pending="now", posts=1
    )


async def test_transactions_that_lock_crosswise_are_done_again(opened: SqlDatabase) -> None:
    cards = SqlCardStore()

    def both(tx: Transaction, first: str, second: str) -> None:
        cards.hold(tx, first)
        time.sleep(0.2)
        cards.hold(tx, second)
        cards.put(tx, Card(first + second, Place("C0PAYMENTS")))

    await asyncio.gather(opened.write(partial(both, first="a", second="b")), opened.write(partial(both, first="b", second="a")))
    assert [c.key for c in await opened.read(lambda tx: cards.like(tx, ""))] == ["ab", "ba"]


async def test_an_incident_that_two_replicas_change_at_once_keeps_both_changes(opened: SqlDatabase) -> None:
    incidents = SqlIncidentStore()
    await opened.write(lambda tx: incidents.save(tx, an_incident(id="i1", title="", version=0)))

    def count(tx: Transaction) -> None:
        found = incidents.get(tx, "i1")
        assert found is not None
        time.sleep(0.05)
        incidents.save(tx, replace(found, title=found.title + "+"))

    await asyncio.gather(*(opened.write(count) for _ in range(3)))
    found = await opened.read(lambda tx: incidents.get(tx, "i1"))
    assert found is not None
    assert found.title == "+++"
