"""A wish becomes an action with its plan, which waits for people; nothing is changed by that."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, uuid5

from bot.actions.approvals import WAITING, NotYours, TooLate, make_way, open_for_approval, stop_at_plan
from bot.actions.plan import known_service
from bot.actions.planning.choosing import VERSION as VERSION
from bot.actions.planning.choosing import checked_wish
from bot.actions.policy import Moment, Rule, World
from bot.domain.action import ALONE, Action, ActionKind, ActionStatus, Claim, Plan, Ties, expired, tied
from bot.domain.incident import Incident
from bot.domain.request import Person, Press
from bot.domain.service import Service
from bot.domain.view import NoteView, Place, Shown
from bot.errors import IllegalMove, NotFound, Outrun
from bot.flows.acting.gathering import means_of, plan_of
from bot.flows.acting.telling import tell, when_due
from bot.flows.desk import Desk
from bot.flows.locking import breaking
from bot.flows.locking.guarding import allow, memberships, remember, whereabouts, with_barriers, world_of
from bot.ports import Transaction
from bot.redact import redact


@dataclass(frozen=True, slots=True)
class Wish:
    """One of several actions that are asked for together; the words are those of `propose`."""

    kind: ActionKind
    service: str
    target: str
    environment: str
    reason: str
    key: str
    incident: Incident | None = None
    claim: Claim = Claim.NONE
    ties: Ties = ALONE


async def propose(
    *,
    incident: Incident | None,
    kind: ActionKind,
    service: str,
    target: str,
    environment: str,
    person: Person,
    desk: Desk,
    reason: str,
    place: Place | None = None,
    key: str = "",
    claim: Claim = Claim.NONE,
    asked_in: str = "",
    ties: Ties = ALONE,
    dry: bool = False,
) -> Action:
    """The action with its plan, waiting for approval; `target` "" is the version before the current one.

    `claim` is what lets it past a guard, `reason` says why; `asked_in` is the channel in which the person asks; `ties` are
    to other actions. A `dry` run stops at the plan, which tells what would refuse it. The same `key`, or a wish that already
    waits, gives the action that there is. Raises NotYours, NotFound, IllegalMove or Unavailable, each with a sentence for people.
    """
    draft = _draft(incident, kind, service, target, environment, person, desk, reason, key)
    draft = tied(replace(draft, claim=claim, claim_reason=draft.reason if claim else ""), ties)
    known = known_service(service, desk.catalogue())
    async with _refusals_kept(draft, person, desk):
        world = await _world(known, person, asked_in, desk)
        return await _planned(draft, known, place, world, Moment.PLAN if dry else Moment.REQUEST, desk)


async def propose_all(
    wishes: Sequence[Wish], person: Person, asked_in: str, place: Place | None, desk: Desk
) -> tuple[Action, ...]:
    """All of these with their plans, waiting for approval, or none of them: they are kept at once. Raises as `propose` does."""
    drafts: list[tuple[Action, Service, Callable[[Transaction], World]]] = []
    for wish in wishes:
        draft = _draft(wish.incident, wish.kind, wish.service, wish.target, wish.environment, person, desk, wish.reason, wish.key)
        draft = tied(replace(draft, claim=wish.claim, claim_reason=draft.reason if wish.claim else ""), wish.ties)
        known = known_service(wish.service, desk.catalogue())
        async with _refusals_kept(draft, person, desk):
            world = await _world(known, person, asked_in, desk)
            await desk.db.read(lambda tx, d=draft, w=world: _may_begin(tx, d, Moment.REQUEST, w(tx), desk))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        drafts.append((draft, known, world))
    hurry = all(d.kind is ActionKind.ROLLBACK for d, _, _ in drafts)
    plans = await asyncio.gather(*(plan_of(d, known, means_of(desk), hurry=hurry) for d, known, _ in drafts))

    def go(tx: Transaction) -> tuple[Action, ...]:
        made = zip(drafts, plans, strict=True)
        return tuple(_open(tx, draft, plan, place, world(tx), desk) for (draft, _, world), plan in made)

    return await desk.db.write(go)


async def ask_for_approval(press: Press, desk: Desk) -> Shown:
    """A dry run gets a fresh plan, which waits for approval; whoever presses is who asks for it.

    What somebody else claimed when they planned it does not count: they did not ask. Raises as `propose` does.
    """
    planned = await desk.db.read(lambda tx: desk.actions.get(tx, press.value))
    if planned is None:
        raise NotFound("That plan is no longer kept; ask again for a fresh one.")
    _still_planned(planned, desk)
    mine = planned.requested_by == press.person.id
    claimed = (planned.claim, planned.claim_reason) if mine else (Claim.NONE, "")
    draft = replace(planned, requested_by=press.person.id, claim=claimed[0], claim_reason=claimed[1], plan=None)
    known = known_service(planned.service, desk.catalogue())
    async with _refusals_kept(draft, press.person, desk):
        world = await _world(known, press.person, press.place.channel, desk)
        await desk.db.read(lambda tx: _may_begin(tx, draft, Moment.REQUEST, world(tx), desk))
        plan = await plan_of(draft, known, means_of(desk), hurry=draft.kind is ActionKind.ROLLBACK)
        action = await desk.db.write(lambda tx: _reopen(tx, planned, draft, plan, world(tx), desk))
    return NoteView(
        f"The {action.kind.value} of {action.service} to {action.target} has a fresh plan; it is {action.status.value}."
    )


@asynccontextmanager
async def _refusals_kept(draft: Action, person: Person, desk: Desk) -> AsyncIterator[None]:
    """A refusal is in the audit, and rises."""
    try:
        yield
    except NotYours as error:
        asked = f"{draft.kind.value} of {draft.service} in {draft.environment}"
        await remember(error, person.id, asked, f"{draft.kind.value}:{draft.service}", desk)
        raise


async def _world(service: Service, person: Person, asked_in: str, desk: Desk) -> Callable[[Transaction], World]:
    groups, here = await memberships([person.id], desk), await whereabouts(asked_in, desk)
    return lambda tx: world_of(tx, service, groups, desk, here)


async def _planned(
    draft: Action,
    service: Service,
    place: Place | None,
    world: Callable[[Transaction], World],
    moment: Moment,
    desk: Desk,
) -> Action:
    def look(tx: Transaction) -> Action | None:
        allow(draft, draft.requested_by, moment, world(tx))
        if (there := desk.actions.get(tx, draft.id)) is None:
            _may_begin(tx, draft, moment, world(tx), desk)
        return there

    there = await desk.db.read(look)
    if there is not None:
        return there
    dry = moment is Moment.PLAN
    plan = await plan_of(draft, service, means_of(desk), hurry=draft.kind is ActionKind.ROLLBACK and not dry)
    keep = _keep if dry else _open
    return await desk.db.write(lambda tx: keep(tx, draft, plan, place, world(tx), desk))


def _may_begin(tx: Transaction, draft: Action, moment: Moment, world: World, desk: Desk) -> None:
    """Raises NotYours, or OneAtATime where something is under way; a dry run is in nobody's way."""
    allow(draft, draft.requested_by, moment, world)
    if moment is not Moment.PLAN:
        make_way(draft, desk.actions.unfinished(tx))


