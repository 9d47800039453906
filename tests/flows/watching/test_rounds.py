"""Golden signals meet their memory; what is unusual is a signal of the lowest severity."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.incident import Status
from bot.domain.noise import Kind
from bot.domain.watch import Sort, Warned, Watched, WatchLimits, WatchMode
from bot.errors import NotFound
from bot.flows.watching.listing import digest_lines, explain, listing
from bot.flows.watching.rounds import restored, watch_round
from bot.signals.novelty import Memory
from bot.storage.codec import dump
from bot.storage.database import SqlDatabase
from tests.fakes import NOON, an_alert
from tests.flows.desk_of_alerts import Story
from tests.flows.watching.numbers import Numbers

LIMITS = WatchLimits(every=timedelta(minutes=30), most=20)
P99 = ("payments", "http_latency_p99_seconds")


@pytest.fixture
def numbers() -> Numbers:
    return Numbers(step=timedelta(minutes=10))


@pytest.fixture
def story(database: SqlDatabase, numbers: Numbers) -> Story:
    return watching(Story(database), numbers, LIMITS)


def watching(story: Story, numbers: Numbers, limits: WatchLimits) -> Story:
    story.desk = replace(story.desk, evidence_sources=(numbers,), watching=limits)
    return story


def calm(at: datetime) -> float:
    return 0.2 + 0.02 * math.sin(at.timestamp() / 700)


def slow_since(moment: datetime, until: datetime | None = None) -> Callable[[datetime], float]:
    return lambda at: 2.0 if at > moment and (until is None or at <= until) else calm(at)


def learned(story: Story, *keys: tuple[str, str]) -> None:
    """26 hours of calm are remembered of these series."""
    step, memory = timedelta(minutes=30), Memory()
    for n in range(1, 53):
        at = NOON + n * step
        memory.meet(at.timestamp(), sum(calm(at - timedelta(minutes=m)) for m in (0, 10, 20)) / 3, 0.005)
    story.clock.advance(hours=26)
    state = dump(memory)
    story.write(lambda tx: story.desk.watches.keep(tx, [Watched(*key, story.clock(), state) for key in keys]))


def rounds(story: Story, count: int) -> None:
    """So many rounds; the last one is at the clock's time."""
    for _ in range(count):
        story.clock.advance(minutes=30)
        asyncio.run(watch_round({}, story.desk))


def warned(story: Story) -> tuple[Warned, ...]:
    return story.database.read_now(lambda tx: story.desk.watches.warnings(tx))


def test_what_is_unusual_after_a_day_is_told_once_and_opens_no_incident(story: Story, numbers: Numbers) -> None:
    numbers.metrics[P99] = slow_since(NOON + timedelta(hours=26))
    learned(story, P99)
    rounds(story, 1)
    (one,) = warned(story)
    assert (one.sort, one.service, one.metric) == (Sort.ANOMALY, *P99)
    assert one.text.startswith("payments http_latency_p99_seconds is 2: ")
    rounds(story, 1)
    assert not story.incidents()
    held = story.database.read_now(story.desk.noise.held)
    assert [(h.name, h.hold.kind) for h in held if h.hold] == [("UnusualMetric", Kind.NOTICES)]
    every = story.database.read_now(lambda tx: story.desk.watches.warnings(tx, NOON))
    assert len(every) == 1


def test_it_is_over_when_the_series_is_usual_again(story: Story, numbers: Numbers) -> None:
    began = NOON + timedelta(hours=26)
    numbers.metrics[P99] = slow_since(began, began + timedelta(minutes=30))
    learned(story, P99)
    rounds(story, 4)
    assert warned(story) == ()
    (one,) = story.database.read_now(lambda tx: story.desk.watches.warnings(tx, NOON))
    assert one.why_ended == "usual again"
    assert story.database.read_now(story.desk.noise.held) == ()


