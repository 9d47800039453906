"""An incident needs looking into: gather, rank, show; look again while there is news."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.document import DocumentKind, Found, Inquiry
from bot.domain.evidence import Diagnosis, Verdict
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.interaction import Feature, Interaction, Retrieved
from bot.domain.telemetry import Window
from bot.flows.announce import announce, want
from bot.flows.automating.starting import automate_soon
from bot.flows.charting.soon import draw_soon
from bot.flows.desk import Desk
from bot.flows.learning.nightly import weights_in_force
from bot.flows.mapping.sweeping import note_calls
from bot.flows.runbooks.knowing import Reader
from bot.investigation.case import Case, parents
from bot.investigation.diagnose import closer, diagnose, with_knowledge
from bot.investigation.gather import gather
from bot.investigation.thought import with_thought
from bot.ports import Scalar, Start, Transaction
from bot.redact import redact

KNOWN = 3  # runbooks, and past incidents, that a diagnosis links
LEAD = timedelta(minutes=5)  # signs come at most so long before an onset


def look(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """This incident is looked into: at once the first time, then at most once per `look_again` while there is news."""
    look_all(tx, [incident], desk)


def look_all(tx: Transaction, incidents: Iterable[Incident], desk: Desk) -> None:
    """`look` for each of many, in a handful of statements."""
    live = [incident.id for incident in incidents if incident.live]
    first = desk.work.start_all(tx, [_looking(id, "first") for id in live])
    now, span = desk.clock(), desk.limits.look_again.total_seconds()
    slot = int(now.timestamp() // span) + 1
    due = now.fromtimestamp(slot * span, tz=now.tzinfo)
    again = [id for id, is_first in zip(live, first, strict=True) if not is_first]
    desk.work.start_all(tx, [_looking(id, str(slot), due) for id in again])


def _looking(id: str, which: str, due: datetime | None = None) -> Start:
    return Start("investigate", "investigate", f"look:{id}:{which}", {"incident_id": id}, id, due)


async def investigate(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The evidence is gathered and ranked, and the card tells what it says."""
    began = time.perf_counter()
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, str(args["incident_id"])))
    if incident is None or not incident.live:
        return
    case = await collect(incident, desk)
    diagnosis = await asyncio.to_thread(diagnose, case, weights=await weights_in_force(desk))
    if inquiry := closer(diagnosis, case):
        case = await know_more(case, inquiry, Reader(desk, incident))
        diagnosis = with_knowledge(replace(diagnosis, searched=True), case.runbooks, case.past)
    spent_ms = 1000 * (time.perf_counter() - began)
    await desk.db.write(lambda tx: _tell(tx, incident.id, diagnosis, case, spent_ms, desk))


async def know_more(case: Case, inquiry: Inquiry, library: Reader) -> Case:
    """The case with what fits the named cause before what fitted the alerts alone."""
    runbooks = await library.find(inquiry, DocumentKind.RUNBOOK, KNOWN)
    past = await library.find(inquiry, DocumentKind.INCIDENT, KNOWN)
    return replace(case, runbooks=_first(runbooks.shown, case.runbooks), past=_first(past.shown, case.past))


def _first(better: Sequence[Found], other: Sequence[Found]) -> tuple[Found, ...]:
    known = {f.document.id for f in better}
    return (*better, *(f for f in other if f.document.id not in known))[:KNOWN]


async def collect(incident: Incident, desk: Desk) -> Case:
    """Everything known about the incident, as the rules need it."""
    now = desk.clock()
    window = Window(now - desk.limits.window, now)
    alerts = await desk.db.read(lambda tx: desk.alerts.events(tx, incident.id))
    changes = await desk.db.read(lambda tx: desk.changes.between(tx, window.start, window.end))
    return await gather(
        incident=incident,
        alerts=alerts,
        changes=changes,
        catalogue=desk.catalogue(),
        sources=desk.evidence_sources,
        change_sources=desk.change_sources,
        library=Reader(desk, incident),
        window=window,
        now=now,
        deadline=desk.limits.gather,
        earlier=await desk.db.read(lambda tx: earlier_trouble(tx, incident, window, desk)),
    )


