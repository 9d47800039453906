"""What a trial counts is found where it is wrong; and a number draws the same trial each time, of every kind."""

from collections import Counter
from dataclasses import replace
from typing import Any

from bot.domain.action import Action, ActionKind, ActionStatus, Cancel, Stopping
from tests.fakes import NOON
from tests.once.counting import OFF, wrong_order, wrong_runs, wrong_stops
from tests.once.plan import AUTOMATIC, BATCH, CANCEL, LANES, ONE, Plan, calm, plan

FIRST = Action("a", ActionKind.ROLLBACK, "web", "production", "v42", ActionStatus.SUCCEEDED, "U0ONCALL", NOON, NOON, batch="b")
SECOND = replace(FIRST, id="c", service="payments", after="a")
GOOD = [("a", "approved"), ("c", "approved"), ("a", "executing"), ("a", "succeeded"), ("c", "executing"), ("c", "succeeded")]


def counted(*started: str, **states: str) -> dict[str, Any]:
    return {"started": list(started), "by_version": {}, "overlapping": [], "troubles": [""], "knows": states}


def told(action: Action, **states: str) -> list[str]:
    return list(wrong_stops([action], counted("a", **states), [("a", "executing")]))


def test_a_second_run_is_found_and_one_that_nobody_knows_and_one_beside_another() -> None:
    one: Plan = calm(LANES[0])
    assert list(wrong_runs(one, [FIRST], counted("a", a="succeeded"))) == []
    assert next(wrong_runs(one, [FIRST], counted("a", "a", a="succeeded"))).startswith("2 runs")
    assert next(wrong_runs(one, [FIRST], counted("a", "x", a="succeeded"))).startswith("1 runs: ['a', 'x']")
    assert list(wrong_runs(one, [FIRST], counted("a", a="succeeded") | {"overlapping": ["a"]}))
    assert list(wrong_runs(one, [replace(FIRST, status=ActionStatus.REFUSED)], counted("a"))) == ["refused and yet it ran"]


def test_a_part_that_began_too_early_is_found() -> None:
    parts = [SECOND, FIRST]
    assert list(wrong_order(parts, GOOD)) == []
    assert list(wrong_order(parts, [*GOOD[:3], GOOD[4], GOOD[3]])) == [
        "payments was begun although web had not succeeded: it is succeeded"
    ]
    assert list(wrong_order(parts, [GOOD[0], GOOD[2], GOOD[1], *GOOD[3:]])) == ["a part was begun before all were approved"]


def test_what_is_told_otherwise_than_the_vendor_has_it_is_found() -> None:
    failed = replace(FIRST, status=ActionStatus.FAILED)
    stopped = replace(failed, cancel=Cancel("U0ONCALL", NOON, Stopping.STOPPED))
    assert told(stopped, a="cancelled") == []
    assert told(stopped, a="succeeded") == ["it is told that it was stopped, and the vendor's run succeeded"]
    assert len(told(replace(stopped, cancel=Cancel("U0ONCALL", NOON, Stopping.TOO_LATE)), a="cancelled")) == 1
    assert len(told(replace(stopped, cancel=Cancel("U0ONCALL", NOON)), a="failed")) == 1
    assert told(failed, a="cancelled") == ["the vendor stopped what nobody wanted to stop"]


def test_what_begins_by_itself_after_the_switch_was_turned_off_is_found() -> None:
    lines = [OFF, ("a", "executing")]
    assert list(wrong_stops([FIRST], counted("a", a="succeeded"), lines)) == ["it began by itself after that was switched off"]
    assert list(wrong_stops([FIRST], counted("a", a="succeeded"), lines[::-1])) == []


def test_a_number_draws_the_same_trial_each_time_and_every_kind_has_its_share() -> None:
    steps = {lane: [(f"step {n}", 3) for n in range(40)] for lane in LANES}
    drawn = [plan(number, steps) for number in range(60)]
    assert drawn == [plan(number, steps) for number in range(60)]
    kinds = Counter(one.lane.kind for one in drawn)
    assert min(kinds[kind] for kind in (ONE, BATCH, CANCEL, AUTOMATIC)) >= 2
    assert {one.stop.deed for one in drawn if one.stop} == {"cancel", "stop batch", "automation off"}
