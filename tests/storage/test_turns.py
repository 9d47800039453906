"""A turn is one replica's at a time, until it ends or lapses."""

import threading
from datetime import timedelta

from bot.storage.database import SqlDatabase
from bot.storage.turns import SqlTurnStore
from tests.fakes import FakeClock
from tests.postgres import on_sqlite

STORE = SqlTurnStore()
SPAN = timedelta(minutes=2)


def test_a_turn_is_one_holders_until_it_ends(database: SqlDatabase, clock: FakeClock) -> None:
    def take(holder: str) -> bool:
        return database.write_now(lambda tx: STORE.take(tx, "embed", holder, SPAN, clock()))

    assert (take("one"), take("two"), take("one")) == (True, False, True)
    database.write_now(lambda tx: STORE.end(tx, "embed", "two"))
    assert not take("two")
    database.write_now(lambda tx: STORE.end(tx, "embed", "one"))
    assert take("two")


def test_of_many_at_once_one_has_it(database: SqlDatabase, clock: FakeClock) -> None:
    won: list[str] = []

    def try_it(holder: str) -> None:
        if database.write_now(lambda tx: STORE.take(tx, "embed", holder, SPAN, clock())):
            won.append(holder)

    threads = [threading.Thread(target=try_it, args=(f"replica{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


@on_sqlite
def test_a_turn_that_lapsed_is_anybodys(database: SqlDatabase, clock: FakeClock) -> None:
    assert database.write_now(lambda tx: STORE.take(tx, "embed", "dead", SPAN, clock()))
    clock.advance(minutes=3)
    assert database.write_now(lambda tx: STORE.take(tx, "embed", "alive", SPAN, clock()))
    assert not database.write_now(lambda tx: STORE.take(tx, "embed", "dead", SPAN, clock()))
