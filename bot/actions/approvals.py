"""People say yes or no to a plan: who may, once each, in time; the first that is enough decides."""

from dataclasses import replace
from datetime import datetime

from bot.actions.policy import BOT, Moment, Rule, Ruling, World, decide, stand_in
from bot.domain.action import BUSY, Action, ActionStatus, Authority, Decision, Plan, expired
from bot.errors import IllegalMove, NotAllowed

WAITING = (ActionStatus.PROPOSED, ActionStatus.AWAITING)


class NotYours(NotAllowed):
    """The policy says no; `who` are the Slack user ids of those who may, `named` those in the text."""

    def __init__(self, ruling: Ruling) -> None:
        rule = f' (rule "{ruling.rule}")' if ruling.rule and "(rule " not in ruling.reason else ""
        super().__init__(f"{ruling.reason}{rule}." + (f" {ruling.advice}" if ruling.advice else ""))
        self.who = ruling.who
        self.named = ruling.named


class TooLate(IllegalMove):
    """Nobody decided in time."""


class AlreadyDecided(IllegalMove):
    """Somebody was faster, or said so before."""


class OneAtATime(IllegalMove):
    """Another action is under way on the same service and environment."""


def open_for_approval(draft: Action, plan: Plan, rule: Rule, world: World) -> Action:
    """The action with its plan, waiting for as many people as the rule wants at its risk, until the rule's time is over."""
    return _with_plan(draft, plan, rule, world).move(ActionStatus.AWAITING, world.now)


def stop_at_plan(draft: Action, plan: Plan, rule: Rule, world: World) -> Action:
    """A dry run: the action with its plan, which nobody is asked to approve, until the rule's time is over."""
    return _with_plan(draft, plan, rule, world).move(ActionStatus.PLANNED, world.now)


def _with_plan(draft: Action, plan: Plan, rule: Rule, world: World) -> Action:
    planned = replace(
        draft,
        plan=plan,
        target=plan.target_version,
        policy=rule.name,
        expires_at=world.now + rule.expires_after,
    )
    needed = world.policies.needed(planned, world.service, world.groups_of(planned.requested_by))
    return replace(planned, approvals_needed=needed)


def hear(action: Action, person: str, approved: bool, world: World, note: str = "") -> Action:
    """The action after this person's word.

    Raises NotYours, TooLate or AlreadyDecided; whoever asks again after a refusal is refused again.
    """
    now = world.now
    _still_open(action, person, now)
    if approved:
        ruling = decide(action, person, Moment.APPROVAL, world)
    else:
        ruling = world.policies.may_reject(person, action, world.service, world.groups_of(person))
    if not ruling.allowed:
        raise NotYours(ruling)
    said = replace(action, decisions=(*action.decisions, Decision(person, approved, now, note)), updated_at=now)
    if not approved:
        return said.move(ActionStatus.REFUSED, now, f"Rejected{': ' + note if note else ''}. Nothing was started.")
    return said.move(ActionStatus.APPROVED, now) if said.approvals >= said.approvals_needed else said


def approve_in_place(action: Action, authority: Authority, by: str, world: World, note: str = "") -> Action:
    """The action approved by a rule or a step in place of as many people as are wanted; whoever reads it sees by which.

    Raises NotYours, TooLate or AlreadyDecided.
    """
    _still_open(action, BOT, world.now)
    ruling = stand_in(action, authority, by, world)
    if not ruling.allowed:
        raise NotYours(ruling)
    said = Decision(by, True, world.now, note, authority)
    approved = replace(action, decisions=(*action.decisions, said), approvals_needed=1, updated_at=world.now)
    return approved.move(ActionStatus.APPROVED, world.now)


def _still_open(action: Action, person: str, now: datetime) -> None:
    if expired(action, now):
        raise TooLate(
            f"The plan to {action.kind.value} {action.service} waited too long and has expired; ask again for a fresh one."
        )
    if action.status not in WAITING:
        raise AlreadyDecided(_too_slow(action, person))


def make_way(action: Action, unfinished: tuple[Action, ...]) -> None:
    """Raise OneAtATime, naming the other, if something is under way on the same service and environment."""
    for other in unfinished:
        same = (other.service, other.environment) == (action.service, action.environment)
        if same and other.id != action.id and other.status in BUSY:
            raise OneAtATime(
                f"A {other.kind.value} of {other.service} to {other.target} in {other.environment} is {other.status.value}; "
                f"one at a time. {_what_next(other)}"
            )


def _what_next(other: Action) -> str:
    if other.status is ActionStatus.UNCERTAIN:
        return "Nobody knows whether it ran: look at it first."
    return "Try again when it has ended."


def _too_slow(action: Action, person: str) -> str:
    said = action.decisions[-1] if action.decisions else None
    what = f"This {action.kind.value} of {action.service} to {action.target}"
    if said is None:
        return f"{what} is {action.status.value} already."
    word = "approved" if said.approved else "rejected"
    by = "you" if said.by == person else "somebody else"
    return f"{what} was {word} by {by} at {said.at:%H:%M:%S} UTC; it is {action.status.value}."
