"""What a model made of a diagnosis: the form it fills, its words checked, and what may come of them.

A conviction by the rules stands unless a capable model contradicts it with measurements, and contradicts it again when it reads
the measurements alone, where no outsider's words can reach it. Even then no other change is convicted: the incident becomes
undetermined, so a remedy never comes from a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.conversation import Failure, Reply
from bot.domain.evidence import (
    Candidate,
    Claim,
    Confidence,
    Diagnosis,
    Evidence,
    Remedy,
    Stance,
    Thought,
    Verdict,
)
from bot.investigation.claims import LONGEST, cited, keep, only, sources
from bot.investigation.dossier import MEASURED, told

OPERATIONAL, UNDETERMINED = "operational", "undetermined"
CLAIMS, AGENT_CLAIMS = 4, 6
NOTHING_LEFT = "said nothing that the evidence supports"
Json = Mapping[str, object]


def form(labels: Sequence[str], *, small: bool) -> Json:
    """The JSON schema of the answer: one labelled choice; capable models also rank."""
    claim = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": LONGEST},
            "evidence": {"type": "array", "items": {"type": "string", "pattern": "^E[0-9]+$"}, "maxItems": 6},
        },
        "required": ["text", "evidence"],
        "additionalProperties": False,
    }
    fields: dict[str, object] = {
        "choice": {"type": "string", "enum": [*labels, OPERATIONAL, UNDETERMINED]},
        "reason": {"type": "string", "maxLength": LONGEST},
        "claims": {"type": "array", "items": claim, "maxItems": CLAIMS if small else AGENT_CLAIMS},
    }
    if not small:
        ranking: Json = {"type": "array", "items": {"type": "string", "enum": list(labels)}, "maxItems": len(labels)}
        fields = {"ranking": ranking if labels else {"type": "array", "maxItems": 0}, **fields}
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def wrong(parsed: Json, labels: Sequence[str]) -> str:
    """What is wrong with an answer, in a sentence that the model gets, or ""."""
    options = (*labels, OPERATIONAL, UNDETERMINED)
    if parsed.get("choice") not in options:
        return f"choice has to be one of {', '.join(options)}."
    if any(label not in labels for label in _strings(parsed.get("ranking"))):
        return f"ranking may hold only {', '.join(labels) or 'nothing'}."
    if not isinstance(parsed.get("claims"), list):
        return 'claims has to be a list of {"text": ..., "evidence": ["E1"]}.'
    return ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the model was shown: the diagnosis, its suspects by label, all evidence including what its tools found."""

    diagnosis: Diagnosis
    suspects: Mapping[str, Candidate]
    evidence: tuple[Evidence, ...]
    small: bool


def weigh(asked: Asked, reply: Reply, at: datetime) -> Thought:
    """The reply as a thought: unsupported claims are gone and counted; a failure says why the rules stand alone."""
    thought = Thought(
        about=asked.diagnosis.finding,
        at=at,
        model=reply.model,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        cost=reply.cost,
        cost_known=reply.cost_known,
    )
    parsed = reply.parsed
    if reply.failure is None and (parsed is None or wrong(parsed, tuple(asked.suspects))):
        return replace(thought, failure=f"the model {reply.model} {Failure.WRONG_SHAPE.value}")
    if reply.failure is not None or parsed is None:
        return replace(thought, failure=refusal(reply))
    names = {label: told(c) for label, c in asked.suspects.items()}
    made = _claims(parsed)
    kept, dropped = keep(made, sources(asked.evidence), names)
    if not kept:
        return replace(thought, failure=f"the model {reply.model} {NOTHING_LEFT}", dropped=len(dropped), why_dropped=dropped)
    choice = str(parsed["choice"])
    chosen = asked.suspects.get(choice)
    ids = list(dict.fromkeys(id for c in kept for id in c.cites))
    reason, _ = keep([Claim(str(parsed.get("reason", ""))[:LONGEST], tuple(ids))], sources(asked.evidence), names)
    order = [choice, *_strings(parsed.get("ranking"))] if chosen else _strings(parsed.get("ranking"))
    done = replace(
        thought,
        choice=chosen.key if chosen else choice,
        named=name_of(chosen) if chosen else choice,
        reason=_readable(reason[0].text, asked.suspects) if reason else "",
        ranking=tuple(dict.fromkeys(asked.suspects[label].key for label in order if label in asked.suspects)),
        claims=tuple(Claim(_readable(c.text, asked.suspects), c.cites) for c in kept),
        dropped=len(dropped),
        why_dropped=dropped,
        evidence=only(asked.evidence, ids),
    )
    return replace(done, stance=_stance(asked, done))


