"""A deployment is watched until it is clean, suspect or unclear, even when nothing alerts."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.change import Change, ChangeStatus
from bot.domain.watch import Bake, BakeVerdict, Sort, WatchLimits
from bot.flows.watching.baking import bake_look, said
from bot.flows.watching.listing import digest_lines
from bot.flows.watching.rounds import watch_round
from bot.flows.watching.running_out import forecast_round
from bot.storage.database import SqlDatabase
from tests.fakes import NOON, a_change, an_alert
from tests.flows.desk_of_alerts import Story
from tests.flows.watching.numbers import Logs, Numbers


@pytest.fixture
def numbers() -> Numbers:
    calm = {(s, m): _ripple(v) for s in ("payments", "checkout") for m, v in (("error_ratio", 0.001), ("latency_seconds", 0.2))}
    return Numbers(dict(calm))


@pytest.fixture
def story(database: SqlDatabase, numbers: Numbers) -> Story:
    story = Story(database)
    story.desk = replace(story.desk, evidence_sources=(numbers,))
    return story


def _ripple(value: float) -> Callable[[datetime], float]:
    return lambda at: value * (1 + 0.02 * math.sin(at.timestamp()))


def broken_since(moment: datetime, value: float = 0.4) -> Callable[[datetime], float]:
    return lambda at: value if at >= moment else 0.001


def deploy(**fields: object) -> Change:
    return a_change(**{"at": NOON, **fields})


def looks(story: Story, minutes: int) -> None:
    """Time passes, and what is due runs."""
    for _ in range(minutes):
        story.clock.advance(minutes=1)
        handlers = {"bake_look": lambda args: bake_look(args, story.desk)}
        for item in [s for s in story.work.started if s.name == "bake_look" and s.id not in story.work.done]:
            if item.not_before is not None and item.not_before <= story.clock():
                story.work.done.add(item.id)
                asyncio.run(handlers[item.name](item.args))


def bakes(story: Story) -> list[Bake]:
    return list(story.database.read_now(lambda tx: story.desk.watches.bakes(tx, NOON - timedelta(days=1))))


def test_a_deployment_that_changes_nothing_is_clean_after_half_an_hour(story: Story) -> None:
    story.changes(deploy())
    assert [b.verdict for b in bakes(story)] == [BakeVerdict.WATCHING]
    looks(story, 29)
    assert bakes(story)[0].active
    looks(story, 6)
    (bake,) = bakes(story)
    assert bake.verdict is BakeVerdict.CLEAN
    assert said(bake).endswith("settled in, nothing got worse")
    assert not story.incidents()
    assert story.database.read_now(lambda tx: digest_lines(tx, story.desk, NOON)) == ["1 deployment watched: 1 clean"]
    asked = len([s for s in story.work.started if s.name == "bake_look"])
    looks(story, 20)
    assert len([s for s in story.work.started if s.name == "bake_look"]) == asked


def test_a_deployment_that_breaks_a_neighbour_is_suspect_and_a_later_alert_joins_it(story: Story, numbers: Numbers) -> None:
    numbers.metrics["checkout", "error_ratio"] = broken_since(NOON + timedelta(minutes=2))
    story.changes(deploy())
    looks(story, 20)
    (bake,) = bakes(story)
    assert bake.verdict is BakeVerdict.SUSPECT
    assert "error_ratio of checkout went from 0.001 to 0.4" in bake.reason
    (one,) = story.database.read_now(lambda tx: story.desk.watches.warnings(tx))
    assert (one.sort, one.service, one.change_id) == (Sort.BAKE, "payments", deploy().id)
    assert not story.incidents()
    story.alerts(an_alert(started_at=story.clock()))
    assert {m.name for m in story.only().members} == {"SuspectDeployment", "HighErrorRate"}


def test_two_looks_at_one_slot_are_one(story: Story, numbers: Numbers) -> None:
    numbers.metrics["payments", "error_ratio"] = broken_since(NOON + timedelta(minutes=1))
    story.changes(deploy())
    story.clock.advance(minutes=10)
    for _ in range(2):
        asyncio.run(bake_look({"slot": "7"}, story.desk))
    assert bakes(story)[0].active
    asyncio.run(bake_look({"slot": "8"}, story.desk))
    assert bakes(story)[0].verdict is BakeVerdict.SUSPECT


def test_a_newer_deployment_ends_the_watch_and_reports_of_one_moment_are_one(story: Story) -> None:
    story.changes(deploy(), deploy(id="argocd:9", connector="argocd", at=NOON + timedelta(minutes=1)))
    (bake,) = bakes(story)
    assert bake.changes == ("github:deployment:43", "argocd:9")
    story.clock.advance(minutes=10)
    story.changes(deploy(id="github:deployment:44", version="v44", status=ChangeStatus.RUNNING, at=story.clock()))
    assert [b.verdict for b in bakes(story)] == [BakeVerdict.OVERTAKEN]
    assert "v44" in bakes(story)[0].reason
    story.changes(deploy(id="github:deployment:44", version="v44", at=story.clock()))
    assert [b.verdict for b in bakes(story)] == [BakeVerdict.WATCHING, BakeVerdict.OVERTAKEN]


def test_a_second_version_within_minutes_is_the_one_that_is_named(story: Story) -> None:
    story.changes(deploy(version="v43"), deploy(id="github:deployment:44", version="v44", at=NOON + timedelta(minutes=1)))
    (bake,) = bakes(story)
    assert bake.what.startswith("payments v44")


def test_several_deployments_are_looked_at_together(story: Story, numbers: Numbers) -> None:
    story.changes(deploy(), deploy(id="x", services=("checkout",), version="v7"))
    looks(story, 6)
    assert len(bakes(story)) == 2
    (first, *more) = numbers.asked
    assert {"payments", "checkout"} <= set(first[0])
    assert more == []


def test_without_numbers_it_is_unclear_and_says_why(story: Story, numbers: Numbers) -> None:
    numbers.metrics.clear()
    story.changes(deploy())
    looks(story, 36)
    (bake,) = bakes(story)
    assert (bake.verdict, bake.reason) == (BakeVerdict.UNCLEAR, "neither latency nor errors of payments could be compared")


def test_what_is_old_failed_outside_or_not_wanted_is_not_watched(story: Story) -> None:
    story.changes(
        deploy(id="old", at=NOON - timedelta(hours=2)),
        deploy(id="failed", status=ChangeStatus.FAILED),
        deploy(id="outside", services=("acmepay",)),
        deploy(id="nobody", services=("unheard-of",)),
    )
    story.desk = replace(story.desk, watching=WatchLimits(bake=timedelta(0)))
    story.changes(deploy(id="unwanted"))
    assert bakes(story) == []


def test_logs_are_asked_by_no_watch_and_their_being_away_makes_no_deployment_unclear(story: Story, numbers: Numbers) -> None:
    logs = Logs()
    story.desk = replace(story.desk, evidence_sources=(logs, numbers))
    story.changes(deploy())
    looks(story, 35)
    asyncio.run(watch_round({}, story.desk))
    asyncio.run(forecast_round({}, story.desk))
    assert [b.verdict for b in bakes(story)] == [BakeVerdict.CLEAN]
    assert (logs.asked, bool(numbers.asked)) == (0, True)


def test_with_logs_alone_there_is_nothing_to_watch_with(story: Story) -> None:
    story.desk = replace(story.desk, evidence_sources=(Logs(),))
    story.changes(deploy())
    assert bakes(story) == []
