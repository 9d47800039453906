"""What a model is shown: numbered evidence as JSON, what outsiders wrote marked as untrusted, the question last.

The long and stable part comes first, so that a provider's prompt cache can help. Names of people and teams are left out: who
shipped a change says nothing about whether it is guilty.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from bot.domain.evidence import Candidate, Diagnosis, Evidence, EvidenceKind
from bot.investigation.wording import plain

PIECES, SMALL_PIECES = 80, 24
TEXT, SMALL_TEXT = 400, 220  # characters of one piece
FACTS, SMALL_FACTS = 6, 4
AGENT_SUSPECTS, SMALL_SUSPECTS = 20, 5
MEASURED = frozenset({EvidenceKind.METRIC, EvidenceKind.TRACE})  # what no outsider's words can plant
Json = Mapping[str, object]


def piece(evidence: Evidence, longest: int = TEXT) -> Json:
    """One piece of evidence as models see it."""
    return {
        "id": evidence.id,
        "kind": evidence.kind.value,
        "source": evidence.source,
        "at": f"{evidence.at:%Y-%m-%dT%H:%M:%SZ}" if evidence.at else "",
        "trusted": evidence.trusted,
        "text": plain(evidence.text if evidence.service in evidence.text else f"{evidence.service}: {evidence.text}", longest),
    }


def labelled(diagnosis: Diagnosis, most: int) -> dict[str, Candidate]:
    """The suspects by label, S1 first: the convicted one, then the others as the rules rank them."""
    first = [diagnosis.cause] if diagnosis.cause else []
    rest = [s for s in diagnosis.suspects if not diagnosis.cause or s.key != diagnosis.cause.key]
    return {f"S{n}": c for n, c in enumerate([*first, *rest][:most], 1)}


def told(candidate: Candidate) -> str:
    """A suspect in one line, as claims that name it are held against."""
    when = f"shipped {candidate.shipped_at:%Y-%m-%d %H:%M:%S}" if candidate.shipped_at else ""
    return " ".join(x for x in (candidate.service, candidate.version, candidate.commit[:7], candidate.title, when) if x)


def dossier(diagnosis: Diagnosis, suspects: Mapping[str, Candidate], *, small: bool) -> str:
    """The user message of a diagnosis. For a small model only what the suspects rest on, in short."""
    facts = SMALL_FACTS if small else FACTS
    shown = _resting(diagnosis, suspects, facts) if small else diagnosis.evidence[:PIECES]
    other = diagnosis.operational_cause
    body: dict[str, object] = {
        "symptom": diagnosis.symptom,
        "onset": f"{diagnosis.onset:%Y-%m-%dT%H:%M:%SZ}" if diagnosis.onset else "not known",
        "first_service": diagnosis.first_service,
        "also_affected": list(diagnosis.blast_radius[:10]),
        "operational_finding": {"text": other.text, "evidence": list(other.cites)} if other else None,
        "suspects": [_suspect(label, c, facts) for label, c in suspects.items()],
    }
    if not small:
        body["verdict_of_the_rules"] = diagnosis.verdict.value
    options = ", ".join((*suspects, "operational", "undetermined"))
    question = f"What caused this incident? Choose one of: {options}."
    return message(shown, body, question, SMALL_TEXT if small else TEXT)


def measurements(diagnosis: Diagnosis) -> tuple[Evidence, ...]:
    """What stands in the second question: measurements alone, nothing that an outsider worded."""
    return tuple(e for e in diagnosis.evidence if e.kind in MEASURED)[:PIECES]


def bare_dossier(diagnosis: Diagnosis, suspects: Mapping[str, Candidate]) -> str:
    """The user message of the second question: measurements, and of each suspect only what rules measured of it."""
    shown = measurements(diagnosis)
    ids = {e.id for e in shown}
    rows = [
        {
            "label": label,
            "service": _token(c.service),
            "version": _token(c.version),
            "shipped_at": f"{c.shipped_at:%Y-%m-%dT%H:%M:%SZ}" if c.shipped_at else "not known",
            "facts": [
                {"text": plain(f.text, 240), "evidence": list(f.cites)} for f in c.facts if f.cites and set(f.cites) <= ids
            ],
        }
        for label, c in suspects.items()
    ]
    body: dict[str, object] = {
        "onset": f"{diagnosis.onset:%Y-%m-%dT%H:%M:%SZ}" if diagnosis.onset else "not known",
        "suspects": rows,
        "verdict_of_the_rules": diagnosis.verdict.value,
    }
    options = ", ".join((*suspects, "operational", "undetermined"))
    return message(shown, body, f"What caused this incident? Choose one of: {options}.")


def message(evidence: Iterable[Evidence], body: Json, question: str, longest: int = TEXT) -> str:
    """Evidence one piece a line, then the rest, the question last: one JSON object."""
    pieces = ",\n".join(json.dumps(piece(e, longest), ensure_ascii=False) for e in evidence)
    rest = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in body.items() if v not in (None, [], ""))
    parts = [f'"evidence": [\n{pieces}\n]', *([rest] if rest else []), f'"question": {json.dumps(question, ensure_ascii=False)}']
    return "{" + ",\n".join(parts) + "}"


def _token(name: str) -> str:
    """A name of ours without room for a sentence."""
    return re.sub(r"[^\w.-]+", "-", name)[:40]


def _suspect(label: str, candidate: Candidate, most: int) -> Json:
    facts = sorted(candidate.facts, key=lambda f: -abs(f.points))[:most]
    return {
        "label": label,
        "service": candidate.service,
        "version": candidate.version,
        "commit": candidate.commit[:7],
        "shipped_at": f"{candidate.shipped_at:%Y-%m-%dT%H:%M:%SZ}" if candidate.shipped_at else "not known",
        "title": {"trusted": False, "text": plain(candidate.title, 120)},
        "facts": [{"text": plain(f.text, 240), "evidence": list(f.cites)} for f in facts],
    }


def _resting(diagnosis: Diagnosis, suspects: Mapping[str, Candidate], facts: int) -> Sequence[Evidence]:
    """The pieces that the symptom, the other cause and the strongest facts cite; then others until there are enough."""
    wanted = [c for c in diagnosis.evidence if f"[{c.id}]" in diagnosis.symptom]
    ids = list(diagnosis.operational_cause.cites) if diagnosis.operational_cause else []
    for candidate in suspects.values():
        for fact in sorted(candidate.facts, key=lambda f: -abs(f.points))[:facts]:
            ids += fact.cites
    cited = [e for id in dict.fromkeys(ids) if (e := diagnosis.cited(id))]
    chosen = list(dict.fromkeys((*wanted, *cited, *diagnosis.evidence)))[:SMALL_PIECES]
    return sorted(chosen, key=lambda e: int(e.id[1:]))
