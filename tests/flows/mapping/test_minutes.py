"""What the receiver counted is kept under the catalogue's names, and waits while the database is away."""

from datetime import timedelta

import msgspec
import pytest

from bot.domain.topology import CallMinute
from bot.errors import Unavailable
from bot.flows.mapping import minutes
from bot.flows.mapping.minutes import MinuteKeeper
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock

ROW = CallMinute(NOON, "checkout", "payments-api", 3, 1, 30.0)


def line(*rows: CallMinute) -> bytes:
    return msgspec.json.encode(rows) + b"\n"


async def test_counts_are_kept_under_the_names_of_the_catalogue(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock)
    keeper = MinuteKeeper(desk)
    keeper.heard(line())
    keeper.heard(line(ROW, CallMinute(NOON, "payments", "payments_api", 1)))
    await keeper.write()
    kept = database.read_now(lambda tx: desk.topology.minutes(tx, NOON, NOON + timedelta(minutes=1), ["payments"]))
    assert kept == (CallMinute(NOON, "checkout", "payments", 3, 1, 30.0),)


async def test_while_the_database_is_away_they_wait_and_the_oldest_go_first(
    database: SqlDatabase, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        async def write(self, work: object) -> None:
            raise Unavailable("It is away.")

    desk = a_desk(database, clock)
    monkeypatch.setattr(minutes, "MOST", 2)
    keeper = MinuteKeeper(a_desk(database, clock, db=Away()))
    for n in range(3):
        keeper.heard(line(CallMinute(NOON + timedelta(minutes=n), "checkout", "payments", 1)))
    with pytest.raises(Unavailable):
        await keeper.write()
    keeper._desk = desk
    await keeper.write()
    kept = database.read_now(lambda tx: desk.topology.minutes(tx, NOON, NOON + timedelta(hours=1), ["payments"]))
    assert [m.at for m in kept] == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
