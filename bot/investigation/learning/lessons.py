"""A lesson: the suspects of an incident as the rules saw them, and which of them a person says it was."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.evidence import Candidate, Diagnosis, Verdict
from bot.domain.incident import Incident
from bot.investigation.verdict import HEARD
from bot.investigation.weights import bare
from bot.signals.direction import words

NOBODY = ""  # the person names no change, or none that was a suspect
COMMON = 2  # words that a text has in common with a suspect and leave open whether it means it
LETTERS = 4  # of a word that counts


@dataclass(frozen=True, slots=True)
class Lesson:
    """Suspects with the points of the shipped weights, and the key of the one that did it, or NOBODY.

    `operational` tells that the rules named a cause that is no change: then they convict nobody, whatever the weights.
    """

    incident: str
    at: datetime
    suspects: tuple[Candidate, ...]
    culprit: str = NOBODY
    operational: bool = False


def lesson_of(incident: Incident, diagnosis: Diagnosis | None) -> Lesson | None:
    """What this incident teaches; None where nobody confirmed a cause or it is open which suspect the words mean."""
    if diagnosis is None or not incident.confirmed_cause or not incident.confirmed_by or incident.merged_into:
        return None
    kept = {c.key: c for c in (*([diagnosis.cause] if diagnosis.cause else []), *diagnosis.suspects)}
    if not kept:
        return None
    culprit = _meant(incident.confirmed_cause, diagnosis, tuple(kept.values()))
    if culprit is None:
        return None
    old = diagnosis.reckoning is None and diagnosis.verdict is Verdict.CONVICTED
    suspects = tuple(_heard(bare(c), old=old and c == diagnosis.cause) for c in kept.values())
    operational = diagnosis.verdict is Verdict.OPERATIONAL
    return Lesson(incident.id, incident.resolved_at or incident.opened_at, suspects, culprit, operational)


def basis_of(lessons: Iterable[Lesson]) -> str:
    """The same for the same lessons; says nothing of them."""
    said = sorted(f"{one.incident}={one.culprit}" for one in lessons)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _heard(candidate: Candidate, *, old: bool) -> Candidate:
    """Looks from before it was kept how much telemetry vouches for: enough for who was convicted, nothing for the others."""
    return replace(candidate, heard=HEARD) if old else candidate


def _meant(cause: str, diagnosis: Diagnosis, suspects: Sequence[Candidate]) -> str | None:
    """The key of the suspect that the words name, NOBODY if they speak of something else, None if that is open."""
    if diagnosis.operational_cause is not None and cause == diagnosis.operational_cause.text:
        return NOBODY
    if diagnosis.cause is None and cause == diagnosis.summary:
        return None  # what the bot said while it did not know
    for names in (_commit, _id, _version):
        meant = {c.key for c in suspects if names(c, cause)}
        if len(meant) == 1:
            return meant.pop()
        if meant:
            return None
    said = _telling(cause)
    if any(len(said & _telling(" ".join((c.title, *(f.text for f in c.facts[:3]))))) >= COMMON for c in suspects):
        return None
    return NOBODY


def _commit(candidate: Candidate, cause: str) -> bool:
    return len(candidate.commit) >= 7 and candidate.commit[:7] in cause


def _id(candidate: Candidate, cause: str) -> bool:
    return len(candidate.change_id) > LETTERS and candidate.change_id in cause


def _version(candidate: Candidate, cause: str) -> bool:
    """Service and version, as cards name a change."""
    if not candidate.version or not candidate.service:
        return False
    name = rf"{re.escape(candidate.service)}\s+{re.escape(candidate.version)}"
    return re.search(rf"(?<![\w.-]){name}(?![\w-])", cause, re.IGNORECASE) is not None


def _telling(text: str) -> set[str]:
    return {w for w in words(text) if len(w) >= LETTERS}
