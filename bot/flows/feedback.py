"""Somebody judged an answer or confirmed a cause: it goes into the journal, and a confirmed incident becomes knowledge."""

from dataclasses import replace

from bot.domain.evidence import named_cause
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.interaction import Feature, Feedback, Opinion
from bot.domain.request import Deed, Press
from bot.domain.view import NoteView, Shown
from bot.errors import NotFound
from bot.flows.announce import announce, want
from bot.flows.desk import Desk
from bot.flows.runbooks.past import is_knowledge, keep_past, keep_surroundings
from bot.ports import Transaction
from bot.redact import redact

_OPINIONS = {
    Deed.ANSWER_USEFUL: Opinion.USEFUL,
    Deed.ANSWER_NOT_USEFUL: Opinion.NOT_USEFUL,
    Deed.CAUSE_CONFIRM: Opinion.CONFIRMED,
    Deed.CAUSE_OTHER: Opinion.OTHER_CAUSE,
}


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """An opinion is kept; a cause that a person names becomes the incident's confirmed cause."""
    opinion = _OPINIONS[press.action_id]
    if opinion in (Opinion.USEFUL, Opinion.NOT_USEFUL):
        kept = await desk.db.write(lambda tx: desk.journal.judge(tx, _feedback(press, opinion, desk, interaction=press.value)))
        return NoteView("Thank you, noted." if kept else "You said so already; thank you.")
    incident = await desk.db.write(lambda tx: _confirm(tx, press, opinion, desk))
    await keep_past({"incident_id": incident.id}, desk)  # at once here, by durable work everywhere
    when = "It will be found when this happens again" if is_knowledge(incident) else "Once it is resolved, it will be found again"
    return NoteView(f"Noted as the cause of {incident.key}: {incident.confirmed_cause}. {when}.")


def _feedback(press: Press, opinion: Opinion, desk: Desk, *, interaction: str = "", incident: str = "") -> Feedback:
    return Feedback(
        id=desk.new_id(),
        at=desk.clock(),
        user=press.person.id,
        opinion=opinion,
        interaction_id=interaction,
        incident_id=incident,
        note=redact(press.text),
    )


def _confirm(tx: Transaction, press: Press, opinion: Opinion, desk: Desk) -> Incident:
    incident = desk.incidents.get(tx, press.value)
    if incident is None:
        raise NotFound("That incident is no longer kept; `/incident list` shows those there are.")
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    cause = redact(press.text) if opinion is Opinion.OTHER_CAUSE else named_cause(diagnosis)
    now = desk.clock()
    confirmed = desk.incidents.save(tx, replace(incident, confirmed_cause=cause, confirmed_by=press.person.id, updated_at=now))
    looks = desk.journal.recent(tx, 50, incident.id, engine="rules")  # the card names their cause, a model's is an opinion
    newest = next((i.id for i in looks if i.feature is Feature.DIAGNOSIS), "")
    desk.journal.judge(tx, _feedback(press, opinion, desk, interaction=newest, incident=incident.id))
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.NOTE, f"cause confirmed: {cause}", press.person.id)])
    desk.ledger.append(tx, now, press.person.id, "confirmed cause", incident.id, {"cause": cause})
    announce(tx, confirmed, desk)
    want(tx, f"confirm:{incident.id}", desk)
    keep_surroundings(tx, confirmed, desk)
    return confirmed
