"""The same promises on a real PostgreSQL: schema, times, inbox, what two replicas write at once."""

import asyncio
import importlib
import json
import pkgutil
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

import bot.storage
from bot.domain.view import Place
from bot.durable.table import metadata as work_metadata
from bot.intake.inbox import Drain, Told
from bot.ports import Card, Transaction
from bot.storage.cards import SqlCardStore
from bot.storage.database import SqlDatabase, metadata, sql
from bot.storage.inbox import SqlInboxStore, received
from bot.storage.incidents import SqlIncidentStore
from tests.fakes import NOON, FakeClock, an_incident
from tests.intake.desk import PLAIN, Stories, a_delivery, a_desk
from tests.postgres import replica_of

pytestmark = pytest.mark.slow

for module in pkgutil.iter_modules(bot.storage.__path__):  # every store registers its tables when it is imported
    importlib.import_module(f"bot.storage.{module.name}")


def test_the_migrations_build_what_the_stores_use(opened: SqlDatabase) -> None:
    def differences(tx: Transaction) -> list[object]:
        found: list[object] = compare_metadata(MigrationContext.configure(sql(tx)), [metadata, received, work_metadata])  # type: ignore[arg-type]  # alembic takes several
        return found

    assert opened.write_now(differences) == []


def test_the_inbox_keeps_and_recognises(opened: SqlDatabase) -> None:
    inbox = SqlInboxStore()
    deliveries = [(a_delivery({"n": n}, NOON), f"id-{n}") for n in (1, 2, 1)] + [(a_delivery(b"x", NOON), "")]
    assert opened.keep_now(lambda tx: inbox.add(tx, deliveries)) == [True, True, False, True]
    later = a_delivery(b"x", NOON + timedelta(seconds=59))
    assert opened.keep_now(lambda tx: inbox.add(tx, [(later, "")])) == [False]
    taken = opened.write_now(lambda tx: inbox.take(tx, 10))
    assert [p.delivery for p in taken] == [d for d, _ in (deliveries[0], deliveries[1], deliveries[3])]


def test_a_transaction_that_sleeps_loses_its_locks(opened: SqlDatabase) -> None:
    setting = opened.read_now(lambda tx: sql(tx).execute(text("SHOW idle_in_transaction_session_timeout")).scalar())
    assert setting == "5s"


async def test_two_replicas_may_put_the_same_card_at_the_same_moment(opened: SqlDatabase) -> None:
    cards = SqlCardStore()

    def put(tx: Transaction, posts: int) -> None:
        cards.put(tx, Card("card:i1", Place("C0PAYMENTS"), posts=posts))
        time.sleep(0.3)  # the other one waits for our commit

    for _ in range(2):  # new, then known
        await asyncio.gather(*(opened.write(partial(put, posts=n)) for n in range(4)))
    assert len(await opened.read(lambda tx: cards.like(tx, "card:"))) == 1


async def test_a_poisonous_parcel_never_takes_an_innocent_one_with_it_when_two_replicas_drain(
    opened: SqlDatabase, clock: FakeClock
) -> None:
    other, inbox, stories = replica_of(opened), SqlInboxStore(), Stories(poison={"poison"})
    stories.prepare(opened)
    names = ["poison" if n % 7 == 3 else f"good-{n}" for n in range(28)]
    deliveries = [(a_delivery({"alerts": [name]}, NOON), f"id-{n}") for n, name in enumerate(names)]
    await opened.keep(lambda tx: inbox.add(tx, deliveries))
    drains = [
        Drain(a_desk(db, clock), {"plain": PLAIN}, Told(stories.on_alerts, stories.on_changes), batch=10)
        for db in (opened, other)
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
