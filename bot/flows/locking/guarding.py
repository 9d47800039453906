"""The world that a decision looks at, gathered: who is in which user group, what is locked, what is open."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, timedelta

from bot.actions.approvals import NotYours
from bot.actions.policy import BOT, Barrier, Moment, Ruling, World, ahead, barriers, decide
from bot.actions.policy.rules import no_rule, spelt
from bot.domain.action import Action, Authority, Claim, Plan
from bot.domain.service import Service
from bot.domain.view import NoteView
from bot.errors import NotFound, Unavailable
from bot.flows.desk import Desk
from bot.ports import Transaction

SOON = timedelta(hours=2)  # a freeze that begins within it is told in a plan


async def memberships(people: Iterable[str], desk: Desk) -> Mapping[str, frozenset[str]]:
    """The chat's user groups of these people; nobody is asked where policies.yaml names none. Not told means in none."""
    if not desk.policies().asks_chat:
        return {}
    found: dict[str, frozenset[str]] = {}
    for person in dict.fromkeys(p for p in people if p and p != BOT):
        try:
            found[person] = await desk.channel.groups(person)
        except Unavailable:
            found[person] = frozenset()
    return found


def involved(action: Action, *more: str) -> tuple[str, ...]:
    """Everybody whose word counts for this action."""
    people = (d.by for d in action.decisions if d.authority is Authority.PERSON)
    return (action.requested_by, *people, *more)


async def whereabouts(channel: str, desk: Desk) -> frozenset[str]:
    """A channel by its id and by those names of policies.yaml that mean it."""
    found = {channel} if channel else set()
    for name in dict.fromkeys(c for rule in desk.policies().rules for c in rule.channels if c.startswith("#")):
        try:
            same = bool(channel) and await desk.channel.channel_id(name) == channel
        except (NotFound, Unavailable):
            same = False
        found |= {name} if same else set()
    return frozenset(found)


def world_of(
    tx: Transaction,
    service: Service,
    groups: Mapping[str, frozenset[str]],
    desk: Desk,
    here: frozenset[str] = frozenset(),
    automatic: frozenset[str] = frozenset(),
) -> World:
    """All that a decision about this service looks at, as it is now; `automatic` are the steps that may act alone."""
    now = desk.clock()
    return World(desk.policies(), service, now, desk.incidents.live(tx), desk.locks.held(tx, now), groups, here, automatic)


def allow(action: Action, person: str, moment: Moment, world: World) -> Ruling:
    """The ruling, which is a yes. Raises NotYours."""
    ruling = decide(action, person, moment, world)
    if not ruling.allowed:
        raise NotYours(ruling)
    return ruling


def with_barriers(plan: Plan, action: Action, world: World) -> Plan:
    """The plan as people see it: what stands in the way, and among its warnings what was let through and what begins soon.

    Nothing stands in the way of what may be asked for now; only a dry run is planned all the same.
    """
    rule = world.policies.rule_for(action.kind, world.service, action.environment)
    found = barriers(replace(action, plan=plan), rule, world) if rule else ()
    passed = [b for b in found if b.passed]
    told = [f"{b.reason}; let through: {b.passed}" for b in passed]
    people = [id for b in found for id in b.named]
    if action.claim is Claim.BREAK_GLASS:
        told.insert(0, f"Break-glass by {action.requested_by}: {action.claim_reason}")
        people.append(action.requested_by)
    return replace(
        plan,
        warnings=(*told, *ahead(action, world, SOON), *plan.warnings),
        barriers=tuple(_stands(b) for b in found if not b.passed) if rule else (no_rule(action).reason,),
        named=tuple(dict.fromkeys((*people, *plan.named))),
    )


def _stands(barrier: Barrier) -> str:
    until = f", until {barrier.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if barrier.until else ""
    able = f"{spelt(barrier.override)} may override it" if barrier.override else "nobody may override it"
    return f"{barrier.reason}{until}; {able}"


def refusal(error: NotYours) -> NoteView:
    """A refusal for one person: which rule, who could, what next."""
    return NoteView(error.for_people, error.who, error.named)


async def remember(error: NotYours, person: str, asked: str, subject: str, desk: Desk) -> None:
    """A refusal is in the audit."""
    why = {"asked": asked, "reason": error.for_people}
    await desk.db.write(lambda tx: desk.ledger.append(tx, desk.clock(), person, "refused", subject[:64], why))
