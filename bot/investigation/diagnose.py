"""Case in, diagnosis out: pure and deterministic, every sentence rests on numbered evidence."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.domain.change import ChangeKind
from bot.domain.document import Found, Inquiry
from bot.domain.evidence import Candidate, Diagnosis, EvidenceKind, PastLink, Remedy, RunbookLink
from bot.domain.learning import SHIPPED, Weights
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.missing import missing, say_failures
from bot.investigation.nodes.of_case import say_blames
from bot.investigation.operational import operational
from bot.investigation.outside import outside
from bot.investigation.picture import paint
from bot.investigation.rank import Scored, rank
from bot.investigation.reckoning import reckon
from bot.investigation.seemly import seemly
from bot.investigation.seen_before import cite_past, told
from bot.investigation.sentences import next_step, summary, symptom
from bot.investigation.verdict import Judgement, judge

SUSPECTS = 5
RULED_OUT = 8
STEPS = 4  # of a runbook's section


def diagnose(case: Case, *, without: Collection[str] = (), weights: Weights = SHIPPED) -> Diagnosis:
    """What the evidence of a case says; rules of the classes `without` are switched off, points count by `weights`."""
    picture, exhibits = paint(case), Exhibits()
    hurts = symptom(case, picture, exhibits)
    ranked = rank(case, picture, exhibits, without=without, weights=weights)
    suspects = [s for s in ranked if not s.candidate.ruled_out]
    findings = [f for f in operational(case, picture, exhibits) if f.name not in without]
    elsewhere = outside(case, picture, exhibits, suspects)
    judgement = judge(suspects, findings, elsewhere, weights)
    say_blames(picture.blames, exhibits)
    say_failures(case, exhibits)
    first = picture.first or (case.services[0] if case.services else "")
    found = Diagnosis(
        verdict=judgement.verdict,
        confidence=judgement.confidence,
        summary=summary(judgement, [s.candidate for s in suspects]),
        at=case.now,
        symptom=hurts,
        onset=picture.onset,
        cause=judgement.guilty.candidate if judgement.guilty else None,
        operational_cause=judgement.finding.fact if judgement.finding else None,
        suspects=tuple(s.candidate for s in suspects[:SUSPECTS]),
        ruled_out=_ruled_out(ranked, case),
        first_service=first,
        blast_radius=tuple(s for s in picture.affected if s != first),
        remedy=_remedy(judgement),
        next_step=next_step(case, judgement, [s.candidate for s in suspects], _remedy(judgement)),
        missing=missing(case, picture, judgement, suspects),
        evidence=exhibits.all,
        searched=case.searched,
        reckoning=reckon(judgement, ranked, findings, elsewhere, picture.blames, weights),
    )
    return with_knowledge(found, case.runbooks, case.past)


def with_knowledge(diagnosis: Diagnosis, runbooks: Sequence[Found], past: Sequence[Found]) -> Diagnosis:
    """The same diagnosis with these runbooks and past incidents, cited after all other evidence; fit to be shown."""
    knowledge = (EvidenceKind.RUNBOOK, EvidenceKind.PAST)
    every = (*([diagnosis.cause] if diagnosis.cause else []), *diagnosis.suspects)
    rested_on = {id for c in every for f in c.facts for id in f.cites}
    exhibits = Exhibits.of(e for e in diagnosis.evidence if e.kind not in knowledge or e.id in rested_on)
    links = tuple(_runbook(f, exhibits) for f in runbooks)
    similar = tuple(_past(f, exhibits) for f in past)
    return seemly(replace(diagnosis, runbooks=links, past=similar, evidence=exhibits.all))


def closer(diagnosis: Diagnosis, case: Case) -> Inquiry | None:
    """What to search for once the cause is named: the same alert on the service that is to blame; None while it is not."""
    cause, other = diagnosis.cause, diagnosis.operational_cause
    if cause is None and other is None:
        return None
    service = cause.service if cause else diagnosis.first_service
    said = " ".join(f.text for f in cause.facts[:3]) if cause else other.text if other else ""
    name = case.alerts[0].name if case.alerts else ""
    return Inquiry(name=name, text=f"{diagnosis.symptom} {said}", services=(service,) if service else ())


def _ruled_out(ranked: Sequence[Scored], case: Case) -> tuple[Candidate, ...]:
    """Those ruled out whom somebody might suspect: shipped ones first, the newest first."""
    out = [s for s in ranked if s.candidate.ruled_out]
    out.sort(key=lambda s: (s.shipment.change is None, -(s.shipment.at or case.now).timestamp(), s.candidate.change_id))
    return tuple(s.candidate for s in out[:RULED_OUT])


def _remedy(judgement: Judgement) -> Remedy:
    if judgement.finding:
        return judgement.finding.remedy
    if not judgement.guilty:
        return Remedy.INVESTIGATE
    shipment = judgement.guilty.shipment
    if shipment.change and shipment.change.kind in (ChangeKind.CONFIG, ChangeKind.FLAG):
        return Remedy.CONFIG_REVERT
    if any(f.rule == "schema" and f.text.startswith("migration") for f in judgement.guilty.candidate.facts):
        return Remedy.ROLL_FORWARD
    return Remedy.ROLLBACK


def _runbook(found: Found, exhibits: Exhibits) -> RunbookLink:
    document = found.document
    cite = exhibits.cite(
        EvidenceKind.RUNBOOK,
        f"{document.title} › {found.section}: {found.passage}",
        "runbooks",
        link=found.link,
        trusted=document.trusted,
        only=document.only,
    )
    return RunbookLink(
        document.title, found.section, document.path, found.link, found.tier.value, cite, document.id, found.steps[:STEPS]
    )


def _past(found: Found, exhibits: Exhibits) -> PastLink:
    document = found.document
    facts = document.facts
    return PastLink(
        id=document.name,
        title=document.title,
        cause=facts.get("cause", ""),
        fix=facts.get("fix", ""),
        why=told(found),
        confirmed=bool(facts.get("confirmed_by")) and document.trusted,
        evidence=cite_past(found, exhibits),
        likeness=found.likeness,
        at=_time(facts.get("resolved", "") or facts.get("started", "")),
        took=facts.get("took", ""),
        origin=facts.get("origin", ""),
    )


def _time(told: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
