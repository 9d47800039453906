"""What runs out soon is told of once, and withdrawn when the trend ends."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.watch import Sort, Warned
from bot.flows.watching.listing import digest_lines
from bot.flows.watching.running_out import forecast_round
from bot.storage.database import SqlDatabase
from tests.fakes import NOON
from tests.flows.desk_of_alerts import Story
from tests.flows.watching.numbers import Numbers

DISK = ("store", "host_disk_used_ratio")


@pytest.fixture
def numbers() -> Numbers:
    return Numbers(step=timedelta(hours=1))


@pytest.fixture
def story(database: SqlDatabase, numbers: Numbers) -> Story:
    story = Story(database)
    story.desk = replace(story.desk, evidence_sources=(numbers,))
    return story


def fills(until: datetime | None = None) -> Callable[[datetime], float]:
    def value(at: datetime) -> float:
        return 0.9 + 0.03 * ((min(at, until) if until else at) - NOON) / timedelta(days=1)

    return value


def hour(story: Story, hours: int = 1) -> None:
    for _ in range(hours):
        asyncio.run(forecast_round({}, story.desk))
        story.clock.advance(hours=1)


def warned(story: Story, since: datetime | None = None) -> tuple[Warned, ...]:
    return story.database.read_now(lambda tx: story.desk.watches.warnings(tx, since))


def test_a_disk_that_fills_is_told_once_and_kept_up_to_date(story: Story, numbers: Numbers) -> None:
    numbers.metrics[DISK] = fills()
    hour(story)
    assert [(w.sort, w.text) for w in warned(story)] == [(Sort.FORECAST, "disk of store full in 3.3 days (3.3-3.3)")]
    hour(story, 20)
    assert len(warned(story, NOON)) == 1
    assert warned(story)[0].text.startswith("disk of store full in 2.5 days")
    assert not story.incidents()
    assert story.database.read_now(lambda tx: digest_lines(tx, story.desk, NOON)) == [warned(story)[0].text]


def test_it_is_withdrawn_when_the_trend_ends_and_comes_back_silently(story: Story, numbers: Numbers) -> None:
    numbers.metrics[DISK] = fills(until=NOON + timedelta(hours=1))
    hour(story, 20)
    assert warned(story) == ()
    assert [w.why_ended for w in warned(story, NOON)] == ["the trend has ended"]
    assert story.database.read_now(story.desk.noise.held) == ()
    numbers.metrics[DISK] = fills()
    hour(story)
    assert len(warned(story, NOON)) == 1


def test_a_source_that_is_down_withdraws_nothing(story: Story, numbers: Numbers) -> None:
    numbers.metrics[DISK] = fills()
    hour(story)
    numbers.down = True
    hour(story)
    assert len(warned(story)) == 1


def test_certificates_have_a_horizon_of_their_own(story: Story, numbers: Numbers) -> None:
    numbers.metrics["payments", "certificate_remaining_days"] = lambda at: 12 - (at - NOON) / timedelta(days=1)
    numbers.metrics["checkout", "certificate_remaining_days"] = lambda at: 20 - (at - NOON) / timedelta(days=1)
    hour(story)
    assert [w.text for w in warned(story)] == ["certificate of payments expires in 12.0 days"]


def test_a_quota_that_services_yaml_names_and_a_pool_are_told_with_their_intervals(story: Story, numbers: Numbers) -> None:
    numbers.metrics["payments", "api_quota_used_ratio"] = fills()
    numbers.metrics["checkout", "db_pool_connections_used_ratio"] = fills()
    hour(story)
    assert {w.text for w in warned(story)} == {
        "quota of payments used up in 3.3 days (3.3-3.3)",
        "connections of checkout used up in 3.3 days (3.3-3.3)",
    }
