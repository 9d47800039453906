"""How far the bot may go: each condition alone takes a degree away and says why."""

from dataclasses import replace
from typing import Any

import pytest

from bot.actions.automation import Facts, Limits, limits_of, rule_degree
from bot.actions.policy import Automation, DegreeRule, Rule, read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Plan, Risk
from bot.domain.automation import Condition, Degree
from bot.domain.evidence import Verdict
from bot.domain.service import Service
from bot.topology.impact import Dependant, Reach
from bot.topology.rulefile import BadRules
from tests.fakes import NOON

A, ONE, S = Degree.AUTOMATIC, Degree.ONE_CLICK, Degree.SUGGEST
LIMITS = Limits(confirmed=3, per_day=1, per_hour=2, reach=2, tier_1=0, risk=Risk.LOW)
RULE = Rule(name="production", request=("on-call",), approve=("approvers",), one_click=True)


def entry(degree: Degree = A, **fields: Any) -> DegreeRule:
    return DegreeRule(name="entry", degree=degree, steps=("runbooks/a.md#b",), **fields)


def an_action(status: ActionStatus = ActionStatus.AWAITING, risk: Risk = Risk.LOW, current: str = "v43") -> Action:
    plan = Plan(current, "", "v42", "", risk=risk)
    return Action("a", ActionKind.ROLLBACK, "cart", "production", "v42", status, "tocsin", NOON, NOON, plan=plan)


def facts(**fields: Any) -> Facts:
    good = Facts(
        service=Service("cart"),
        verdict=Verdict.CONVICTED,
        rule=RULE,
        standing="",
        reach=Reach(("cart",), 2, (Dependant("web", 1, 2), Dependant("edge", 2, 3))),
        guilty="v43",
        confirmed=("INC-1", "INC-2", "INC-3"),
        last=an_action(ActionStatus.SUCCEEDED),
        plan=an_action(),
    )
    return replace(good, **fields)


def test_with_nothing_missing_it_is_automatic() -> None:
    ruled = rule_degree(entry(), facts(), LIMITS)
    assert (ruled.wanted, ruled.degree, ruled.missing, ruled.rule) == (A, A, (), "entry")


THREE = Reach(("cart",), 2, tuple(Dependant(name, 1, 2) for name in "abc"))
CRITICAL = Reach(("cart",), 2, (Dependant("web", 1, 1),))
TWO = RULE.model_copy(update={"approvals": 2})
RISKY = RULE.model_copy(update={"approvals_by_risk": {Risk.LOW: 2}})
STRICT = RULE.model_copy(update={"one_click": False})
SELF = RULE.model_copy(update={"one_click": False, "self_approval": True})


@pytest.mark.parametrize(
    ("fields", "degree", "condition"),
    [
        ({"confirmed": ("INC-1", "INC-2")}, ONE, Condition.CONFIRMED),
        ({"confirmed": ()}, ONE, Condition.CONFIRMED),
        ({"last": an_action(ActionStatus.FAILED)}, ONE, Condition.LAST_RUN),
        ({"last": an_action(ActionStatus.ROLLED_BACK)}, ONE, Condition.LAST_RUN),
        ({"last": an_action(ActionStatus.UNCERTAIN)}, ONE, Condition.LAST_RUN),
        ({"plan": an_action(risk=Risk.MEDIUM)}, ONE, Condition.RISK),
        ({"plan": an_action(risk=Risk.HIGH)}, ONE, Condition.RISK),
        ({"plan": an_action(current="v44")}, ONE, Condition.STILL_GUILTY),
        ({"guilty": ""}, ONE, Condition.STILL_GUILTY),
        ({"today": 1}, ONE, Condition.PER_DAY),
        ({"this_hour": 2}, ONE, Condition.PER_HOUR),
        ({"reach": THREE}, ONE, Condition.REACH),
        ({"reach": CRITICAL}, ONE, Condition.TIER_1),
        ({"service": Service("cart", tier=1)}, ONE, Condition.TIER_1),
        ({"near": ("web",)}, ONE, Condition.NEIGHBOURS),
        ({"switched_off": True}, S, Condition.SWITCH),
        ({"verdict": Verdict.OPERATIONAL}, S, Condition.VERDICT),
        ({"verdict": Verdict.UNDETERMINED}, S, Condition.VERDICT),
        ({"rule": None}, S, Condition.RULE),
        ({"standing": "cart is locked by U1: moving"}, S, Condition.GUARD),
        ({"plan": an_action(ActionStatus.REFUSED)}, S, Condition.ONCE),
        ({"plan": an_action(ActionStatus.EXPIRED)}, S, Condition.ONCE),
        ({"busy": "a deploy of cart to v44 is executing"}, S, Condition.ALONE),
    ],
)
def test_each_condition_alone_takes_automatic_away(fields: dict[str, Any], degree: Degree, condition: Condition) -> None:
    ruled = rule_degree(entry(), facts(**fields), LIMITS)
    assert ruled.degree is degree
    assert [m.condition for m in ruled.missing if m.degree is A] == [condition]
    assert all(ruled.why_not(A))


