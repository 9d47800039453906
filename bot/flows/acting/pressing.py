"""Somebody pressed a button about an action; what comes back is for that person alone."""

from collections.abc import Awaitable, Callable

from bot.actions.approvals import NotYours
from bot.actions.plan import known_service
from bot.domain.action import Action, ActionKind, Claim, Ties, way_back
from bot.domain.evidence import Candidate, Verdict
from bot.domain.incident import Incident
from bot.domain.request import Deed, Press
from bot.domain.view import NoteView, Place, Shown
from bot.errors import IllegalMove, NotAllowed, NotFound
from bot.flows.acting import batches, cancelling, history
from bot.flows.acting.deciding import decide
from bot.flows.acting.gathering import back_from
from bot.flows.acting.proposing import ask_for_approval, propose
from bot.flows.acting.sequencing import roll_back_all, still_there
from bot.flows.acting.uncertain import settle_by_hand
from bot.flows.automating.pressing import on_step
from bot.flows.desk import Desk
from bot.flows.grouping.together import together
from bot.flows.locking.guarding import refusal
from bot.ports import Transaction

PEOPLE_CAN_HELP = (NotAllowed, IllegalMove, NotFound)


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """A button about an action; what comes back is for the person who pressed it alone."""
    deeds: dict[Deed, Callable[[Press, Desk], Awaitable[Shown | None]]] = {
        Deed.ROLLBACK_PROPOSE: _propose_rollback,
        Deed.ACTION_APPROVE: decide,
        Deed.ACTION_REJECT: decide,
        Deed.ACTION_ASK: ask_for_approval,
        Deed.ACTION_RAN: settle_by_hand,
        Deed.ACTION_DID_NOT_RUN: settle_by_hand,
        Deed.ACTION_BACK: _take_back,
        Deed.BATCH_APPROVE: batches.on_press,
        Deed.BATCH_REJECT: batches.on_press,
        Deed.BATCH_STOP: batches.stop,
        Deed.STEP_PROPOSE: on_step,
        Deed.STEP_RUN: on_step,
        Deed.ACTION_CANCEL: cancelling.on_press,
        Deed.HISTORY_OLDER: history.on_page,
        Deed.HISTORY_NEWER: history.on_page,
    }
    try:
        return await deeds[press.action_id](press, desk)
    except PEOPLE_CAN_HELP as error:
        return refusal(error) if isinstance(error, NotYours) else NoteView(error.for_people)


async def _propose_rollback(press: Press, desk: Desk) -> Shown | None:
    """The rollback that the diagnosis of an incident suggests gets its plan and waits for approval."""

    def read(tx: Transaction) -> tuple[Incident, Candidate, tuple[str, ...]]:
        incident = desk.incidents.get(tx, press.value)
        if incident is None:
            raise NotFound("That incident is no longer kept; `/incident list all` shows those there are.")
        diagnosis = desk.diagnoses.latest(tx, incident.id)
        if diagnosis is None or diagnosis.verdict is not Verdict.CONVICTED or diagnosis.cause is None:
            raise IllegalMove(f"No change is named as the cause of {incident.key}, so there is nothing to roll back.")
        return incident, diagnosis.cause, together(tx, diagnosis.cause, incident, desk)

    incident, cause, others = await desk.db.read(read)
    service = known_service(cause.service, desk.catalogue())
    target = await back_from(cause.version, service, incident.environment, desk)
    why = f"{incident.key}: {cause.service} {cause.version} ({cause.title}) is the likely cause"
    with_it = await still_there(others, cause.version, incident.environment, desk)
    if with_it:
        parts = ((service.name, target), *with_it)
        return await roll_back_all(incident, parts, why, press.person, press.place.channel, press.id, desk)
    action = await propose(
        incident=incident,
        kind=ActionKind.ROLLBACK,
        service=service.name,
        target=target,
        environment=incident.environment,
        person=press.person,
        desk=desk,
        reason=why,
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
        place=Place(press.place.channel, "", press.place.thread),
        key=press.id,
        claim=Claim.FIX,
        asked_in=press.place.channel,
        ties=Ties(undoes=done.id),
    )
    where = "in the thread" if incident is not None or press.place.thread else "posted"
    return NoteView(f"The plan to bring {back.service} {back.target} back is {where}; it is {back.status.value}.")