def _draft(
    incident: Incident | None,
    kind: ActionKind,
    name: str,
    target: str,
    environment: str,
    person: Person,
    desk: Desk,
    reason: str,
    key: str,
) -> Action:
    service = known_service(name, desk.catalogue())
    checked_wish(service, target, environment)
    now = desk.clock()
    return Action(
        id=str(uuid5(NAMESPACE_URL, f"tocsin:action:{key}")) if key else desk.new_id(),
        kind=kind,
        service=service.name,
        environment=environment,
        target=target,
        status=ActionStatus.PROPOSED,
        requested_by=person.id,
        created_at=now,
        updated_at=now,
        reason=redact(reason)[:500],
        incident_id=incident.id if incident else "",
        deployer=service.deployer,
    )


def _keep(tx: Transaction, draft: Action, plan: Plan, place: Place | None, world: World, desk: Desk) -> Action:
    """A dry run is kept until its time is over; nobody is asked to approve it."""
    desk.actions.hold(tx)
    rule = _rule(draft, world)
    allow(draft, draft.requested_by, Moment.PLAN, world)
    if (there := desk.actions.get(tx, draft.id)) is not None:
        return there
    kept = desk.actions.add(tx, stop_at_plan(draft, with_barriers(plan, draft, world), rule, world))
    tell(tx, kept, kept.requested_by, "planned", desk, place)
    when_due(tx, kept, 0, desk)
    return kept


