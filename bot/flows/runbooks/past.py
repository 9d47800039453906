"""Incidents that are over become knowledge: once a person confirmed the cause, and for as long as that is so."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.document import Document, DocumentKind
from bot.domain.evidence import Diagnosis, EvidenceKind
from bot.domain.incident import Incident
from bot.domain.past import PastIncident, Surroundings
from bot.domain.service import Catalogue, ServiceGraph
from bot.flows.desk import Desk
from bot.flows.runbooks.keeping_up import note_news
from bot.knowledge.past import document_of
from bot.ports import ActionStore, DiagnosisStore, IncidentStore, PastStore, Scalar, Transaction

MOST = 5_000  # incidents that are looked through
SIGNS = 6  # pieces of evidence that count as symptoms
AROUND = timedelta(hours=1)  # a change that shipped so long before an incident lies around it
_DOING = {ActionKind.ROLLBACK: "rolling back", ActionKind.DEPLOY: "deploying"}


def is_knowledge(incident: Incident) -> bool:
    """It is over, a person named its cause, and no other incident has its problems now."""
    return bool(incident.confirmed_cause) and not incident.live and not incident.merged_into


def past_of(incident: Incident, diagnosis: Diagnosis | None, actions: Sequence[Action]) -> PastIncident:
    """An incident of ours as the next one is compared with it."""
    cause = diagnosis.cause if diagnosis else None
    seen = [f"{m.name} on {m.service}: {m.summary}".rstrip(": ") for m in incident.members]
    return PastIncident(
        ref=incident.key,
        title=incident.title,
        started=incident.opened_at,
        resolved=incident.resolved_at,
        severity=incident.severity.value,
        services=incident.services,
        alerts=tuple(dict.fromkeys(m.name for m in incident.members)),
        symptoms=(*seen, *_signs(diagnosis)),
        cause=incident.confirmed_cause,
        change=f"{cause.service} {cause.version} ({cause.commit[:7]}): {cause.title}" if cause else "",
        fix=_fix(actions),
        confirmed_by=incident.confirmed_by,
    )


def _signs(diagnosis: Diagnosis | None) -> list[str]:
    """What metrics and logs showed: the symptom in a sentence, then kinds of log lines and metrics."""
    if diagnosis is None:
        return []
    seen = [e.text for kind in (EvidenceKind.LOG, EvidenceKind.METRIC) for e in diagnosis.evidence if e.kind is kind]
    return [diagnosis.symptom, *seen[:SIGNS]]


def _fix(actions: Sequence[Action]) -> str:
    """What people did through us; who resolved it, or that its alerts cleared, says nothing of how."""
    done = next((a for a in actions if a.status is ActionStatus.SUCCEEDED), None)
    if done is not None:
        return f"{_DOING.get(done.kind, done.kind.value)} {done.service} to {done.target}"
    return ""


def neighbours(services: Iterable[str], graph: ServiceGraph) -> tuple[str, ...]:
    """The services one hop from these, along calls in either direction."""
    own = tuple(services)
    found = dict.fromkeys(n for s in own for n in (*graph.callees(s), *graph.callers(s)))
    return tuple(n for n in found if n not in own)


def keep_surroundings(tx: Transaction, incident: Incident, desk: Desk) -> Surroundings:
    """What lies around an incident is kept, because the catalogue goes on changing."""
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    change = desk.changes.get(tx, diagnosis.cause.change_id) if diagnosis and diagnosis.cause else None
    around = Surroundings(
        neighbours=neighbours(incident.services, desk.catalogue().graph),
        change_kind=change.kind.value if change else "",
    )
    desk.past.note(tx, incident.id, around)
    return around


async def keep_past(args: Mapping[str, Scalar], desk: Desk) -> None:
    """An incident changed: the library knows it as it is now, or forgets it. Other replicas read it within half a minute."""

    def read(tx: Transaction) -> tuple[Incident, Document | None] | None:
        incident = desk.incidents.get(tx, str(args["incident_id"]))
        if incident is None:
            return None
        return incident, _document(tx, incident, desk) if is_knowledge(incident) else None

    known = await desk.db.read(read)
    if known is None:
        return
    incident, document = known
    if document is not None:
        await desk.library.remember(document)
    else:
        await desk.library.forget(f"{DocumentKind.INCIDENT.value}:{incident.key}")
    await desk.db.write(partial(note_news, desk=desk))


def _document(tx: Transaction, incident: Incident, desk: Desk) -> Document:
    kept = desk.past.around(tx, incident.id).get(incident.id)
    past = past_of(incident, desk.diagnoses.latest(tx, incident.id), desk.actions.of_incident(tx, incident.id))
    return document_of(past, kept, neighbours(incident.services, desk.catalogue().graph))


def follow_past(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """An incident with a confirmed cause changed: what is known of it will follow. Free for all others."""
    if not incident.confirmed_cause:
        return
    if is_knowledge(incident) and not desk.past.around(tx, incident.id):
        keep_surroundings(tx, incident, desk)
    work = f"keep_past:{incident.id}:{incident.version}"
    desk.work.start(tx, "housekeeping", "keep_past", work, {"incident_id": incident.id}, partition=f"past:{incident.id}")


def known_documents(
    tx: Transaction,
    incidents: IncidentStore,
    diagnoses: DiagnosisStore,
    actions: ActionStore,
    past: PastStore,
    catalogue: Catalogue,
) -> list[Document]:
    """Every past incident that is knowledge: ours whose cause a person confirmed, then those that were imported."""
    graph, kept = catalogue.graph, past.around(tx)
    ours = [
        document_of(
            past_of(i, diagnoses.latest(tx, i.id), actions.of_incident(tx, i.id)), kept.get(i.id), neighbours(i.services, graph)
        )
        for i in incidents.recent(tx, MOST)
        if is_knowledge(i)
    ]
    elsewhere = [document_of(one, None, neighbours(one.services, graph)) for one in past.known(tx)]
    return [*ours, *elsewhere]