def earlier_trouble(tx: Transaction, incident: Incident, window: Window, desk: Desk) -> tuple[Window, ...]:
    """The spans of earlier incidents of related services, each from shortly before its onset to its end."""
    graph = desk.catalogue().whole
    spans = []
    for other in desk.incidents.recent(tx, 100):
        ended = other.resolved_at
        near = any(graph.related(a, b) for a in incident.services for b in other.services)
        if other.id == incident.id or ended is None or not window.start <= ended <= incident.opened_at or not near:
            continue
        diagnosis = desk.diagnoses.latest(tx, other.id)
        began = min(other.opened_at, diagnosis.onset) if diagnosis and diagnosis.onset else other.opened_at
        spans.append(Window(began - min((ended - began) / 4, LEAD), ended))
    return tuple(spans)


def _tell(tx: Transaction, id: str, diagnosis: Diagnosis, case: Case, spent_ms: float, desk: Desk) -> None:
    note_calls(tx, {(parent.service, span.service) for span, parent in parents(case.spans)}, desk)
    incident = desk.incidents.get(tx, id)
    if incident is None or not incident.live:
        return
    before = desk.diagnoses.latest(tx, id)
    if before is not None and before.verdict is Verdict.CONVICTED and _weaker(diagnosis, before):
        diagnosis = before  # telemetry that fades while people act does not acquit what stood convicted
    diagnosis = with_thought(diagnosis, before.thought if before else None)
    news = before is None or _claim(before) != _claim(diagnosis)
    diagnosis = replace(diagnosis, trace_id=desk.new_id() if before is None or news else before.trace_id)
    desk.diagnoses.save(tx, id, diagnosis)
    if news:
        desk.timeline.add(tx, [Entry(id, diagnosis.at, EntryKind.DIAGNOSIS, diagnosis.summary)])
        desk.journal.add(tx, _interaction(incident, diagnosis, case, spent_ms, desk))
    announce(tx, incident, desk)
    want(tx, f"evidence:{id}", desk)
    automate_soon(tx, incident, diagnosis, desk)
    if news:
        draw_soon(tx, incident, diagnosis.trace_id, desk)
    if diagnosis.verdict is Verdict.UNDETERMINED and desk.clock() - incident.opened_at < desk.limits.correlate:
        look(tx, incident, desk)


def _weaker(now: Diagnosis, before: Diagnosis) -> bool:
    same = now.cause is not None and before.cause is not None and now.cause.change_id == before.cause.change_id
    return now.verdict is not Verdict.CONVICTED and not same


def _claim(diagnosis: Diagnosis) -> tuple[str, ...]:
    cause = diagnosis.cause.change_id if diagnosis.cause else ""
    other = diagnosis.operational_cause.text if diagnosis.operational_cause else ""
    return diagnosis.verdict.value, diagnosis.confidence.value, cause, other


def _interaction(incident: Incident, diagnosis: Diagnosis, case: Case, spent_ms: float, desk: Desk) -> Interaction:
    verdict, confidence, cause, other = _claim(diagnosis)
    return Interaction(
        id=desk.new_id(),
        at=diagnosis.at,
        feature=Feature.DIAGNOSIS,
        engine="rules",
        incident_id=incident.id,
        trace_id=diagnosis.trace_id,
        code_version=desk.code_version,
        corpus_version=desk.library.corpus_version,
        question=redact(incident.title),
        answer=redact(diagnosis.summary),
        verdict=verdict,
        cause=cause or other,
        confidence=confidence,
        evidence={e.id: redact(e.text) for e in diagnosis.evidence},
        retrieved=retrieved((*case.runbooks, *case.past), diagnosis),
        latency_ms=spent_ms,
    )


def retrieved(found: tuple[Found, ...], diagnosis: Diagnosis | None) -> tuple[Retrieved, ...]:
    """What search returned, in order, and whether the answer cites it."""
    shown = {r.title for r in diagnosis.runbooks} | {p.title for p in diagnosis.past} if diagnosis else set()
    return tuple(
        Retrieved(f.document.id, rank, f.score, f.tier.value, f.document.title in shown) for rank, f in enumerate(found, 1)
    )
