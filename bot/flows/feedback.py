"""Somebody judged an answer or confirmed a cause: it goes into the journal, and a confirmed incident becomes knowledge."""

from dataclasses import replace

from bot.domain.action import ActionStatus
from bot.domain.document import Document
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.interaction import Feature, Feedback, Opinion
from bot.domain.request import Deed, Press
from bot.domain.view import NoteView, Shown
from bot.errors import NotFound
from bot.flows.announce import announce, want
from bot.flows.desk import Desk
from bot.knowledge.documents import incident_document
from bot.ports import ActionStore, DiagnosisStore, Transaction
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
    incident, document = await desk.db.write(lambda tx: _confirm(tx, press, opinion, desk))
    await desk.library.remember(document)
    return NoteView(
        f"Noted as the cause of {incident.key}: {incident.confirmed_cause}. It will be found when this happens again."
    )


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


def _confirm(tx: Transaction, press: Press, opinion: Opinion, desk: Desk) -> tuple[Incident, Document]:
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
    return confirmed, past_document(tx, confirmed, desk.diagnoses, desk.actions)


def named_cause(diagnosis: Diagnosis | None) -> str:
    """What the diagnosis names as the cause, in a few words."""
    if diagnosis is None:
        return "not known"
    if diagnosis.cause is not None:
        cause = diagnosis.cause
        commit = f" ({cause.commit[:7]})" if cause.commit else ""
        return f"{cause.service} {cause.version}: {cause.title}{commit}".replace("  ", " ")
    return diagnosis.operational_cause.text if diagnosis.operational_cause else diagnosis.summary


def past_document(tx: Transaction, incident: Incident, diagnoses: DiagnosisStore, actions: ActionStore) -> Document:
    """The incident as knowledge: what was seen, the confirmed cause, the change and what helped."""
    diagnosis = diagnoses.latest(tx, incident.id)
    cause = diagnosis.cause if diagnosis else None
    fixed = [a for a in actions.of_incident(tx, incident.id) if a.status is ActionStatus.SUCCEEDED]
    return incident_document(
        incident,
        cause=incident.confirmed_cause,
        change=f"{cause.service} {cause.version} ({cause.commit[:7]})" if cause else "",
        fix=f"{fixed[0].kind.value} of {fixed[0].service} to {fixed[0].target}" if fixed else incident.resolved_by,
        confirmed_by=incident.confirmed_by,
        symptoms=[diagnosis.symptom] if diagnosis and diagnosis.symptom else [],
    )
