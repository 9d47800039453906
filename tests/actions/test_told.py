"""What the audit tells of an action: the plan as it was shown, cut where it is long, and nothing twice."""

import json
from dataclasses import replace

from bot.actions.told import LONGEST, MOST_ITEMS, detail, is_action, shown, story
from bot.domain.action import Action, ActionKind, ActionStatus, Authority, Decision, Plan, Risk
from bot.domain.audit import AuditLine
from bot.domain.change import Commit
from tests.fakes import NOON

COMMIT = Commit("abc1234def", "ines-d", NOON, "Retry twice\n\nlong story", ("a.py",), diff="+ secret")
PLAN = Plan("v43", "c2", "v42", "c1", (COMMIT,), ("a.py",), Risk.HIGH, ("many",), ("mind the schema",), NOON, "p1")
ACTION = Action(
    "a1", ActionKind.ROLLBACK, "payments", "production", "v42", ActionStatus.AWAITING, "U1", NOON, NOON, PLAN, reason="it fails"
)


def test_while_nobody_has_decided_the_whole_plan_is_told_and_later_only_its_hash() -> None:
    told = detail(ACTION, "requested")
    assert json.loads(told["shown"]) == {
        "commits": ["abc1234 ines-d: Retry twice"],
        "current_commit": "c2",
        "current_version": "v43",
        "files": ["a.py"],
        "hash": "p1",
        "made_at": "2026-11-22T12:00:00+00:00",
        "reasons": ["many"],
        "risk": "high",
        "target_commit": "c1",
        "target_version": "v42",
        "warnings": ["mind the schema"],
    }
    assert told["reason"] == "it fails"
    later = detail(replace(ACTION, status=ActionStatus.EXECUTING, version=4, run="run-7"), "executing")
    assert "shown" not in later
    assert (later["plan"], later["run"]) == ("p1", "run-7")


def test_an_action_that_never_waited_tells_its_plan_in_its_first_line() -> None:
    assert "shown" in detail(replace(ACTION, status=ActionStatus.APPROVED, version=1), "requested")


def test_what_somebody_said_is_told_with_the_decision_alone() -> None:
    decided = replace(ACTION, decisions=(Decision("U2", True, NOON, "go"),))
    assert detail(decided, "approved")["note"] == "go"
    assert "note" not in detail(decided, "executing")


def test_a_rule_that_stands_in_for_people_is_named_as_such() -> None:
    decided = replace(ACTION, decisions=(Decision("way back", True, NOON, authority=Authority.RULE),))
    told = story([a_line(1, "approved", json.dumps(detail(decided, "approved")), "tocsin")])
    assert told is not None
    assert told.approved_by == ("rule way back",)


def test_long_lists_and_texts_are_cut_and_say_so() -> None:
    told = json.loads(shown(replace(PLAN, files=tuple(f"f{n}" for n in range(MOST_ITEMS + 9)), warnings=("x" * 5_000,))))
    assert told["files"][-1] == "and 9 more"
    assert len(told["warnings"][0]) == LONGEST
    assert told["warnings"][0].endswith("…")


def a_line(seq: int, deed: str, told: str | None, actor: str | None = "U1") -> AuditLine:
    return AuditLine(seq, NOON, deed, "a1", actor, "s", "d", told, "s", "d", "", "")


def test_an_erased_person_leaves_the_story_readable() -> None:
    lines = [a_line(1, "requested", None, None), a_line(5, "approved", json.dumps(detail(ACTION, "approved")))]
    assert not is_action(lines[0])
    told = story(lines)
    assert told is not None
    assert (told.asked_by, told.approved_by, told.service, told.ended_as) == ("[erased]", ("U1",), "payments", "approved")


def test_lines_about_something_else_are_no_story() -> None:
    assert story([a_line(1, "resolved", '{"incident":"INC-1"}'), a_line(2, "noted", "[1]"), a_line(3, "noted", "{")]) is None
