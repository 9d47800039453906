"""A diagnosis as lines of at most 100 columns for a terminal; with every score, if somebody wants to know."""

import textwrap
from collections.abc import Iterator
from datetime import datetime

from bot.domain.evidence import Candidate, Diagnosis, Evidence, Fact, Thought
from bot.domain.incident import Incident
from bot.domain.reckoning import Reckoning
from bot.redact import clean, redact

WIDTH = 100
SHORT = 3  # suspects and facts without --explain
RULE = 16  # columns of a rule's name


def told(incident: Incident, diagnosis: Diagnosis) -> list[str]:
    """Verdict, onset, cause or suspects, what to do."""
    lines = [*_head(incident, diagnosis)]
    if diagnosis.cause is not None:
        lines += _wrap(f"Cause      {_named(diagnosis.cause)}, {diagnosis.cause.score:.2f} points", 11)
        for fact in diagnosis.cause.facts[:SHORT]:
            lines += _wrap(f"           {fact.text} {_cites(fact.cites)}", 13)
    elif diagnosis.operational_cause is not None:
        lines += _wrap(f"Cause      {diagnosis.operational_cause.text} {_cites(diagnosis.operational_cause.cites)}", 11)
    rivals = [c for c in diagnosis.suspects if diagnosis.cause is None or c.key != diagnosis.cause.key]
    for candidate in rivals[:SHORT]:
        lines += _wrap(f"Suspect    {_named(candidate)}, {candidate.score:.2f} points", 11)
    return [*lines, *_next(diagnosis), "Every score: --explain"]


def explained(incident: Incident, diagnosis: Diagnosis) -> list[str]:
    """Everything: each candidate with each fact, the thresholds, other causes, evidence with its exact question."""
    kept = diagnosis.reckoning
    lines = [*_head(incident, diagnosis), *_next(diagnosis), *_bars(diagnosis, kept)]
    lines += [*_suspects(diagnosis, kept), *_ruled_out(diagnosis, kept), *_considered(diagnosis, kept), *_nodes(kept)]
    lines += [*_missing(diagnosis), *_thought(diagnosis.thought)]
    return [*lines, *_knowledge(diagnosis), *_evidence(diagnosis), *_made(diagnosis, kept)]


def _head(incident: Incident, seen: Diagnosis) -> Iterator[str]:
    yield from _wrap(f"{incident.key} · {incident.service} ({incident.environment}): {incident.title}", 2)
    chance = seen.reckoning.chance if seen.reckoning else None
    learned = f" (a lead like this was right {min(99, round(100 * chance))} times of 100)" if chance is not None else ""
    yield from _wrap(f"Verdict    {seen.verdict.value}, {seen.confidence.value}{learned}: {seen.summary}", 11)
    if seen.symptom:
        yield from _wrap(f"Symptom    {seen.symptom}", 11)
    if seen.onset:
        first = f", first in {seen.first_service}" if seen.first_service else ""
        reaches = f"; reaches {', '.join(seen.blast_radius)}" if seen.blast_radius else ""
        yield from _wrap(f"Onset      {_time(seen.onset)}{first}{reaches}", 11)
    if incident.confirmed_cause:
        yield from _wrap(f"Confirmed  {incident.confirmed_cause}", 11)


def _next(seen: Diagnosis) -> Iterator[str]:
    if seen.next_step:
        yield from _wrap(f"Next       {seen.next_step} ({seen.remedy.value})", 11)


def _bars(seen: Diagnosis, kept: Reckoning | None) -> Iterator[str]:
    yield from _title("How the verdict fell")
    if kept is None:
        yield "  Not kept with this look, which is from an older version; the next look keeps it."
        return
    if not kept.bars:
        yield "  No change is left that could have done it."
    for bar in kept.bars:
        yield from _wrap(f"  {'met' if bar.met else 'NOT met':8} {bar.name:40} {bar.had:7.2f}   needs {bar.needed:.2f}", 11)
    if seen.operational_cause is not None:
        yield "  Another cause than a change was found before these counted; see below."


def _suspects(seen: Diagnosis, kept: Reckoning | None) -> Iterator[str]:
    every = list({c.key: c for c in (*([seen.cause] if seen.cause else []), *seen.suspects)}.values())
    yield from _title(f"Suspects{_of(len(every), kept.suspects if kept else 0)}")
    for n, candidate in enumerate(every, 1):
        yield from _wrap(f"  {n}. {_named(candidate)}{_when(candidate)}", 5)
        heard = f"; content {candidate.content:.2f}, telemetry vouches for {candidate.heard:.2f}" if kept else ""
        yield f"     {candidate.score:.2f} points{heard}"
        for fact in candidate.facts:
            yield from _fact(fact)


def _fact(fact: Fact) -> Iterator[str]:
    times = f"(shipped {fact.points / fact.weight:+.2f} × {fact.weight:.2f})" if fact.weight != 1.0 else ""
    said = " ".join(x for x in (fact.text, _cites(fact.cites), times) if x)
    yield from _wrap(f"     {fact.points:+6.2f}  {fact.rule:{RULE}} {said}", 14 + RULE)


