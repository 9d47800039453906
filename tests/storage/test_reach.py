"""One row per attempt to reach somebody, replaced in place."""

from dataclasses import replace

from bot.ports import Reached
from bot.storage.database import SqlDatabase
from bot.storage.reach import SqlReachStore
from tests.fakes import NOON

ONE = Reached("i-1:0:pagerduty", "i-1", NOON, "pagerduty", "", "due", "tocsin:i-1:", "not acknowledged for 5 min")


def test_an_attempt_stands_under_its_key_and_is_replaced_whole(database: SqlDatabase) -> None:
    store, done = SqlReachStore(), replace(ONE, state="done", detail="was paged")
    database.write_now(lambda tx: store.put(tx, ONE))
    database.write_now(lambda tx: store.put(tx, done))
    assert database.read_now(lambda tx: store.get(tx, ONE.key)) == done
    assert database.read_now(lambda tx: store.get(tx, "another")) is None


def test_all_about_one_incident_come_in_order_and_long_keys_stay_apart(database: SqlDatabase) -> None:
    store, long = SqlReachStore(), "i-1:" + "x" * 400
    for key in (long + "a", long + "b", "i-2"):
        one = replace(ONE, key=key, incident_id=key[:3], page="p" * 300)
        database.write_now(lambda tx, one=one: store.put(tx, one))
    assert len(database.read_now(lambda tx: store.of(tx, "i-1"))) == 2
    assert database.read_now(lambda tx: store.get(tx, long + "a")) is not None
