"""Somebody pressed a step on a card: a suggested one gets a plan that others approve, one for one click starts."""

from dataclasses import replace

from bot.actions.approvals import NotYours
from bot.domain.automation import Degree, Offer
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.domain.request import Deed, Press
from bot.domain.suggestion import reference
from bot.domain.view import NoteView, Shown
from bot.errors import IllegalMove, NotAllowed, NotFound
from bot.flows.acting.deciding import decide
from bot.flows.automating.starting import plan_of
from bot.flows.automating.weighing import offer_of, surely_read
from bot.flows.desk import Desk
from bot.flows.locking.guarding import refusal
from bot.ports import Transaction

GONE = "That step fits no longer; the card shows what does."
PEOPLE_CAN_HELP = (NotAllowed, IllegalMove, NotFound)


async def on_step(press: Press, desk: Desk) -> Shown | None:
    """A press of "Prepare" or "Start now"; `value` is "<incident>:<step>". What comes back is for that person alone."""
    try:
        return await (_propose(press, desk) if press.action_id is Deed.STEP_PROPOSE else _run(press, desk))
    except PEOPLE_CAN_HELP as error:
        return refusal(error) if isinstance(error, NotYours) else NoteView(error.for_people)


async def _propose(press: Press, desk: Desk) -> NoteView:
    incident, diagnosis, offer = await _offered(press, desk)
    action = await plan_of(offer, incident, diagnosis, press.person, press.id, desk, press.place.channel)
    return NoteView(f"The plan to {action.kind.value} {action.service} is in the thread; it is {action.status.value}.")


async def _run(press: Press, desk: Desk) -> NoteView | None:
    """One press asks, approves and starts, if the step is still at that degree and this person may do all of it."""
    _, _, offer = await _offered(press, desk)
    if not offer.plan:
        raise NotFound("Its plan has expired or was decided; prepare another one.")
    if offer.ruled.degree is Degree.SUGGEST:
        why = "; ".join(offer.ruled.why_not(Degree.ONE_CLICK)) or "it is only suggested"
        raise IllegalMove(f"One press is not enough for {offer.step.label} now: {why}.")
    await decide(replace(press, action_id=Deed.ACTION_APPROVE, value=offer.plan), desk)
    return None


async def _offered(press: Press, desk: Desk) -> tuple[Incident, Diagnosis, Offer]:
    surely_read(desk)
    id, _, ref = press.value.rpartition(":")

    def read(tx: Transaction) -> tuple[Incident, Diagnosis, Offer]:
        found = offer_of(tx, id, ref, desk)
        if found is None:
            raise NotFound(GONE)
        return found

    return await desk.db.read(read)


def carried(offer: Offer, incident_id: str) -> str:
    """What a button of an offer carries."""
    return f"{incident_id}:{reference(offer.step.id)}"
