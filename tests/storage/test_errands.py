"""Errands change by compare-and-set: of two that want the same one, one gets it."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from bot.domain.errand import LEASE, Errand, ErrandKind, ErrandState, Presence
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from bot.storage.errands import SqlErrandStore
from tests.fakes import NOON

STORE = SqlErrandStore()
SECOND = timedelta(seconds=1)
START = Errand("start:a1", ErrandKind.START, "shop", '{"a":1}', "proof", NOON, NOON + timedelta(minutes=2))


def free(database: SqlDatabase, at: datetime) -> str:
    found = database.read_now(lambda tx: STORE.free(tx, at, ("shop",)))
    assert found is None or found.free(at)
    return found.id if found else ""


def test_an_errand_is_there_once_whatever_is_posted_under_its_name(database: SqlDatabase) -> None:
    assert database.write_now(lambda tx: STORE.post(tx, START)) == START
    taken = START.taken("exe", NOON)
    assert database.write_now(lambda tx: STORE.move(tx, START, taken)) == taken
    assert database.write_now(lambda tx: STORE.post(tx, replace(START, body="{}"))) == taken
    assert database.read_now(lambda tx: STORE.get(tx, "start:a1")) == taken
    assert database.read_now(lambda tx: STORE.get(tx, "start:a2")) is None


def test_who_has_another_deployer_leaves_it(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.post(tx, START))
    assert database.read_now(lambda tx: STORE.free(tx, NOON, ())) is None
    assert database.read_now(lambda tx: STORE.free(tx, NOON, ("jobs",))) is None
    assert database.read_now(lambda tx: STORE.free(tx, NOON, ("jobs", "shop"))) == START


def test_of_two_that_take_it_one_has_it(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.post(tx, START))
    moved = [database.write_now(partial(STORE.move, before=START, after=START.taken(by, NOON))) for by in ("a", "b")]
    assert [m.taken_by if m else None for m in moved] == ["a", None]


def test_what_may_be_taken(database: SqlDatabase) -> None:
    taken, begun = START.taken("a", NOON), START.taken("a", NOON).begun(NOON)
    late = timedelta(minutes=2)
    cases = [
        (START, timedelta(), True),
        (START, late, False),  # nobody took it in time: it is never begun
        (taken, LEASE - SECOND, False),
        (taken, LEASE, True),
        (replace(taken, taken_until=NOON), late, False),
        (begun, LEASE - SECOND, False),
        (begun, LEASE, True),
        (begun, timedelta(days=2), True),  # what was begun has to be settled
        (begun.with_answer("{}"), LEASE, False),
    ]
    for errand, after, is_free in cases:
        database.write_now(partial(STORE.post, errand=errand))
        assert errand.free(NOON + after) is is_free
        assert (free(database, NOON + after) == errand.id) is is_free
        assert database.write_now(lambda tx: STORE.forget(tx, NOON + SECOND)) == 1


def test_the_oldest_is_taken_first(database: SqlDatabase) -> None:
    def post(tx: Transaction) -> None:
        for number in (2, 1, 3):
            STORE.post(tx, replace(START, id=f"start:a{number}", created_at=NOON + number * SECOND))

    database.write_now(post)
    assert free(database, NOON + 5 * SECOND) == "start:a1"


def test_questions_are_dropped_and_starts_stay_until_they_are_old(database: SqlDatabase) -> None:
    question = replace(START, id="ask:q1", kind=ErrandKind.STATUS)

    def post(tx: Transaction) -> None:
        for errand in (START, question, replace(question, id="ask:q2", created_at=NOON + SECOND)):
            STORE.post(tx, errand)
        for id in ("start:a1", "ask:q2"):
            STORE.drop(tx, id)

    database.write_now(post)
    assert database.read_now(lambda tx: STORE.get(tx, "start:a1")) == START
    assert database.read_now(lambda tx: STORE.get(tx, "ask:q2")) is None
    assert database.write_now(lambda tx: STORE.forget_questions(tx, NOON + SECOND)) == 1
    assert database.write_now(lambda tx: STORE.forget(tx, NOON)) == 0
    assert database.write_now(lambda tx: STORE.forget(tx, NOON + SECOND)) == 1


def test_who_was_there_last_is_told_first_and_forgotten_late(database: SqlDatabase) -> None:
    one, two = Presence("one", NOON, ("shop", "jobs")), Presence("two", NOON + SECOND)
    for presence in (replace(one, seen_at=NOON - SECOND), one, two):
        database.write_now(partial(STORE.see, presence=presence))
    assert database.read_now(STORE.presences) == (two, one)
    database.write_now(lambda tx: STORE.forget(tx, NOON + SECOND))
    assert database.read_now(STORE.presences) == (two,)


def test_what_was_begun_stays_begun_in_other_hands() -> None:
    begun = START.taken("a", NOON).begun(NOON)
    assert begun.taken("b", NOON).state is ErrandState.BEGUN
    assert begun.kept(NOON + SECOND).version == begun.version
