"""Who was seen calling whom: since when stays, the numbers are the latest, minutes add up, old things go."""

from datetime import timedelta

import pytest

from bot.domain.topology import CallMinute, SeenCall
from bot.storage.database import SqlDatabase
from bot.storage.topology import SqlTopologyStore
from tests.fakes import NOON

STORE = SqlTopologyStore()
MINUTE = timedelta(minutes=1)


def test_a_call_keeps_since_when_it_is_known_and_the_numbers_of_the_last_time(database: SqlDatabase) -> None:
    def saw(source: str, call: SeenCall, minutes: int) -> None:
        database.write_now(lambda tx: STORE.saw(tx, source, [call], NOON + minutes * MINUTE))

    saw("otlp", SeenCall("cart", "stock", 2.0, external=True), 0)
    saw("otlp", SeenCall("cart", "stock", 3.0, 1.0, 40.0), 5)
    saw("jaeger", SeenCall("cart", "stock", 9.0), 1)
    first, second = database.read_now(STORE.known)
    assert (first.source, first.first_seen, first.last_seen) == ("otlp", NOON, NOON + 5 * MINUTE)
    assert (first.calls, first.errors, first.latency_ms, first.external) == (3.0, 1.0, 40.0, False)
    assert second.source == "jaeger"
    assert database.read_now(lambda tx: STORE.known(tx, NOON + 2 * MINUTE)) == (first,)
    assert database.write_now(lambda tx: STORE.forget(tx, NOON + 2 * MINUTE)) == 1
    assert database.read_now(STORE.known) == (first,)


def test_calls_that_are_never_read_do_not_fill_the_database(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.topology.MOST", 3)
    for n in range(6):
        call = SeenCall("cart", f"customer-{n}")
        database.write_now(lambda tx, call=call, n=n: STORE.saw(tx, "otlp", [call], NOON + n * MINUTE))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert database.write_now(lambda tx: STORE.forget(tx, NOON - MINUTE)) == 2
    assert [k.callee for k in database.read_now(STORE.known)] == ["customer-5", "customer-4", "customer-3"]


def test_counts_of_one_minute_add_up_whoever_tells_them(database: SqlDatabase) -> None:
    told = [
        [CallMinute(NOON, "cart", "stock", 10, 1, 200.0), CallMinute(NOON, "cart", "stock", 5, 0, 50.0)],
        [CallMinute(NOON, "cart", "stock", 1, 1, 50.0), CallMinute(NOON + MINUTE, "web", "cart", 7)],
        [],
    ]
    for rows in told:
        database.write_now(lambda tx, rows=rows: STORE.add(tx, rows))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def read(*services: str) -> tuple[CallMinute, ...]:
        return database.read_now(lambda tx: STORE.minutes(tx, NOON, NOON + 2 * MINUTE, services))

    assert read("stock") == (CallMinute(NOON, "cart", "stock", 16, 2, 300.0),)
    assert [m.callee for m in read("cart")] == ["stock", "cart"]
    assert read("search") == ()
    totals = database.read_now(lambda tx: STORE.totals(tx, NOON, NOON + 2 * MINUTE))
    assert [(t.caller, t.calls) for t in totals] == [("cart", 16), ("web", 7)]
    assert database.write_now(lambda tx: STORE.forget_minutes(tx, NOON + MINUTE)) == 1
    assert read("stock") == ()
