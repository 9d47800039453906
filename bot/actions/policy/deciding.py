"""May this happen now? People and rules, locks, freezes and open incidents, decided in one place and each time anew.

Asked when somebody asks, when somebody approves and right before the start: what was allowed a minute ago may not be now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bot.actions.policy.checks import lacking_checks
from bot.actions.policy.file import Rule
from bot.actions.policy.rules import BOT, Policies, Ruling, no_rule, spelt, such
from bot.actions.policy.warrants import warranted
from bot.domain.action import Action, ActionKind, Authority, Claim
from bot.domain.incident import Incident
from bot.domain.lock import Lock
from bot.domain.service import Service

CHECKS = "required checks"  # the name of that barrier


class Moment(StrEnum):
    """When it is asked."""

    PLAN = "plan"  # a dry run: what stands in the way refuses nothing, it is told in the plan
    REQUEST = "request"
    APPROVAL = "approval"
    START = "start"


@dataclass(frozen=True, slots=True)
class World:
    """What a decision looks at, as it is at `now`.

    `incidents` and `locks` may be all there are. `memberships` are the chat's user groups by person; who is missing is in
    none. `here` is the channel in which somebody asks, by id and by the names that the rules use.
    """

    policies: Policies
    service: Service
    now: datetime
    incidents: tuple[Incident, ...] = ()
    locks: tuple[Lock, ...] = ()
    memberships: Mapping[str, frozenset[str]] = field(default_factory=dict)
    here: frozenset[str] = frozenset()
    automatic: frozenset[str] = frozenset()  # the steps of runbooks that may act alone at the moment, as in `Action.step`

    def groups_of(self, person: str) -> frozenset[str]:
        """The user groups of a person in the chat."""
        return self.memberships.get(person, frozenset())


@dataclass(frozen=True, slots=True)
class Barrier:
    """Something that stands in the way of an action; `passed` says why it is let through, "" if it is not."""

    name: str  # "freeze weekend", "lock of checkout", "incident guard"
    reason: str
    override: tuple[str, ...]  # the groups that may
    until: datetime | None = None
    passed: str = ""
    named: tuple[str, ...] = ()  # the Slack user ids in the texts


def decide(action: Action, person: str, moment: Moment, world: World) -> Ruling:
    """Whether `person` may do this now; at the start it is the bot that acts, and everything is weighed once more."""
    rule = world.policies.rule_for(action.kind, world.service, action.environment)
    if rule is None:
        return no_rule(action)
    if moment in (Moment.PLAN, Moment.REQUEST):
        ruling = _may_ask(action, person, rule, world)
    elif moment is Moment.APPROVAL:
        ruling = world.policies.may_approve(person, action, world.service, world.groups_of(person))
    else:
        ruling = _enough(action, rule, world)
    if not ruling.allowed or moment is Moment.PLAN:
        return ruling
    standing = next((b for b in barriers(action, rule, world) if not b.passed), None)
    return _refused(action, standing, world) if standing else ruling


def stand_in(action: Action, authority: Authority, by: str, world: World) -> Ruling:
    """Whether a rule or a step may approve this in place of people now: its warrant, and nothing that stands in the way."""
    rule = world.policies.rule_for(action.kind, world.service, action.environment)
    if rule is None:
        return no_rule(action)
    ruling = warranted(authority, by, action, world.service, world.policies, world.automatic)
    standing = next((b for b in barriers(action, rule, world) if not b.passed), None) if ruling.allowed else None
    return _refused(action, standing, world) if standing else ruling


def barriers(action: Action, rule: Rule, world: World) -> tuple[Barrier, ...]:
    """All that stands in the way of the action now, also what lets it through."""
    return tuple(_let_through(action, barrier, world) for barrier in _found(action, rule, world))


def ahead(action: Action, world: World, within: timedelta) -> tuple[str, ...]:
    """The freezes that would stop the action if it began a little later, each for people."""
    told: list[str] = []
    for freeze in world.policies.freezes:
        begins = freeze.begins(world.now) if freeze.covers(action.kind, world.service, action.environment) else None
        if begins is not None and begins - world.now <= within:
            minutes = max(1, int((begins - world.now).total_seconds() // 60))
            why = f": {freeze.reason}" if freeze.reason else ""
            told.append(f"The freeze {freeze.name} begins in {minutes} min, at {begins.astimezone(UTC):%H:%M} UTC{why}.")
    return tuple(told)


def _may_ask(action: Action, person: str, rule: Rule, world: World) -> Ruling:
    if action.claim and not action.claim_reason.strip():
        advice = f'Say why: --{action.claim.value} "reason".'
        return Ruling(False, rule.name, f"A claim of {action.claim.value} needs a reason; it is written down", (), advice)
    ruling = world.policies.may_request(person, action, world.service, world.groups_of(person))
    anywhere = not rule.channels or person == BOT or action.claim is Claim.BREAK_GLASS
    if not ruling.allowed or anywhere or world.here & set(rule.channels):
        return ruling
    where = " or ".join(rule.channels)
    return Ruling(False, rule.name, f"{such(action).capitalize()} are asked for in {where} only", (), "Ask again there.")


def _enough(action: Action, rule: Rule, world: World) -> Ruling:
    """The approvals that people gave still count, and are still as many as are wanted."""
    policies, service = world.policies, world.service
    counted = [p for p in action.approvers if policies.counts(p, action, service, world.groups_of(p)).allowed]
    needed = policies.needed(action, service, world.groups_of(action.requested_by))
    if len(counted) >= needed:
        return Ruling(True, rule.name, f'{len(counted)} of {needed} approvals (rule "{rule.name}")')
    if (said := action.stand_in) is not None:
        return warranted(said.authority, said.by, action, service, policies, world.automatic)
    reason = f"{len(counted)} of {needed} approvals count by the policy of now"
    return Ruling(False, rule.name, reason, policies.members(rule.approve), "Ask again for a fresh plan.")


def _found(action: Action, rule: Rule, world: World) -> Iterator[Barrier]:
    file, now = world.policies.file, world.now
    for lock in world.locks:
        theirs = rule.approve if file.locks.override is None else file.locks.override
        if lock.held(now) and lock.environment == action.environment and _concerns(lock, action):
            what = f"freeze of {lock.environment}" if lock.freezes else f"lock of {lock.service}"
            held = f"Deploys in {lock.environment} are frozen" if lock.freezes else f"{lock.service} is locked"
            reason = f"{held} by {lock.owner}: {lock.reason}"
            own = lock.owner in (action.requested_by, action.on_behalf_of)
            mine = "it is their own lock" if own else ""
            yield Barrier(what, reason, theirs, lock.until, mine, (lock.owner,))
    for freeze in world.policies.freezes:
        until = freeze.until(now) if freeze.covers(action.kind, world.service, action.environment) else None
        if until is not None:
            why = f": {freeze.reason}" if freeze.reason else ""
            yield Barrier(f"freeze {freeze.name}", f"{such(action).capitalize()} are frozen{why}", freeze.override, until)
    if lacking := lacking_checks(action, rule):
        yield Barrier(CHECKS, lacking, rule.approve if rule.checks_override is None else rule.checks_override)
    guard = file.incident_guard
    hurt = _hurt(action, world) if action.environment in guard.environments else None
    if hurt is not None and action.kind is not ActionKind.ROLLBACK:
        mends = f"it mends it: {action.claim_reason}" if action.claim is Claim.FIX and action.claim_reason else ""
        reason = f"{hurt.key} is open on {action.service}, which takes only rollbacks and fixes until it is over"
        yield Barrier("incident guard", reason, rule.approve if guard.override is None else guard.override, None, mends)


def _concerns(lock: Lock, action: Action) -> bool:
    return action.kind is ActionKind.DEPLOY if lock.freezes else lock.service == action.service


def _hurt(action: Action, world: World) -> Incident | None:
    here = (i for i in world.incidents if i.live and i.environment == action.environment)
    return next((i for i in here if action.service in i.services), None)


def _let_through(action: Action, barrier: Barrier, world: World) -> Barrier:
    asker, chat = action.requested_by, world.groups_of(action.requested_by)
    if barrier.passed or not action.claim_reason.strip():
        return barrier
    if action.claim is Claim.BREAK_GLASS and world.policies.may_break_glass(asker, chat):
        word = "past it by break-glass"
    elif action.claim is Claim.OVERRIDE and world.policies.is_in(asker, barrier.override, chat):
        word = "overridden"
    else:
        return barrier
    passed = f"{word} by {asker}: {action.claim_reason}"
    return replace(barrier, passed=passed, named=(*barrier.named, asker))


def _refused(action: Action, barrier: Barrier, world: World) -> Ruling:
    until = f", until {barrier.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if barrier.until else ""
    others = "; ask again when it is over" if barrier.until else ""
    fix = f' A deploy that mends it: /deploy {action.service} {action.target} {action.environment} --fix "why".'
    able = spelt(barrier.override)
    if barrier.override:
        asks = f"/{action.kind.value} {action.service} {action.target} {action.environment}".replace("  ", " ")
        advice = f'{able} may override it: {asks} --override "why"{others}.'
    else:
        advice = f"Nobody may override it{others}."
    advice += fix if barrier.name == "incident guard" else ""
    advice += " Ask again when they have passed." if barrier.name == CHECKS else ""
    who = world.policies.members(barrier.override)
    return Ruling(False, barrier.name, f"{barrier.reason}{until}", who, advice, barrier.named)