def _open(tx: Transaction, draft: Action, plan: Plan, place: Place | None, world: World, desk: Desk) -> Action:
    """The action is kept, unless the same wish came in, or something came in its way, while the plan was made."""
    desk.actions.hold(tx)
    action = _opened(draft, plan, world)
    if (other := _waiting(tx, action, world, desk)) is not None:
        return other
    if (there := desk.actions.get(tx, draft.id)) is not None:
        return there
    kept = desk.actions.add(tx, action)
    tell(tx, kept, kept.requested_by, "requested", desk, place)
    breaking.broke(tx, kept, desk)
    when_due(tx, kept, 0, desk)
    return kept


def _reopen(tx: Transaction, planned: Action, draft: Action, plan: Plan, world: World, desk: Desk) -> Action:
    """The dry run waits for approval with its fresh plan. Raises Outrun if somebody was faster."""
    desk.actions.hold(tx)
    _still_planned(desk.actions.get(tx, planned.id) or planned, desk)
    action = _opened(draft, plan, world)
    if (other := _waiting(tx, action, world, desk)) is not None:
        return other
    kept = desk.actions.move(tx, planned, action)
    if kept is None:
        raise Outrun("Somebody pressed a moment before you; its message shows how.")
    tell(tx, kept, kept.requested_by, "requested", desk)
    breaking.broke(tx, kept, desk)
    return kept  # when its time is over is looked at by the work of the dry run


def _opened(draft: Action, plan: Plan, world: World) -> Action:
    """The action, open for approval. Raises NotYours where the plan, or what came meanwhile, stands in its way."""
    rule = _rule(draft, world)
    allow(replace(draft, plan=plan), draft.requested_by, Moment.REQUEST, world)
    return open_for_approval(draft, with_barriers(plan, draft, world), rule, world)


def _waiting(tx: Transaction, action: Action, world: World, desk: Desk) -> Action | None:
    """The same wish, which waits already. Raises OneAtATime."""
    unfinished = desk.actions.unfinished(tx)
    make_way(action, unfinished)
    alike = (o for o in unfinished if o.status in WAITING and not expired(o, world.now) and _same_wish(o, action))
    return next(alike, None)


def _rule(draft: Action, world: World) -> Rule:
    rule = world.policies.rule_for(draft.kind, world.service, draft.environment)
    if rule is None:
        raise IllegalMove("The rule that allowed this was just taken out of policies.yaml.")
    return rule


def _still_planned(planned: Action, desk: Desk) -> None:
    what = f"This {planned.kind.value} of {planned.service} to {planned.target}"
    if planned.status is not ActionStatus.PLANNED:
        raise IllegalMove(f"{what} is {planned.status.value}; its message shows how it goes.")
    if expired(planned, desk.clock()):
        raise TooLate(f"{what} was planned too long ago and has expired; ask again for a fresh plan.")


def _same_wish(one: Action, other: Action) -> bool:
    """Whoever breaks the glass, or overrides, does not get the plan that waits for those who did not."""

    def wish(a: Action) -> tuple[object, ...]:
        return a.kind, a.service, a.environment, a.target, a.incident_id, a.batch, a.claim, a.plan.hash if a.plan else ""

    return wish(one) == wish(other)
