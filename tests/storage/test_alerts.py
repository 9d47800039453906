"""Problems and their instances come back as they were kept; only what was asked for is touched."""

from datetime import timedelta

from bot.ports import Problem, Sighting
from bot.storage.alerts import SqlAlertStore
from bot.storage.database import SqlDatabase
from tests.fakes import NOON, an_alert

STORE = SqlAlertStore()
MINUTE = timedelta(minutes=1)


def a_problem(**fields: object) -> Problem:
    return Problem(**{"fingerprint": "f1", "name": "HighErrorRate", "service": "payments", **fields})  # type: ignore[arg-type]  # any field


def test_a_problem_comes_back_with_the_instances_that_were_asked_for(database: SqlDatabase) -> None:
    kept = a_problem(
        incident_id="i", firing={"a": NOON, "b": NOON}, cleared={"c": NOON + MINUTE}, count=2, events=3, last_at=NOON
    )
    database.write_now(lambda tx: STORE.save(tx, [kept]))
    asked = {("f1", "a"), ("f1", "c"), ("f2", "x")}
    found = database.read_now(lambda tx: STORE.known(tx, asked))
    assert found == {"f1": a_problem(
        incident_id="i", firing={"a": NOON}, cleared={"c": NOON + MINUTE}, count=2, events=3, last_at=NOON
    )}  # fmt: skip


def test_saving_some_instances_leaves_the_others_as_they_are(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.save(tx, [a_problem(firing={"a": NOON, "b": NOON}, count=2)]))
    database.write_now(lambda tx: STORE.save(tx, [a_problem(cleared={"a": NOON + MINUTE}, count=1)]))
    found = database.read_now(lambda tx: STORE.known(tx, {("f1", "a"), ("f1", "b")}))["f1"]
    assert (found.firing, found.cleared, found.count) == ({"b": NOON}, {"a": NOON + MINUTE}, 1)


def test_more_keys_than_one_statement_takes_are_found(database: SqlDatabase) -> None:
    many = [a_problem(fingerprint=f"f{n}", firing={f"k{n}": NOON}, count=1) for n in range(1200)]
    database.write_now(lambda tx: STORE.save(tx, many))
    found = database.read_now(lambda tx: STORE.known(tx, {(p.fingerprint, k) for p in many for k in p.firing}))
    assert sum(len(p.firing) for p in found.values()) == 1200


def test_the_events_of_an_incident_come_back_in_order_and_whole(database: SqlDatabase) -> None:
    first, second = an_alert(), an_alert(resolved=True, ended_at=NOON + MINUTE, group={"cluster": "eu1"})
    rows = [
        Sighting(first, "f1", "a", "new", "i"),
        Sighting(second, "f1", "a", "cleared", "i"),
        Sighting(first, "f1", "a", "repeat"),
    ]
    database.write_now(lambda tx: STORE.seen(tx, rows))
    assert database.read_now(lambda tx: STORE.events(tx, "i")) == (first, second)
    assert database.read_now(lambda tx: STORE.events(tx, "i", limit=1)) == (first,)


def test_what_is_old_is_forgotten_and_what_still_fires_is_not(database: SqlDatabase) -> None:
    rows = [Sighting(an_alert(started_at=NOON - 10 * MINUTE), "f1", "a", "new"), Sighting(an_alert(), "f1", "b", "new")]
    old = a_problem(fingerprint="f2", cleared={"x": NOON - 10 * MINUTE}, resolved_at=NOON - 10 * MINUTE)
    live = a_problem(firing={"a": NOON - 10 * MINUTE}, count=1)
    database.write_now(lambda tx: (STORE.seen(tx, rows), STORE.save(tx, [old, live])))
    assert database.write_now(lambda tx: STORE.forget(tx, NOON - MINUTE)) == 1
    found = database.read_now(lambda tx: STORE.known(tx, {("f1", "a"), ("f2", "x")}))
    assert set(found) == {"f1"}
    assert found["f1"].firing == live.firing
