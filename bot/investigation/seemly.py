"""A diagnosis fit to be shown: its texts come from logs, diffs and alerts, so secrets and deceiving characters are taken out."""

from dataclasses import replace

from bot.domain.evidence import Candidate, Diagnosis, Evidence, Fact
from bot.redact import clean, redact


def seemly(diagnosis: Diagnosis) -> Diagnosis:
    """The same diagnosis, every text in it redacted; ids, commits and links stay as they are."""
    return replace(
        diagnosis,
        summary=_text(diagnosis.summary),
        symptom=_text(diagnosis.symptom),
        next_step=_text(diagnosis.next_step),
        cause=_candidate(diagnosis.cause) if diagnosis.cause else None,
        operational_cause=_fact(diagnosis.operational_cause) if diagnosis.operational_cause else None,
        suspects=tuple(_candidate(c) for c in diagnosis.suspects),
        ruled_out=tuple(_candidate(c) for c in diagnosis.ruled_out),
        evidence=tuple(_evidence(e) for e in diagnosis.evidence),
    )


def _text(text: str) -> str:
    return redact(clean(text))


def _fact(fact: Fact) -> Fact:
    return replace(fact, text=_text(fact.text))


def _candidate(candidate: Candidate) -> Candidate:
    facts = tuple(_fact(f) for f in candidate.facts)
    return replace(candidate, title=_text(candidate.title), author=_text(candidate.author), facts=facts)


def _evidence(evidence: Evidence) -> Evidence:
    return replace(evidence, text=_text(evidence.text), query=_text(evidence.query))
