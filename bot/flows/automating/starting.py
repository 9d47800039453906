"""A step of more than "suggest" gets its plan beforehand; an automatic one is approved by itself and started, once."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from bot.actions.approvals import NotYours, approve_in_place, make_way
from bot.actions.plan import ANY_TARGET
from bot.actions.policy import BOT
from bot.domain.action import Action, ActionKind, ActionStatus, Authority, Claim, Ties
from bot.domain.automation import PREVIOUS, Degree, Offer
from bot.domain.change import Version
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.request import Person
from bot.domain.suggestion import reference
from bot.errors import IllegalMove, NotAllowed, NotFound
from bot.flows.acting.gathering import back_from, deployer_of, ran_before
from bot.flows.acting.proposing import propose
from bot.flows.acting.steps import partition_of
from bot.flows.acting.telling import tell
from bot.flows.automating.weighing import SWITCH, offer_of, offers, surely_read
from bot.flows.desk import Desk
from bot.flows.locking.guarding import world_of
from bot.ports import Scalar, Transaction

CANNOT = (NotAllowed, NotFound, IllegalMove)


def automate_soon(tx: Transaction, incident: Incident, diagnosis: Diagnosis, desk: Desk) -> None:
    """Each step that fits and may be more than suggested is worked on once per incident."""
    for offer in offers(tx, incident, diagnosis, desk):
        if offer.ruled.degree is not Degree.SUGGEST:
            ref = reference(offer.step.id)
            args: Mapping[str, Scalar] = {"incident_id": incident.id, "step": ref}
            desk.work.start(tx, "actions", "automate", f"automate:{incident.id}:{ref}", args, partition=incident.id)


async def automate(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The plan is made; an automatic step starts, one for one click waits on the card. Running twice is running once."""
    surely_read(desk)
    id, ref = str(args["incident_id"]), str(args["step"])
    found = await desk.db.read(lambda tx: offer_of(tx, id, ref, desk))
    if found is None or found[2].ruled.degree is Degree.SUGGEST:
        return
    incident, diagnosis, offer = found
    try:
        action = await plan_of(offer, incident, diagnosis, Person(BOT), f"step:{incident.id}:{offer.step.id}", desk)
        await desk.db.write(lambda tx: _go_on(tx, action.id, incident.id, ref, desk))
    except CANNOT as error:
        said = f"{offer.step.label} could not be planned beforehand: {error.for_people}"
        await desk.db.write(lambda tx: desk.timeline.add(tx, [Entry(incident.id, desk.clock(), EntryKind.NOTE, said, BOT)]))


async def plan_of(
    offer: Offer, incident: Incident, diagnosis: Diagnosis, person: Person, key: str, desk: Desk, asked_in: str = ""
) -> Action:
    """The action that a step describes, with its plan, asked for by this person or the bot.

    What the step says decides kind, service and version; its page's words are only told. Raises what `propose` raises.
    """
    step = offer.step
    mends = step.kind is ActionKind.DEPLOY and person.id != BOT  # a person who asks for a fix says so; the bot goes past no guard
    return await propose(
        incident=incident,
        kind=step.kind,
        service=offer.service,
        target=await _target(offer, diagnosis, desk),
        environment=offer.environment,
        person=person,
        desk=desk,
        reason=f"{incident.key}: step {step.name} of {step.title}",
        key=key,
        claim=Claim.FIX if mends else Claim.NONE,
        asked_in=asked_in,
        ties=Ties(step=step.id),
    )


async def _target(offer: Offer, diagnosis: Diagnosis, desk: Desk) -> str:
    service = desk.catalogue().get(offer.service)
    cause = diagnosis.cause
    guilty = cause.version if cause and desk.catalogue().get(cause.service).name == service.name else ""
    if offer.step.target == PREVIOUS and not guilty:
        return ANY_TARGET
    if offer.step.target == PREVIOUS:
        return await back_from(guilty, service, offer.environment, desk)
    history = await ran_before(service, offer.environment, desk)
    current = await deployer_of(service, desk).current(service.name, offer.environment)
    fits = [v for v in history if _fits(v, offer.step.target) and v.version not in (guilty, current.version)]
    if not fits:
        raise NotFound(f"No healthy version {offer.step.target} of {service.name} is known in {offer.environment}.")
    return fits[0].version


def _fits(version: Version, pattern: str) -> bool:
    """Letters, digits and "*" are all that a pattern has; see `bot.actions.automation.pages`."""
    return version.healthy is not False and fnmatchcase(version.version, pattern)


def _go_on(tx: Transaction, id: str, incident_id: str, ref: str, desk: Desk) -> None:
    """Now that the plan is known, the step is weighed once more: it starts, waits for one press, or is withdrawn."""
    desk.actions.hold(tx)
    action = desk.actions.get(tx, id)
    if action is None or action.status is not ActionStatus.AWAITING or action.requested_by != BOT:
        return
    found = offer_of(tx, incident_id, ref, desk)
    degree = found[2].ruled.degree if found and found[2].plan == id else Degree.SUGGEST
    if degree is Degree.AUTOMATIC:
        _start(tx, action, desk)
    elif degree is Degree.SUGGEST:
        why = "; ".join(found[2].ruled.all_why) if found else "the step does not fit any more"
        withdraw(tx, action, f"Nothing was started: {why or 'it is only suggested'}.", desk)


def _start(tx: Transaction, action: Action, desk: Desk) -> None:
    service = desk.catalogue().get(action.service)
    world = world_of(tx, service, {}, desk, automatic=frozenset({action.step}))
    try:
        approved = approve_in_place(action, Authority.STEP, action.step, world)
        make_way(approved, desk.actions.unfinished(tx))
    except NotYours as error:
        withdraw(tx, action, f"Nothing was started: {error.for_people}", desk)
        return
    moved = desk.actions.move(tx, action, approved)
    if moved is None:
        return
    tell(tx, moved, BOT, "approved", desk)
    detail = {"action": moved.id, "step": moved.step, "service": moved.service, "environment": moved.environment}
    desk.ledger.append(tx, desk.clock(), BOT, "started by itself", SWITCH, {**detail, "target": moved.target})
    args: Mapping[str, Scalar] = {"action": moved.id, "look": 0}
    desk.work.start(tx, "actions", "execute", f"action:{moved.id}", args, partition=partition_of(moved))
    desk.work.start(tx, "reach", "tell_automatic", f"automatic:{moved.id}", {"action": moved.id}, partition=moved.incident_id)


def withdraw(tx: Transaction, action: Action, why: str, desk: Desk, by: str = BOT) -> bool:
    """An action that has not begun ends, and its message says why; False if somebody was faster."""
    moved = desk.actions.move(tx, action, action.move(ActionStatus.REFUSED, desk.clock(), why))
    if moved is not None:
        tell(tx, moved, by, "withdrawn", desk)
    return moved is not None
