"""The drain: every parcel ends somewhere people can see, and poison hurts nobody but itself."""

import asyncio

import pytest

from bot.domain.alert import UNREADABLE, instance_key
from bot.errors import NotFound
from bot.intake.inbox import Drain, Told, replay
from bot.intake.meters import Meters
from bot.ports import Delivery, Parcel
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from tests.fakes import FakeClock
from tests.intake.desk import PLAIN, Stories, a_delivery, a_desk


def put(database: SqlDatabase, clock: FakeClock, *bodies: object) -> None:
    deliveries = [(a_delivery(body, clock()), f"{n}-{body!r}"[:190]) for n, body in enumerate(bodies)]
    database.keep_now(lambda tx: SqlInboxStore().add(tx, deliveries))


def parcels(database: SqlDatabase) -> list[Parcel]:
    """All of them, oldest first."""
    return database.read_now(lambda tx: SqlInboxStore().recent(tx, state=None, limit=1000))[::-1]


def drain(database: SqlDatabase, clock: FakeClock, stories: Stories, **more: int) -> Drain:
    stories.prepare(database)
    return Drain(a_desk(database, clock), {"plain": PLAIN}, Told(stories.on_alerts, stories.on_changes), **more)  # type: ignore[arg-type]  # batch only


async def test_a_batch_is_one_transaction_and_each_parcel_says_what_it_held(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories()
    put(database, clock, {"alerts": ["a", "b"]}, {"changes": ["c1"]}, {"ping": 1}, {"alerts": ["c"], "changes": ["c2"]})
    assert await drain(database, clock, stories).once() == 4
    assert stories.batches == [3]
    assert stories.heard(database) == ["c1", "c2", "a", "b", "c"]
    assert [(p.state, p.outcome) for p in parcels(database)] == [
        ("done", "2 alerts"),
        ("done", "1 change"),
        ("done", "ignored: ping"),
        ("done", "1 alert, 1 change"),
    ]
    assert await drain(database, clock, stories).once() == 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"alerts": ["a', "$: this is not JSON"),
        ({"alerts": 3}, "$.alerts: alerts is not a list"),
        ({"bug": "deep inside"}, "ZeroDivisionError: deep inside"),
        (b"[" * 60, "$: this is not JSON"),
        (b"[1]", "AttributeError"),
        (b'{"bug": "half \\ud800 and \\u0000"}', "half ? and \ufffd"),
    ],
)
async def test_what_nobody_can_read_becomes_a_visible_alert_and_keeps_its_raw_text(
    database: SqlDatabase, clock: FakeClock, body: object, error: str
) -> None:
    stories = Stories()
    put(database, clock, {"alerts": ["before"]}, body, {"alerts": ["after"]})
    await drain(database, clock, stories).once()
    before, bad, after = parcels(database)
    assert (before.state, bad.state, after.state) == ("done", "unreadable", "done")
    assert error in bad.error
    (alert,) = stories.unreadable
    assert not alert.readable
    assert f"tocsin inbox show {bad.id}`" in alert.description
    assert error in alert.summary
    assert stories.heard(database) == ["before", UNREADABLE, "after"]


