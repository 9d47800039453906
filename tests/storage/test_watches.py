"""What is remembered of watched metrics, what was warned of, and deployments that settle in."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.watch import Bake, BakeVerdict, Sort, Warned, Watched
from bot.storage.database import SqlDatabase
from bot.storage.watches import SqlWatchStore
from tests.fakes import NOON

STORE = SqlWatchStore()
LATER = NOON + timedelta(hours=1)


def test_series_are_replaced_found_by_service_and_forgotten(database: SqlDatabase) -> None:
    every = [Watched("a", "m", NOON, "1"), Watched("a", "n", LATER, "2", told_at=NOON), Watched("b", "m" * 400, LATER, "3")]
    database.write_now(lambda tx: STORE.keep(tx, every))
    database.write_now(lambda tx: STORE.keep(tx, [replace(every[0], state="new")]))
    assert [w.state for w in database.read_now(lambda tx: STORE.states(tx, {"a"}))] == ["new", "2"]
    assert database.read_now(STORE.count) == 3
    assert database.write_now(lambda tx: STORE.reset(tx, "a", "n")) == 1
    assert database.write_now(lambda tx: STORE.forget(tx, NOON + timedelta(minutes=1))) == 1
    assert database.read_now(STORE.states) == (every[2],)
    assert database.write_now(STORE.reset) == 1


def test_warnings_that_stand_are_told_from_those_that_began_lately(database: SqlDatabase) -> None:
    one = Warned("1", Sort.FORECAST, "a", "production", "disk", NOON, "disk of a full in 2.0 days")
    two = Warned("2", Sort.ANOMALY, "b", "production", "m", LATER, "unusual", ended_at=LATER, why_ended="usual again")
    database.write_now(lambda tx: STORE.warn(tx, [one, two]))
    assert database.read_now(STORE.warnings) == (one,)
    assert database.read_now(lambda tx: STORE.warnings(tx, NOON)) == (two, one)
    database.write_now(lambda tx: STORE.forget(tx, LATER + timedelta(days=1)))
    assert database.read_now(lambda tx: STORE.warnings(tx, NOON)) == (one,)


def test_bakes_that_go_on_are_told_from_those_that_ended(database: SqlDatabase) -> None:
    one = Bake("1", "a", "production", ("c:1",), "a v1", NOON, LATER)
    two = replace(one, id="2", began_at=LATER)
    database.write_now(lambda tx: STORE.bake(tx, [one, two]))
    assert database.read_now(STORE.bakes) == (two, one)
    database.write_now(lambda tx: STORE.bake(tx, [replace(one, verdict=BakeVerdict.CLEAN, ended_at=LATER)]))
    assert database.read_now(STORE.bakes) == (two,)
    assert [b.verdict for b in database.read_now(lambda tx: STORE.bakes(tx, NOON))] == [BakeVerdict.WATCHING, BakeVerdict.CLEAN]
