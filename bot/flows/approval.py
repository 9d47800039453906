"""Somebody wants something changed, somebody says yes or no: checked against the policy, written, and set going."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from bot.actions.approvals import WAITING, NotYours, hear, make_way, open_for_approval
from bot.actions.plan import Surroundings, before_guilty, known_service, make_plan
from bot.actions.policy import Moment, World
from bot.domain.action import Action, ActionKind, ActionStatus, Claim, Plan, expired, way_back
from bot.domain.change import Change
from bot.domain.evidence import Candidate, Verdict
from bot.domain.incident import Incident
from bot.domain.request import Deed, Person, Press
from bot.domain.service import Service
from bot.domain.view import NoteView, Place, Shown
from bot.errors import IllegalMove, NotAllowed, NotFound, Outrun
from bot.flows.desk import Desk
from bot.flows.execution import partition_of, tell, when_due
from bot.flows.locking import breaking
from bot.flows.locking.guarding import allow, involved, memberships, refusal, remember, whereabouts, with_barriers, world_of
from bot.flows.uncertain import settle_by_hand
from bot.ports import Deployer, Scalar, Transaction
from bot.redact import redact

REMEMBERED = timedelta(days=30)  # how far back changes are asked which commit a version is
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")
PEOPLE_CAN_HELP = (NotAllowed, IllegalMove, NotFound)


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """A button about an action; what comes back is for the person who pressed it alone."""
    deeds: dict[Deed, Callable[[Press, Desk], Awaitable[Shown | None]]] = {
        Deed.ROLLBACK_PROPOSE: _propose_rollback,
        Deed.ACTION_APPROVE: _decide,
        Deed.ACTION_REJECT: _decide,
        Deed.ACTION_RAN: settle_by_hand,
        Deed.ACTION_DID_NOT_RUN: settle_by_hand,
        Deed.ACTION_BACK: _take_back,
    }
    try:
        return await deeds[press.action_id](press, desk)
    except PEOPLE_CAN_HELP as error:
        return refusal(error) if isinstance(error, NotYours) else NoteView(error.for_people)


async def _propose_rollback(press: Press, desk: Desk) -> Shown | None:
    """The rollback that the diagnosis of an incident suggests gets its plan and waits for approval."""

    def read(tx: Transaction) -> tuple[Incident, Candidate]:
        incident = desk.incidents.get(tx, press.value)
        if incident is None:
            raise NotFound("That incident is no longer kept; `/incident list all` shows those there are.")
        diagnosis = desk.diagnoses.latest(tx, incident.id)
        if diagnosis is None or diagnosis.verdict is not Verdict.CONVICTED or diagnosis.cause is None:
            raise IllegalMove(f"No change is named as the cause of {incident.key}, so there is nothing to roll back.")
        return incident, diagnosis.cause

    incident, cause = await desk.db.read(read)
    service = known_service(cause.service, desk.catalogue())
    history = await _deployer(service, desk).versions(service.name, incident.environment)
    action = await propose(
        incident=incident,
        kind=ActionKind.ROLLBACK,
        service=service.name,
        target=before_guilty(cause.version, history),
        environment=incident.environment,
        person=press.person,
        desk=desk,
        reason=f"{incident.key}: {cause.service} {cause.version} ({cause.title}) is the likely cause",
        key=press.id,
        asked_in=press.place.channel,
    )
    return NoteView(f"The plan to roll back {action.service} to {action.target} is in the thread; it is {action.status.value}.")


async def _take_back(press: Press, desk: Desk) -> Shown | None:
    """What ran before an action that did no good gets a plan of its own and waits for approval, like any other change."""

    def read(tx: Transaction) -> tuple[Action, Incident | None]:
        action = desk.actions.get(tx, press.value)
        if action is None:
            raise NotFound("That action is no longer kept.")
        return action, desk.incidents.get(tx, action.incident_id) if action.incident_id else None

    done, incident = await desk.db.read(read)
    before = way_back(done)
    if not before:
        raise IllegalMove(f"This {done.kind.value} of {done.service} is {done.status.value}; there is nothing to take back.")
    back = await propose(
        incident=incident,
        kind=ActionKind.DEPLOY if done.kind is ActionKind.ROLLBACK else ActionKind.ROLLBACK,
        service=done.service,
        target=before,
        environment=done.environment,
        person=press.person,
        desk=desk,
        reason=f"the {done.kind.value} to {done.target} did no good: {before} ran before",
        key=press.id,
        claim=Claim.FIX,
        asked_in=press.place.channel,
    )
    return NoteView(f"The plan to bring {back.service} {back.target} back is in the thread; it is {back.status.value}.")


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
) -> Action:
    """The action with its plan, waiting for approval; `target` "" is the version before the current one.

    `claim` is what lets it past a guard, `reason` says why; `asked_in` is the channel in which the person asks. The same
    `key`, or a wish that already waits, gives the action that there is. Raises NotYours, NotFound, IllegalMove or
    Unavailable, each with a sentence for people.
    """
    draft = _draft(incident, kind, service, target, environment, person, desk, reason, key)
    draft = replace(draft, claim=claim, claim_reason=draft.reason if claim else "")
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
    deployer = _deployer(service, desk)
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


def _deployer(service: Service, desk: Desk) -> Deployer:
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
        return a.kind, a.service, a.environment, a.target, a.incident_id, a.plan.hash if a.plan else ""

    return wish(one) == wish(other)


async def _decide(press: Press, desk: Desk) -> Shown | None:
    """The word of a person is weighed, written and acted upon in one transaction."""
    approved = press.action_id is Deed.ACTION_APPROVE
    waiting = await desk.db.read(lambda tx: desk.actions.get(tx, press.value))
    groups = await memberships(involved(waiting, press.person.id) if waiting else (), desk)

    def go(tx: Transaction) -> None:
        action = desk.actions.get(tx, press.value)
        if action is None:
            raise NotFound("That action is no longer kept.")
        note = redact(press.text)[:300]
        world = world_of(tx, desk.catalogue().get(action.service), groups, desk)
        after = hear(action, press.person.id, approved, world, note)
        if after.status is ActionStatus.APPROVED:
            make_way(after, desk.actions.unfinished(tx))
        moved = desk.actions.move(tx, action, after)
        if moved is None:
            raise Outrun("Somebody decided this a moment before you; its message shows how.")
        tell(tx, moved, press.person.id, "approved" if approved else "rejected", desk)
        if moved.status is ActionStatus.APPROVED:
            args: Mapping[str, Scalar] = {"action": moved.id, "look": 0}
            desk.work.start(tx, "actions", "execute", f"action:{moved.id}", args, partition=partition_of(moved))

    try:
        await desk.db.write(go)
    except NotYours as error:
        await remember(error, press.person.id, press.action_id.value, press.value, desk)
        raise
    return None