def _ruled_out(seen: Diagnosis, kept: Reckoning | None) -> Iterator[str]:
    if seen.ruled_out:
        yield from _title(f"Ruled out{_of(len(seen.ruled_out), kept.ruled_out if kept else 0)}")
    for candidate in seen.ruled_out:
        yield from _wrap(f"  {_named(candidate)}{_when(candidate)}: {candidate.ruled_out}", 4)


def _considered(seen: Diagnosis, kept: Reckoning | None) -> Iterator[str]:
    yield from _title("Causes other than a change")
    if kept is None or not kept.considered:
        other = seen.operational_cause
        yield from _wrap(f"  {other.text} {_cites(other.cites)}" if other else "  None passed its checks.", 4)
        return
    for one in kept.considered:
        yield from _wrap(f"  {one.strength:4.2f}  {one.name}: {one.text} {_cites(one.cites)}; {one.outcome}", 8)


def _nodes(kept: Reckoning | None) -> Iterator[str]:
    if kept is None or not kept.nodes:
        return
    yield from _title("Whose own the trouble is, by metrics and the call graph")
    for node in kept.nodes:
        yield from _wrap(f"  {node.score:4.2f}  {node.text or node.service}", 8)


def _missing(seen: Diagnosis) -> Iterator[str]:
    if seen.missing:
        yield from _title("What would have helped")
    for one in seen.missing:
        yield from _wrap(f"  {one}", 4)


def _thought(thought: Thought | None) -> Iterator[str]:
    if thought is None:
        return
    yield from _title(f"What the model {thought.model} thinks")
    if thought.failure:
        yield from _wrap(f"  Rules only: {thought.failure}", 4)
        return
    yield from _wrap(f"  {thought.stance.value}: {thought.named}. {thought.reason}", 4)
    for claim in thought.claims:
        yield from _wrap(f"  {claim.text} {_cites(claim.cites)}", 4)
    if thought.dropped:
        yield from _wrap(f"  {thought.dropped} sentences without support were dropped: {'; '.join(thought.why_dropped)}", 4)


def _knowledge(seen: Diagnosis) -> Iterator[str]:
    if seen.runbooks or seen.past:
        yield from _title("What is known")
    for book in seen.runbooks:
        cite = _cites((book.evidence,)) if book.evidence else ""
        yield from _wrap(f"  Runbook {book.title} › {book.section} ({book.tier}) {book.path or book.link} {cite}", 4)
        for step in book.steps:
            yield from _wrap(f"    {step}", 6)
    for past in seen.past:
        sure = "confirmed" if past.confirmed else "nobody confirmed it"
        cite = _cites((past.evidence,)) if past.evidence else ""
        yield from _wrap(f"  {past.id} {past.title}: {past.cause or 'cause not known'} ({sure}; {past.why}) {cite}", 4)


def _evidence(seen: Diagnosis) -> Iterator[str]:
    thought = seen.thought.evidence if seen.thought else ()
    every = list({e.id: e for e in (*seen.evidence, *thought)}.values())
    if every:
        yield from _title("Evidence")
    for piece in every:
        yield from _piece(piece)


def _piece(piece: Evidence) -> Iterator[str]:
    about = [piece.kind.value, piece.source, piece.service, _time(piece.at) if piece.at else ""]
    yield from _wrap(f"  {piece.id:4} {piece.text}", 7)
    yield from _wrap(f"       {' · '.join(a for a in about if a)}{'' if piece.trusted else ' · written outside'}", 9)
    for name, value in (("asked", piece.query), ("link", piece.link)):
        if value:
            yield from _wrap(f"       {name}: {value}", 9)


def _made(seen: Diagnosis, kept: Reckoning | None) -> Iterator[str]:
    weights = kept.weights if kept else "not kept"
    yield from _title("Made by")
    yield from _wrap(f"  {seen.engine} at {_time(seen.at)}, weights {weights}, trace {seen.trace_id or 'none'}", 4)


def _named(candidate: Candidate) -> str:
    name = " ".join(x for x in (candidate.service, candidate.version) if x) or "a change"
    commit = f" ({candidate.commit[:7]})" if candidate.commit else ""
    return f'{name} "{candidate.title}"{commit}'


def _when(candidate: Candidate) -> str:
    return f", shipped {_time(candidate.shipped_at)}" if candidate.shipped_at else ", never shipped as far as is known"


def _of(shown: int, every: int) -> str:
    return f" ({shown} of {every})" if every > shown else f" ({shown})"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _cites(ids: tuple[str, ...]) -> str:
    return "".join(f"[{id}]" for id in ids)


def _title(text: str) -> Iterator[str]:
    yield ""
    yield from _wrap(text, 2)


def _wrap(text: str, indent: int) -> list[str]:
    """The text on lines that fit, later ones indented; what outsiders wrote controls no terminal and tells no secret."""
    start = len(text) - len(text.lstrip(" "))
    said = redact(clean(text.strip().replace("\n", " ").replace("\t", " ")))
    return textwrap.wrap(said, WIDTH, initial_indent=" " * start, subsequent_indent=" " * indent, break_on_hyphens=False) or [""]
