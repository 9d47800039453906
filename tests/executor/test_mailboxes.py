"""An errand is in one pair of hands at a time, and who lost it writes nothing any more."""

from datetime import timedelta

from bot.domain.errand import LEASE, START, Errand, ErrandKind, ErrandState
from bot.storage.database import SqlDatabase
from tests.executor.room import STORE, mailbox
from tests.fakes import NOON, FakeClock

WAITING = Errand(START + "a1", ErrandKind.START, "shop", "{}", "proof", NOON, NOON + timedelta(minutes=2))


async def test_an_executor_that_stood_still_has_lost_what_it_began(database: SqlDatabase) -> None:
    clock = FakeClock()
    database.write_now(lambda tx: STORE.post(tx, WAITING))
    one, two = mailbox(database, "one", clock), mailbox(database, "two", clock)
    taken = await one.take(0)
    assert taken is not None
    begun = await one.begin(taken)
    assert begun is not None
    assert await two.take(0) is None
    clock.now += LEASE
    over = await two.take(0)
    assert over is not None
    assert (over.state, over.taken_by) == (ErrandState.BEGUN, "two")
    assert await one.keep(begun) is None
    assert await one.answer(begun, "{}") is False
    assert await two.answer(over, '{"late":true}') is True


async def test_a_lease_that_is_kept_is_not_taken_and_one_that_was_lost_begins_nothing(database: SqlDatabase) -> None:
    clock = FakeClock()
    database.write_now(lambda tx: STORE.post(tx, WAITING))
    one, two = mailbox(database, "one", clock), mailbox(database, "two", clock)
    taken = await one.take(0)
    assert taken is not None
    clock.now += LEASE - timedelta(seconds=1)
    assert await one.keep(taken) is not None
    clock.now += LEASE - timedelta(seconds=1)
    assert await two.take(0) is None
    clock.now += timedelta(seconds=1)
    assert await two.take(0) is not None
    assert await one.begin(taken) is None


async def test_what_ran_out_in_the_hands_of_an_executor_is_not_begun(database: SqlDatabase) -> None:
    clock = FakeClock()
    database.write_now(lambda tx: STORE.post(tx, WAITING))
    box = mailbox(database, "one", clock)
    taken = await box.take(0)
    assert taken is not None
    clock.now = WAITING.expires_at
    assert await box.begin(taken) is None
