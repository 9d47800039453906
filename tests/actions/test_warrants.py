"""What may approve in place of people: only what the bot asked for, only what the rules of now say."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.approvals import AlreadyDecided, NotYours, TooLate, approve_in_place, hear
from bot.actions.policy import BOT, Moment, World, decide, explained, read_policies, taking_back
from bot.domain.action import Action, ActionKind, ActionStatus, Authority, Claim, Decision
from bot.domain.lock import Lock
from bot.domain.service import Service
from tests.fakes import NOON

DEPLOY, ROLLBACK = ActionKind.DEPLOY, ActionKind.ROLLBACK
RULES = """
groups: {crew: [U0CREW], chiefs: [U0CHIEF]}
rules:
  - {name: deploys, actions: [deploy], environments: [production], request: [crew], approve: [chiefs], way_back: %s}
  - {name: rollbacks, actions: [rollback], environments: [production], request: [crew], approve: [chiefs], approvals: 2}
freezes:
  - {name: always, weekly: ["mon 00:00 - sun 23:59"], override: [chiefs]}
"""
STEP = "runbooks/payments/errors.md#rollback"


def a_world(way_back: str = "take", **fields: object) -> World:
    return replace(World(read_policies(RULES % way_back), Service("cart"), NOON), **fields)  # type: ignore[arg-type]  # the fields of a World, by name


def a_way_back(**fields: object) -> Action:
    plain = Action("a2", ROLLBACK, "cart", "production", "v1", ActionStatus.AWAITING, BOT, NOON, NOON)
    given = {"undoes": "a1", "claim": Claim.FIX, "claim_reason": "v2 made things worse", "approvals_needed": 2, **fields}
    return replace(plain, **given)  # type: ignore[arg-type]  # the fields of an Action, by name


def taken(action: Action, world: World, by: str = "deploys", authority: Authority = Authority.RULE) -> Action:
    return approve_in_place(action, authority, by, world)


def test_a_rule_that_takes_the_way_back_approves_it_in_place_of_two_people_and_is_named() -> None:
    approved = taken(a_way_back(), a_world())
    assert approved.status is ActionStatus.APPROVED
    assert approved.approvals == approved.approvals_needed == 1
    assert approved.decisions == (Decision("deploys", True, NOON, "", Authority.RULE),)
    assert approved.approvers == ()
    assert approved.stand_in == approved.decisions[0]
    assert decide(approved, BOT, Moment.START, a_world()).allowed


@pytest.mark.parametrize(
    ("action", "world", "words"),
    [
        (a_way_back(), a_world("offer"), "takes no way back"),
        (a_way_back(undoes=""), a_world(), "takes no way back"),
        (a_way_back(claim=Claim.NONE), a_world(), "takes no way back"),
        (a_way_back(kind=DEPLOY), a_world(), "takes no way back"),  # what it takes back is a rollback, whose rule only offers
        (a_way_back(requested_by="U0CREW"), a_world(), "only what the bot itself asked for"),
        (a_way_back(environment="moon"), a_world(), "No rule of policies.yaml"),
        (
            a_way_back(),
            a_world(locks=(Lock("cart", "production", "U0OTHER", "moving", NOON, NOON + timedelta(hours=1)),)),
            "locked by U0OTHER",
        ),
    ],
)
def test_it_is_refused_otherwise(action: Action, world: World, words: str) -> None:
    with pytest.raises(NotYours, match=words):
        taken(action, world)


def test_the_lock_of_whoever_asked_for_what_is_taken_back_is_no_hindrance_and_neither_is_a_freeze_of_deploys() -> None:
    mine = Lock("cart", "production", "U0CREW", "shipping", NOON, NOON + timedelta(hours=1))
    assert taken(a_way_back(on_behalf_of="U0CREW"), a_world(locks=(mine,))).status is ActionStatus.APPROVED


def test_what_a_rule_approved_is_refused_at_the_start_if_the_rule_only_offers_by_then() -> None:
    ruling = decide(taken(a_way_back(), a_world()), BOT, Moment.START, a_world("offer"))
    assert not ruling.allowed
    assert "takes no way back" in ruling.reason


def test_people_may_approve_what_a_rule_may_not_any_more() -> None:
    world = a_world("offer")
    with pytest.raises(NotYours):
        hear(a_way_back(approvals_needed=1), "U0CREW", True, world)
    assert hear(a_way_back(approvals_needed=1), "U0CHIEF", True, world).status is ActionStatus.APPROVED


def test_nobody_else_is_believed_to_be_a_rule() -> None:
    with pytest.raises(NotYours):
        taken(a_way_back(), a_world(), by="rollbacks")
    with pytest.raises(NotYours):
        hear(a_way_back(), "deploys", True, a_world())
    posing = replace(taken(a_way_back(), a_world()), decisions=(Decision("deploys", True, NOON),))
    assert not decide(posing, BOT, Moment.START, a_world()).allowed


def test_a_step_approves_only_the_action_that_comes_from_it_and_only_while_it_is_automatic() -> None:
    world = a_world(automatic=frozenset({STEP, ""}))
    action = a_way_back(undoes="", claim=Claim.NONE, step=STEP)
    assert taken(action, world, STEP, Authority.STEP).status is ActionStatus.APPROVED
    for wrong in (a_world(), world):
        other = action if wrong is not world else replace(action, step="")
        with pytest.raises(NotYours):
            taken(other, wrong, other.step, Authority.STEP)


def test_a_word_in_place_of_people_comes_once_and_in_time() -> None:
    with pytest.raises(AlreadyDecided):
        taken(taken(a_way_back(), a_world()), a_world())
    with pytest.raises(TooLate):
        taken(a_way_back(expires_at=NOON), a_world())


def test_a_way_back_is_never_taken_back_by_itself() -> None:
    policies, cart = a_world().policies, Service("cart")
    first = replace(a_way_back(), kind=DEPLOY, undoes="")
    assert (rule := taking_back(first, cart, policies)) is not None
    assert rule.name == "deploys"
    assert taking_back(replace(first, undoes="a1"), cart, policies) is None
    assert taking_back(replace(first, kind=ROLLBACK), cart, policies) is None
    assert taking_back(first, cart, a_world("offer").policies) is None


def test_explain_tells_what_happens_when_it_made_things_worse() -> None:
    action = Action("a1", DEPLOY, "cart", "production", "v2", ActionStatus.AWAITING, "U0CREW", NOON, NOON)
    assert any("the way back is taken at once" in line for line in explained(action, "", a_world()))
