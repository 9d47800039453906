"""The clock: slots come from the plan, not from who woke when; daylight saving neither loses nor doubles one."""

import asyncio
import time as wall
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.intake.schedule import Clockwork, Daily, Every, Job, Slots
from tests.fakes import InMemoryWork, PlainDatabase

BERLIN = ZoneInfo("Europe/Berlin")


def slots(when: Daily | Every, start: datetime, count: int) -> list[datetime]:
    """The next so many slots, as APScheduler asks for them."""
    found: list[datetime] = []
    trigger = Slots(when)
    while len(found) < count:
        found.append(trigger.get_next_fire_time(found[-1] if found else None, found[-1] if found else start))
    return found


@pytest.mark.parametrize(
    ("start", "labels", "hours"),
    [
        (  # 02:30 does not exist on the 29th
            datetime(2026, 3, 27, 12, tzinfo=UTC),
            ["2026-03-28T02:30", "2026-03-29T02:30", "2026-03-30T02:30"],
            [(28, 1, 30), (29, 1, 30), (30, 0, 30)],
        ),
        (  # 02:30 is there twice on the 25th
            datetime(2026, 10, 23, 12, tzinfo=UTC),
            ["2026-10-24T02:30", "2026-10-25T02:30", "2026-10-26T02:30"],
            [(24, 0, 30), (25, 0, 30), (26, 1, 30)],
        ),
    ],
)
def test_a_day_that_changes_its_clocks_has_its_slot_once(
    start: datetime, labels: list[str], hours: list[tuple[int, int, int]]
) -> None:
    daily = Daily(time(2, 30), BERLIN)
    found = slots(daily, start, 3)
    assert [daily.label(s) for s in found] == labels
    assert [(s.day, s.hour, s.minute) for s in found] == hours


def test_a_year_has_as_many_slots_as_days() -> None:
    daily = Daily(time(2, 30), BERLIN)
    found = slots(daily, datetime(2026, 1, 1, tzinfo=UTC), 365)
    assert len({daily.label(s) for s in found}) == 365
    assert found[-1].astimezone(BERLIN).date() == datetime(2026, 12, 31, tzinfo=UTC).date()


def test_all_replicas_have_the_same_even_slots_whenever_they_began() -> None:
    every = Every(timedelta(minutes=5))
    starts = [datetime(2026, 11, 22, 9, 1, s, tzinfo=UTC) for s in (0, 17, 59)]
    assert {slots(every, s, 1)[0] for s in starts} == {datetime(2026, 11, 22, 9, 5, tzinfo=UTC)}
    assert every.label(slots(every, starts[0], 1)[0]) == "2026-11-22T09:05:00"


async def test_each_slot_starts_its_work_once_though_two_replicas_fire() -> None:
    work = InMemoryWork()
    jobs = [Job("remind", Every(timedelta(seconds=0.2)), {"hours": 4})]
    replicas = [Clockwork(PlainDatabase(), work, jobs) for _ in range(2)]
    for replica in replicas:
        replica.start()
    began = wall.monotonic()
    async with asyncio.timeout(30):
        while len(work.started) < 3:
            await asyncio.sleep(0.05)
    for replica in replicas:
        await replica.stop()
    count = len(work.started)
    assert count <= (wall.monotonic() - began) / 0.2 + 1
    assert len({s.id for s in work.started}) == len({s.args["slot"] for s in work.started})
    first = work.started[0]
    assert (first.queue, first.name, first.args["hours"]) == ("housekeeping", "remind", 4)
    assert first.id == f"remind:{first.args['slot']}"
    assert {s.partition for s in work.started} == {"remind"}, "two of a kind would run side by side"
    await asyncio.sleep(0.3)
    assert len(work.started) == count


async def test_a_slot_missed_in_sleep_is_made_up_for_once() -> None:
    work = InMemoryWork()
    clockwork = Clockwork(PlainDatabase(), work, [Job("remind", Every(timedelta(seconds=0.4)))])
    clockwork.start()
    await asyncio.sleep(0)
    wall.sleep(1.3)  # the machine sleeps, and the event loop with it
    woke = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.05)
    missed = [s for s in work.started if str(s.args["slot"]) < woke[:26]]  # the next slot may strike meanwhile
    assert len(missed) == 1
    await clockwork.stop()


async def test_the_next_slots_can_be_asked_for() -> None:
    clockwork = Clockwork(PlainDatabase(), InMemoryWork(), [Job("digest", Daily(time(9), BERLIN))])
    clockwork.start()
    (slot,) = clockwork.next_slots().values()
    await clockwork.stop()
    assert slot.astimezone(BERLIN).time() == time(9)
    assert slot > datetime.now(UTC)
