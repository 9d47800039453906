"""The inbox: what is kept, what is the same delivery, what is taken, what is forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ports import Delivery, Parcel
from bot.storage import inbox as inbox_module
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from tests.fakes import NOON


def delivery(body: str = "{}", seconds: float = 0, connector: str = "alertmanager") -> Delivery:
    at = NOON + timedelta(seconds=seconds)
    return Delivery(connector, {"x-kind": "test"}, body.encode(), at, {"team": "a"})


def add(database: SqlDatabase, *deliveries: tuple[Delivery, str]) -> list[bool]:
    return database.keep_now(lambda tx: SqlInboxStore().add(tx, deliveries))


def take(database: SqlDatabase, most: int = 100) -> list[Parcel]:
    return database.write_now(lambda tx: SqlInboxStore().take(tx, most))


def test_what_is_kept_comes_back_whole_and_in_order(database: SqlDatabase) -> None:
    first, second = delivery("é1"), delivery("2")
    assert add(database, (first, ""), (second, "")) == [True, True]
    parcels = take(database)
    assert [p.delivery for p in parcels] == [first, second]
    assert [p.state for p in parcels] == ["waiting", "waiting"]


def test_the_same_vendor_id_is_the_same_delivery_at_any_time(database: SqlDatabase) -> None:
    assert add(database, (delivery("1"), "id-1"), (delivery("other body"), "id-1")) == [True, False]
    assert add(database, (delivery("1", seconds=86_400), "id-1")) == [False]
    assert add(database, (delivery("1", connector="github"), "id-1")) == [True]


@pytest.mark.parametrize(("seconds", "new"), [(0, False), (59, False), (61, True)])
def test_without_an_id_the_same_body_is_the_same_delivery_for_a_minute(database: SqlDatabase, seconds: float, new: bool) -> None:
    add(database, (delivery("same"), ""))
    assert add(database, (delivery("same", seconds), "")) == [new]


def test_the_same_body_twice_in_one_commit_is_kept_once(database: SqlDatabase) -> None:
    one = delivery("same")
    assert add(database, (one, ""), (one, ""), (delivery("same", connector="github"), "")) == [True, False, True]


def test_a_second_delivery_stays_known_after_the_first_is_done(database: SqlDatabase) -> None:
    add(database, (delivery("same"), ""))
    done = [replace(p, state="done", outcome="1 alert") for p in take(database)]
    database.write_now(lambda tx: SqlInboxStore().finish(tx, done))
    assert take(database) == []
    assert add(database, (delivery("same", seconds=30), "")) == [False]


def test_taking_stops_at_the_number_and_at_what_memory_bears(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    add(database, *((delivery(f"{n}" * 100), "") for n in range(5)))
    assert len(take(database, most=3)) == 3
    monkeypatch.setattr(inbox_module, "MOST_BYTES", 250)
    assert len(take(database)) == 2
    monkeypatch.setattr(inbox_module, "MOST_BYTES", 1)
    assert len(take(database)) == 1


def test_the_end_of_a_parcel_is_kept_and_can_be_listed(database: SqlDatabase) -> None:
    inbox = SqlInboxStore()
    add(database, (delivery("1"), ""), (delivery("2"), ""), (delivery("3"), ""))
    first, second, third = take(database)
    ends = [replace(first, state="done", outcome="2 alerts"), replace(second, state="unreadable", error="$: no")]
    database.write_now(lambda tx: inbox.finish(tx, ends))
    assert database.read_now(inbox.waiting) == 1
    assert database.read_now(lambda tx: inbox.recent(tx, state="unreadable", limit=9)) == [ends[1]]
    assert [p.id for p in database.read_now(lambda tx: inbox.recent(tx, state=None, limit=2))] == [third.id, second.id]
    assert database.read_now(lambda tx: inbox.get(tx, first.id)) == ends[0]
    assert database.read_now(lambda tx: inbox.get(tx, 999)) is None


def test_old_parcels_are_forgotten_unless_they_still_wait(database: SqlDatabase) -> None:
    add(database, (delivery("old"), ""), (delivery("old and waiting"), ""), (delivery("new", seconds=100), ""))
    old, _, new = take(database)
    ends = [replace(p, state="done") for p in (old, new)]
    database.write_now(lambda tx: SqlInboxStore().finish(tx, ends))
    inbox = SqlInboxStore()
    ids, more = database.read_now(lambda tx: inbox.old(tx, NOON + timedelta(seconds=50)))
    assert (ids, more) == ([old.id], None)
    database.keep_now(lambda tx: inbox.forget(tx, ids))
    database.write_now(inbox.forget_outcomes)
    left = database.read_now(lambda tx: SqlInboxStore().recent(tx, state=None, limit=9))
    assert [p.delivery.body for p in left] == [b"new", b"old and waiting"]