@pytest.mark.parametrize(
    ("rule", "degree", "condition"),
    [
        (STRICT, S, Condition.ONE_PRESS),
        (TWO, S, Condition.APPROVALS),
        (RISKY, S, Condition.APPROVALS),
        (SELF, ONE, None),
        (RULE, ONE, None),
    ],
)
def test_one_press_needs_a_rule_that_says_so_and_wants_one_person(
    rule: Rule, degree: Degree, condition: Condition | None
) -> None:
    ruled = rule_degree(entry(ONE), facts(rule=rule), LIMITS)
    assert ruled.degree is degree
    assert [m.condition for m in ruled.missing] == ([condition] if condition else [])
    assert rule_degree(entry(A), facts(rule=rule), LIMITS).degree is A  # an automatic step needs no press


def test_what_automatic_lacks_falls_to_suggest_where_one_press_is_not_enough_either() -> None:
    ruled = rule_degree(entry(), facts(rule=STRICT, confirmed=()), LIMITS)
    assert ruled.degree is S
    assert ruled.why_not(A) == ("confirmed by 0 of 3 incidents on cart",)
    assert ruled.why_not(ONE) == ('rule "production" has neither one_click nor self_approval',)


def test_before_there_is_a_plan_its_risk_speaks_against_nothing() -> None:
    assert rule_degree(entry(), facts(plan=None), LIMITS).degree is A


def test_without_an_entry_it_is_suggested_and_nothing_is_missing() -> None:
    assert rule_degree(None, facts(switched_off=True), LIMITS).degree is S
    assert rule_degree(None, facts(switched_off=True), LIMITS).missing == ()


def test_an_entry_may_have_limits_of_its_own() -> None:
    rules = Automation()
    assert limits_of(rules, None) == Limits(confirmed=3, per_day=1, per_hour=2, reach=10, tier_1=0, risk=Risk.LOW)
    own = entry(confirmed=5, per_day=2, reach=0, tier_1=4, risk=Risk.MEDIUM)
    assert limits_of(rules, own) == Limits(confirmed=5, per_day=2, per_hour=2, reach=0, tier_1=4, risk=Risk.MEDIUM)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: a, degree: automatic}", "only steps that are named may be automatic"),
        ('{name: a, degree: automatic, steps: ["*"]}', "only steps that are named may be automatic"),
        ("{name: a, degree: automatic, steps: [roll back]}", "names no step"),
        ("{name: a, degree: manual}", "degree"),
        ('{name: a, degree: one click, risk: high, steps: ["a.md#b"]}', "never carried out by itself"),
        ('{name: a, degree: one click, steps: ["a.md#b"], confirmed: 0}', "confirmed"),
        ("{name: a, degree: suggest}\n    - {name: a, degree: suggest}", "two degrees are called a"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(text: str, words: str) -> None:
    with pytest.raises(BadRules) as error:
        read_policies(f"automation:\n  degrees:\n    - {text}\n")
    assert words in str(error.value)
    assert error.value.faults[0].line >= 3