def refusal(reply: Reply) -> str:
    """Why there is no answer, in words that go behind "rules only: "."""
    assert reply.failure is not None  # noqa: S101  callers have looked
    if reply.failure in (Failure.OVER_BUDGET, Failure.SWITCHED_OFF) and reply.why:
        return reply.why
    return f"the model {reply.model} {reply.failure.value}"


def _stance(asked: Asked, thought: Thought) -> Stance:
    seen = asked.diagnosis
    if thought.choice == UNDETERMINED:
        said = Stance.AGREES if seen.verdict is Verdict.UNDETERMINED else Stance.UNSURE
        return _contradicts(asked, thought) or said
    if seen.verdict is Verdict.CONVICTED:
        same = seen.cause is not None and seen.cause.key == thought.choice
        return Stance.AGREES if same else _contradicts(asked, thought) or Stance.DIFFERS
    if seen.verdict is Verdict.OPERATIONAL:
        return Stance.AGREES if thought.choice == OPERATIONAL else Stance.DIFFERS
    best = seen.suspects[0].key if seen.suspects else ""
    return Stance.AGREES if thought.choice == best else Stance.DIFFERS


def _contradicts(asked: Asked, thought: Thought) -> Stance | None:
    """A capable model that cites a measurement overturns a conviction; words that outsiders wrote do not."""
    if asked.small or asked.diagnosis.verdict is not Verdict.CONVICTED:
        return None
    measured = any(e.kind in MEASURED for e in thought.evidence)
    return Stance.OVERTURNS if measured and thought.dropped <= len(thought.claims) else None


def doubted(thought: Thought) -> Thought:
    """A contradiction that did not stand once outsiders' words were left out: an opinion, which overturns nothing."""
    return replace(thought, stance=Stance.UNSURE if thought.choice == UNDETERMINED else Stance.DIFFERS)


def with_thought(diagnosis: Diagnosis, thought: Thought | None) -> Diagnosis:
    """The diagnosis of the rules beside what a model thinks of it; a conviction that was overturned is one no longer."""
    if thought is None or thought.stance is not Stance.OVERTURNS or thought.failure or thought.about != diagnosis.finding:
        return replace(diagnosis, thought=thought)
    known = {c.key: c for c in (*([diagnosis.cause] if diagnosis.cause else []), *diagnosis.suspects)}
    order = dict.fromkeys((*(id for id in thought.ranking if id in known), *known))
    convicted = name_of(diagnosis.cause) if diagnosis.cause else "a change"
    return replace(
        diagnosis,
        verdict=Verdict.UNDETERMINED,
        confidence=Confidence.WEAK,
        summary=f"The rules convict {convicted}, and {thought.model} contradicts them: it says {thought.named}",
        cause=None,
        suspects=tuple(known[id] for id in order),
        remedy=Remedy.INVESTIGATE,
        next_step="Compare the evidence of both before anything is rolled back.",
        engine=thought.model,
        thought=thought,
    )


def unread(diagnosis: Diagnosis) -> bool:
    """No model has read this finding yet; one that was overturned has been read."""
    thought = diagnosis.thought
    return thought is None or (thought.about != diagnosis.finding and diagnosis.engine != thought.model)


def gave_up(diagnosis: Diagnosis) -> bool:
    """A model was asked about this finding, or would have been, and failed."""
    return diagnosis.thought is not None and bool(diagnosis.thought.failure) and not unread(diagnosis)


def name_of(candidate: Candidate) -> str:
    """A suspect as people name it."""
    name = " ".join(x for x in (candidate.service, candidate.version) if x) or "a change"
    return f"{name} ({candidate.commit[:7]})" if candidate.commit else name


def _claims(parsed: Json) -> list[Claim]:
    rows = parsed.get("claims")
    made = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            text = str(row.get("text", ""))[:LONGEST]
            made.append(Claim(text, tuple(dict.fromkeys((*_strings(row.get("evidence")), *cited(text))))))
    return made


def _strings(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _readable(text: str, suspects: Mapping[str, Candidate]) -> str:
    """The sentence with the names of suspects for their labels, on one line."""
    for label in sorted(suspects, key=len, reverse=True):
        text = text.replace(label, name_of(suspects[label]))
    return " ".join(text.split())
