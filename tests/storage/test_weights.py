"""Learned weights: every attempt is kept, one is in force; looks from before they existed can still be read."""

import json
from dataclasses import replace
from datetime import timedelta

from bot.domain.evidence import Candidate, Confidence, Diagnosis, Fact, Verdict
from bot.domain.learning import Calibration, HeldBack, Learned, Weights
from bot.storage.codec import dump, load
from bot.storage.database import SqlDatabase
from bot.storage.weights import KEPT, SqlWeightStore
from tests.fakes import NOON

STORE = SqlWeightStore()
FIGURES = HeldBack(20, 18, 12, 6, 0, 9, 8, 0, 2, 0.3, 0.4)
FIRST = Learned(1, NOON, Weights("w1", {"retry": 0.6}, 2.1, Calibration(-1.0, 1.5)), 40, True, "gains", "b1", FIGURES, FIGURES)


def test_an_adopted_attempt_is_in_force_and_comes_back_whole(database: SqlDatabase) -> None:
    assert database.read_now(STORE.current) is None
    database.write_now(lambda tx: STORE.keep(tx, FIRST))
    assert database.read_now(STORE.current) == FIRST


def test_one_that_was_not_adopted_is_only_history(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.keep(tx, FIRST))
    second = replace(FIRST, number=2, at=NOON + timedelta(days=1), adopted=False, reason="may be chance")
    database.write_now(lambda tx: STORE.keep(tx, second))
    assert database.read_now(STORE.current) == FIRST
    assert database.read_now(STORE.history) == (second, FIRST)


def test_a_person_chooses_a_version_or_the_shipped_weights(database: SqlDatabase) -> None:
    later = NOON + timedelta(days=2)
    database.write_now(lambda tx: STORE.keep(tx, FIRST))
    shipped = database.write_now(lambda tx: STORE.use(tx, 0, later, pinned=False))
    assert shipped is not None
    assert database.read_now(STORE.current) == shipped
    assert shipped.weights == Weights()
    chosen = database.write_now(lambda tx: STORE.use(tx, 1, later + timedelta(days=1), pinned=True))
    assert chosen == replace(FIRST, pinned=True)
    assert database.read_now(STORE.current) == chosen
    assert database.write_now(lambda tx: STORE.use(tx, 9, later, pinned=True)) is None
    assert [one.number for one in database.read_now(STORE.history)] == [1]


def test_old_attempts_that_never_counted_are_dropped(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.keep(tx, FIRST))
    for number in (2, 3, 3 + KEPT):
        database.write_now(lambda tx, n=number: STORE.keep(tx, replace(FIRST, number=n, adopted=False)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert [one.number for one in database.read_now(STORE.history)] == [3 + KEPT, 1]


def test_a_look_from_before_scores_were_kept_is_still_read() -> None:
    guilty = Candidate("c1", "payments", "raise", facts=(Fact("retries", 3.0, ("E1",), "retry"),))
    look = Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "v43 did it", NOON, cause=guilty, suspects=(guilty,))
    body = json.loads(dump(look))
    for candidate in (body["cause"], *body["suspects"]):
        del candidate["content"], candidate["heard"]
        for fact in candidate["facts"]:
            del fact["weight"]
    del body["reckoning"]
    assert load(Diagnosis, json.dumps(body)) == look