async def test_what_is_shown_of_an_unreadable_delivery_is_redacted_and_short(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories()
    put(database, clock, {"bug": "ghp_16C7e42F292c6912E7710c838347Ae178B4a " + "x" * 5000})
    await drain(database, clock, stories).once()
    (alert,) = stories.unreadable
    assert "16C7e42F292c6912" not in alert.summary + parcels(database)[0].error
    assert len(alert.summary) < 300


async def test_many_unreadable_deliveries_are_one_problem(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories()
    put(database, clock, *(f'{{"alerts": {n}'.encode() for n in range(5)))
    await drain(database, clock, stories).once()
    assert len({instance_key(a) for a in stories.unreadable}) == 1


async def test_one_delivery_cannot_hold_up_the_others_with_more_than_anybody_sends(
    database: SqlDatabase, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.intake.inbox.MOST_EVENTS", 3)
    stories = Stories()
    put(database, clock, {"alerts": ["a", "b", "c"]}, {"alerts": ["d"] * 4})
    await drain(database, clock, stories).once()
    assert stories.heard(database) == ["a", "b", "c", UNREADABLE]
    assert "4 events are in it, and at most 3 are taken" in parcels(database)[1].error


async def test_a_poison_parcel_is_put_aside_visibly_and_the_rest_goes_on(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories(poison={"arsenic"})
    put(database, clock, *({"alerts": [n]} for n in ("a", "b", "arsenic", "c", "d")))
    line = drain(database, clock, stories)
    while await line.once():
        pass
    assert stories.heard(database) == ["a", "b", UNREADABLE, "c", "d"]
    bad = parcels(database)[2]
    assert (bad.state, bad.attempts, bad.error) == ("unreadable", 3, "LookupError: cannot stomach arsenic")


async def test_even_when_the_story_of_alerts_is_broken_the_line_goes_on(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories(poison={"a", UNREADABLE})
    put(database, clock, {"alerts": ["a"]}, {"changes": ["c1"]})
    line = drain(database, clock, stories)
    while await line.once():
        pass
    assert [p.state for p in parcels(database)] == ["unreadable", "done"]
    assert stories.heard(database) == ["c1"]


async def test_a_parcel_that_was_put_aside_can_be_replayed_after_the_repair(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories(poison={"arsenic"})
    put(database, clock, {"alerts": ["arsenic"]})
    line = drain(database, clock, stories)
    while await line.once():
        pass
    stories.poison.clear()
    (parcel,) = parcels(database)
    assert (await replay(database, SqlInboxStore(), parcel.id)).state == "waiting"
    assert await line.once() == 1
    (parcel,) = parcels(database)
    assert (parcel.state, parcel.error, parcel.outcome) == ("done", "", "1 alert")
    with pytest.raises(NotFound, match="no delivery 99"):
        await replay(database, SqlInboxStore(), 99)


async def test_a_delivery_of_a_connector_that_is_gone_is_visible(database: SqlDatabase, clock: FakeClock) -> None:
    stories = Stories()
    database.keep_now(lambda tx: SqlInboxStore().add(tx, [(Delivery("gone", {}, b"{}", clock()), "")]))
    await drain(database, clock, stories).once()
    assert "no connector 'gone' any more" in parcels(database)[0].error
    assert len(stories.unreadable) == 1


async def test_a_batch_ends_when_it_holds_enough_events(
    database: SqlDatabase, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.intake.inbox.LARGE", 3)
    stories = Stories()
    put(database, clock, *({"alerts": [f"{n}a", f"{n}b"]} for n in range(5)))
    line = drain(database, clock, stories)
    assert [await line.once() for _ in range(4)] == [2, 2, 1, 0]
    assert len(stories.heard(database)) == 10


async def test_the_running_drain_wakes_at_once_and_stops_when_told(database: SqlDatabase, clock: FakeClock) -> None:
    stories, meters = Stories().prepare(database), Meters()
    line = Drain(a_desk(database, clock), {"plain": PLAIN}, Told(stories.on_alerts, stories.on_changes), meters=meters)
    running = asyncio.create_task(line.run())
    await asyncio.sleep(0.05)
    put(database, clock, {"alerts": ["a"]}, {"changes": ["b"]}, b"?")
    line.wake()
    async with asyncio.timeout(30):
        while len(stories.heard(database)) < 3:
            await asyncio.sleep(0.01)
    assert stories.heard(database) == ["b", "a", UNREADABLE]
    assert line.healthy
    line.stop()
    await asyncio.wait_for(running, 30)
    page = meters.page().decode()
    assert 'tocsin_parcels_total{connector="plain",outcome="alerts"} 1.0' in page
    assert 'tocsin_parcels_total{connector="plain",outcome="unreadable"} 1.0' in page
    assert 'tocsin_events_total{connector="plain",kind="change"} 1.0' in page
