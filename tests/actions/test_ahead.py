"""A freeze is known before it begins, by the clock of its own place; which checks are required, and how that is told."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.actions.policy import Freeze, Moment, PolicyFile, Rule, World, ahead, decide, explained, read_policies, required_checks
from bot.actions.policy.rules import Policies
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.service import Service
from bot.topology.rulefile import BadRules

BERLIN = "Europe/Berlin"
CART = Service("cart")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_deploy(kind: ActionKind = ActionKind.DEPLOY, undoes: str = "") -> Action:
    now = at("2026-11-20T12:00")
    return Action("a1", kind, "cart", "production", "v2", ActionStatus.PROPOSED, "U1", now, now, undoes=undoes)


@pytest.mark.parametrize(
    ("spans", "now", "begins"),
    [
        ({"weekly": ["fri 16:00 - mon 08:00"]}, "2026-11-20T14:00", "2026-11-20T15:00"),  # Friday 15:00 in Berlin
        ({"weekly": ["fri 16:00 - mon 08:00"]}, "2026-11-20T15:00", None),  # it is on
        ({"weekly": ["fri 16:00 - mon 08:00"]}, "2026-11-23T07:00", "2026-11-27T15:00"),  # just over
        ({"weekly": ["mon-thu 22:00 - 06:00"]}, "2026-11-26T12:00", "2026-11-26T21:00"),
        ({"weekly": ["sun 01:00 - 02:00"]}, "2026-10-24T12:00", "2026-10-24T23:00"),  # clocks go back that night
        ({"dates": ["2026-12-24 18:00 - 2026-12-27 08:00"]}, "2026-12-24T16:30", "2026-12-24T17:00"),
        ({"dates": ["2026-12-24 - 2026-12-26"]}, "2027-01-01T00:00", None),  # never again
        (
            {"weekly": ["fri 16:00 - mon 08:00"], "dates": ["2026-11-20 15:30 - 2026-11-21"]},
            "2026-11-20T14:00",
            "2026-11-20T14:30",
        ),
    ],
)
def test_when_a_freeze_begins_next(spans: dict[str, list[str]], now: str, begins: str | None) -> None:
    found = Freeze.model_validate({"name": "f", "zone": BERLIN, **spans}).begins(at(now))
    assert (found.astimezone(UTC) if found else None) == (at(begins) if begins else None)


def test_only_a_freeze_of_such_an_action_that_begins_soon_is_told() -> None:
    text = """
groups: {dev: [U1]}
freezes:
  - {name: weekend, weekly: ["fri 16:00 - mon 08:00"], zone: Europe/Berlin, environments: [production], reason: nobody is here}
  - {name: elsewhere, weekly: ["fri 16:00 - mon 08:00"], zone: Europe/Berlin, environments: [staging]}
  - {name: night, weekly: ["mon-sun 22:00 - 06:00"], environments: [production]}
"""
    world = World(read_policies(text), CART, at("2026-11-20T13:30:30"))
    assert ahead(a_deploy(), world, timedelta(hours=2)) == ("The freeze weekend begins in 89 min, at 15:00 UTC: nobody is here.",)
    assert ahead(a_deploy(), world, timedelta(hours=1)) == ()
    assert ahead(a_deploy(ActionKind.ROLLBACK), world, timedelta(hours=2)) == ()


def test_rollbacks_and_what_takes_an_action_back_need_no_checks_unless_a_rule_of_rollbacks_names_them() -> None:
    rule = Rule(name="r", request=("dev",), approve=("dev",), required_checks=("unit",))
    assert required_checks(a_deploy(), rule) == ("unit",)
    assert required_checks(a_deploy(ActionKind.ROLLBACK), rule) == ()
    assert required_checks(a_deploy(undoes="a0"), rule) == ()
    alone = rule.model_copy(update={"actions": (ActionKind.ROLLBACK,)})
    assert required_checks(a_deploy(ActionKind.ROLLBACK), alone) == ("unit",)


def test_explain_tells_which_checks_are_required_and_who_may_override_them() -> None:
    rule = Rule(
        name="r", request=("dev",), approve=("dev",), required_checks=("unit", "build / image"), checks_override=("chiefs",)
    )
    file = PolicyFile(groups={"dev": ("U1",), "chiefs": ("U2",)}, rules=(rule,))
    told = explained(a_deploy(), "", World(Policies(file), CART, at("2026-11-20T12:00")))
    assert "   required checks of deploys: unit, build / image; chiefs may override them" in told
    alone = PolicyFile(rules=(rule.model_copy(update={"actions": (ActionKind.ROLLBACK,), "checks_override": None}),))
    back = explained(a_deploy(ActionKind.ROLLBACK), "", World(Policies(alone), CART, at("2026-11-20T12:00")))
    assert "   required checks of rollbacks: unit, build / image; dev may override them" in back


def test_a_dry_run_is_judged_by_who_may_ask_alone() -> None:
    text = """
groups: {dev: [U1]}
rules:
  - {name: production, environments: [production], request: [dev], approve: [dev], required_checks: [unit]}
freezes:
  - {name: always, dates: ["2020-01-01 - 2030-01-01"]}
"""
    world = World(read_policies(text), CART, at("2026-11-20T12:00"))
    assert decide(a_deploy(), "U1", Moment.PLAN, world).allowed
    assert not decide(a_deploy(), "U1", Moment.REQUEST, world).allowed
    assert not decide(a_deploy(), "U9", Moment.PLAN, world).allowed


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("checks_override: [ghosts]", "there is no group ghosts"),
        ("required_checks: ['']", "required_checks"),
        ("required_check: [unit]", "did you mean required_checks?"),
    ],
)
def test_a_wrong_rule_about_checks_is_refused_with_its_line(more: str, words: str) -> None:
    with pytest.raises(BadRules) as refused:
        read_policies(f"rules:\n  - name: a\n    request: [anyone]\n    approve: [anyone]\n    {more}\n")
    assert [f.line for f in refused.value.faults] == [5]
    assert words in str(refused.value)