def test_it_joins_the_alert_that_comes_with_it_and_is_noted_in_the_incidents_around(story: Story, numbers: Numbers) -> None:
    numbers.metrics["checkout", "http_latency_p99_seconds"] = slow_since(NOON + timedelta(hours=26))
    learned(story, ("checkout", "http_latency_p99_seconds"))
    story.alerts(an_alert(started_at=story.clock()))
    rounds(story, 1)
    incident = story.only()
    assert incident.severity is an_alert().severity
    said = " ".join((*story.told(incident), *(m.name for m in incident.members)))
    assert "http_latency_p99_seconds" in said
    assert any("is 2: " in text or "UnusualMetric" in text for text in story.told(incident))
    assert incident.status is Status.OPEN


def test_with_on_it_may_open_an_incident(database: SqlDatabase, numbers: Numbers) -> None:
    story = watching(Story(database), numbers, replace(LIMITS, mode=WatchMode.ON))
    numbers.metrics[P99] = slow_since(NOON + timedelta(hours=26))
    learned(story, P99)
    rounds(story, 1)
    assert story.only().severity.value == "SEV4"


def test_with_off_nothing_is_asked(database: SqlDatabase, numbers: Numbers) -> None:
    story = watching(Story(database), numbers, replace(LIMITS, mode=WatchMode.OFF))
    rounds(story, 1)
    assert numbers.asked == []


def test_less_latency_is_no_warning_and_a_source_that_is_down_changes_nothing(story: Story, numbers: Numbers) -> None:
    fast = NOON + timedelta(hours=26)
    numbers.metrics[P99] = lambda at: 0.01 if at > fast else calm(at)
    learned(story, P99)
    rounds(story, 1)
    assert warned(story) == ()
    before = story.database.read_now(story.desk.watches.states)
    numbers.down = True
    rounds(story, 1)
    assert story.database.read_now(story.desk.watches.states) == before


def test_a_round_twice_counts_no_point_twice_and_the_number_of_series_is_bounded(story: Story, numbers: Numbers) -> None:
    numbers.metrics = {(s, f"{m}_latency_p99_seconds"): calm for s in ("payments", "checkout", "store") for m in ("a", "b")}
    story.desk = replace(story.desk, watching=replace(LIMITS, most=4))
    rounds(story, 2)
    once = story.database.read_now(story.desk.watches.states)
    assert len(once) == 4
    asyncio.run(watch_round({}, story.desk))
    assert story.database.read_now(story.desk.watches.states) == once


def test_a_person_can_list_explain_and_reset_what_is_remembered(story: Story, numbers: Numbers) -> None:
    numbers.metrics[P99] = slow_since(NOON + timedelta(hours=26))
    learned(story, P99)
    rounds(story, 1)
    now, read = story.clock(), story.database.read_now
    assert any("UnusualMetric: payments" in line for line in read(lambda tx: listing(tx, story.desk, now)))
    lines = read(lambda tx: explain(tx, story.desk, *P99, now))
    assert "watched for 1.1 days" in lines[0]
    assert lines[-1] == "told of 0 min ago"
    assert read(lambda tx: digest_lines(tx, story.desk, NOON)) == ["1 metric unusual, of payments"]
    with pytest.raises(NotFound, match="there is: http_latency_p99_seconds"):
        read(lambda tx: explain(tx, story.desk, "payments", "other", now))
    assert story.database.write_now(lambda tx: story.desk.watches.reset(tx, *P99)) == 1
    assert read(story.desk.watches.states) == ()


def test_nothing_is_told_on_the_first_day(story: Story, numbers: Numbers) -> None:
    numbers.metrics[P99] = slow_since(NOON + timedelta(hours=13))
    rounds(story, 30)
    assert len(story.database.read_now(story.desk.watches.states)) == 1
    assert warned(story) == ()


def test_what_another_version_remembered_is_learned_anew(story: Story, numbers: Numbers) -> None:
    numbers.metrics[P99] = calm
    learned(story, P99)
    (one,) = story.database.read_now(story.desk.watches.states)
    for state in (one.state.replace('"version":1', '"version":99'), "no JSON"):
        story.write(lambda tx, state=state: story.desk.watches.keep(tx, [replace(one, state=state)]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        rounds(story, 1)
        (again,) = story.database.read_now(story.desk.watches.states)
        assert restored(again).since == story.clock().timestamp()
