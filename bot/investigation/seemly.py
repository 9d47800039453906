"""A diagnosis fit to be shown: its texts come from logs, diffs and alerts, so secrets and deceiving characters are taken out."""

from dataclasses import replace

from bot.domain.evidence import Candidate, Diagnosis, Evidence, Fact
from bot.domain.reckoning import Reckoning
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
        runbooks=tuple(replace(r, steps=tuple(_text(s) for s in r.steps)) for r in diagnosis.runbooks),
        reckoning=_reckoning(diagnosis.reckoning) if diagnosis.reckoning else None,
    )


def _text(text: str) -> str:
    return redact(clean(text))


def _reckoning(reckoning: Reckoning) -> Reckoning:
    considered = tuple(replace(c, text=_text(c.text)) for c in reckoning.considered)
    return replace(reckoning, considered=considered, nodes=tuple(replace(n, text=_text(n.text)) for n in reckoning.nodes))


def _fact(fact: Fact) -> Fact:
    return replace(fact, text=_text(fact.text))


def _candidate(candidate: Candidate) -> Candidate:
    facts = tuple(_fact(f) for f in candidate.facts)
    return replace(candidate, title=_text(candidate.title), author=_text(candidate.author), facts=facts)


def _evidence(evidence: Evidence) -> Evidence:
    return replace(evidence, text=_text(evidence.text), query=_text(evidence.query))
