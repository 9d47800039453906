"""A wish becomes an action with its plan, which waits for people; nothing is changed by that."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from bot.actions.approvals import WAITING, NotYours, make_way, open_for_approval
from bot.actions.plan import Surroundings, known_service, make_plan
from bot.actions.policy import Moment, World
from bot.domain.action import ALONE, Action, ActionKind, ActionStatus, Claim, Plan, Ties, expired, tied
from bot.domain.change import Change
from bot.domain.incident import Incident
from bot.domain.request import Person
from bot.domain.service import Service
from bot.domain.view import Place
from bot.errors import IllegalMove, NotFound
from bot.flows.acting.telling import tell, when_due
from bot.flows.desk import Desk
from bot.flows.locking import breaking
from bot.flows.locking.guarding import allow, memberships, remember, whereabouts, with_barriers, world_of
from bot.ports import Deployer, Transaction
from bot.redact import redact

REMEMBERED = timedelta(days=30)  # how far back changes are asked which commit a version is
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")


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
) -> Action:
    """The action with its plan, waiting for approval; `target` "" is the version before the current one.

    `claim` is what lets it past a guard, `reason` says why; `asked_in` is the channel in which the person asks; `ties` are
    to other actions. The same `key`, or a wish that already waits, gives the action that there is. Raises NotYours, NotFound,
    IllegalMove or Unavailable, each with a sentence for people.
    """
    draft = _draft(incident, kind, service, target, environment, person, desk, reason, key)
    draft = tied(replace(draft, claim=claim, claim_reason=draft.reason if claim else ""), ties)
    known, groups = known_service(service, desk.catalogue()), await memberships([person.id], desk)
    here = await whereabouts(asked_in, desk)

    def world(tx: Transaction) -> World:
        return world_of(tx, known, groups, desk, here)

    try:
        await desk.db.read(lambda tx: allow(draft, person.id, Moment.REQUEST, world(tx)))
        return await _planned(draft, known, place, world, desk)
    except NotYours as error:
        await remember(
            error, person.id, f"{kind.value} of {draft.service} in {environment}", f"{kind.value}:{draft.service}", desk
        )
        raise


async def _planned(
    draft: Action, service: Service, place: Place | None, world: Callable[[Transaction], World], desk: Desk
) -> Action:
    def look(tx: Transaction) -> tuple[Action | None, Surroundings, tuple[Change, ...]]:
        now = desk.clock()
        around = Surroundings(desk.actions.unfinished(tx), desk.incidents.live(tx))
        return desk.actions.get(tx, draft.id), around, desk.changes.between(tx, now - REMEMBERED, now)

    there, around, changes = await desk.db.read(look)
    if there is not None:
        return there
    make_way(draft, around.unfinished)
    deployer = deployer_of(service, desk)
    plan = await make_plan(draft, deployer, desk.change_sources, desk.catalogue(), changes, around, desk.clock())
    return await desk.db.write(lambda tx: _open(tx, draft, plan, place, world(tx), desk))


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
    if environment not in service.environments:
        raise NotFound(f"{service.name} has no environment {environment[:80]!r}; known are: {', '.join(service.environments)}.")
    if target and not VERSION.fullmatch(target):
        raise NotFound(f"{target[:80]!r} cannot be a version: letters, digits and . _ + / - only.")
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


def deployer_of(service: Service, desk: Desk) -> Deployer:
    deployer = desk.deployers.get(service.deployer)
    if deployer is None:
        known = ", ".join(desk.deployers) or "none"
        raise NotFound(f"services.yaml gives {service.name} the deployer {service.deployer!r}; tocsin.toml has: {known}.")
    return deployer


def _open(tx: Transaction, draft: Action, plan: Plan, place: Place | None, world: World, desk: Desk) -> Action:
    """The action is kept, unless the same wish came in, or something came in its way, while the plan was made."""
    desk.actions.hold(tx)
    now = world.now
    rule = world.policies.rule_for(draft.kind, world.service, draft.environment)
    if rule is None:
        raise IllegalMove("The rule that allowed this was just taken out of policies.yaml.")
    allow(draft, draft.requested_by, Moment.REQUEST, world)
    action = open_for_approval(draft, with_barriers(plan, draft, world), rule, world)
    unfinished = desk.actions.unfinished(tx)
    make_way(action, unfinished)
    for other in unfinished:
        if other.status in WAITING and not expired(other, now) and _same_wish(other, action):
            return other
    if (there := desk.actions.get(tx, draft.id)) is not None:
        return there
    kept = desk.actions.add(tx, action)
    tell(tx, kept, kept.requested_by, "requested", desk, place)
    breaking.broke(tx, kept, desk)
    when_due(tx, kept, 0, desk)
    return kept


def _same_wish(one: Action, other: Action) -> bool:
    def wish(a: Action) -> tuple[object, ...]:
        return a.kind, a.service, a.environment, a.target, a.incident_id, a.batch, a.plan.hash if a.plan else ""

    return wish(one) == wish(other)
