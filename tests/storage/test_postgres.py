"""The same promises on a real PostgreSQL: schema, times, inbox, and durable work over several replicas."""

import asyncio
import importlib
import pkgutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, text

import bot.storage
from bot.domain.view import Place
from bot.durable.queues import Queue
from bot.durable.table import metadata as work_metadata
from bot.durable.table import replica, work
from bot.durable.turn import TURN_LOCK
from bot.durable.work import DurableWork
from bot.errors import Unavailable
from bot.ports import Card, Scalar, Transaction
from bot.storage.cards import SqlCardStore
from bot.storage.database import SqlDatabase, metadata, sql
from bot.storage.inbox import SqlInboxStore
from tests.durable.test_work import Recorder, items, settled, start, working
from tests.fakes import NOON
from tests.intake.desk import a_delivery
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
