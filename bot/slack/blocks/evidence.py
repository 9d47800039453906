"""The whole reasoning behind a card: every suspect with its score, what was ruled out, all evidence and how it was asked."""

from collections.abc import Collection
from datetime import datetime

from bot.domain.evidence import Candidate, Diagnosis, Evidence, RunbookLink
from bot.domain.view import EvidenceView
from bot.slack.blocks import words
from bot.slack.blocks.kit import Block, Message, actions, chunks, context, message, section
from bot.slack.blocks.suggestions import judged, link_another
from bot.slack.text import bold, clock, code, escape, link

SUSPECTS = 6
FACTS = 6


def render_evidence(view: EvidenceView, hosts: Collection[str]) -> Message:
    """Chunked so that Slack takes it; what does not fit is counted."""
    incident, seen = view.incident, view.diagnosis
    near = seen.at
    body: list[Block] = [section(f"*Why:* {bold(incident.key)} · {escape(seen.summary, 600)}", _onset(seen))]
    body += _list("*Suspects*", [_scored(c, near) for c in _suspects(seen)])
    body += _list("*Ruled out*", [f"• {words.suspect(c, near)}: {escape(c.ruled_out, 200)}" for c in seen.ruled_out])
    body += _list("*Evidence*", [_piece(e, near, hosts) for e in seen.evidence])
    body += _list("*Missing sources*", [f"• {escape(m, 200)}" for m in seen.missing])
    about = f"incident:{incident.id}"
    foot = [*_known(seen, about, near, hosts), actions(link_another(about)), _foot(seen)]
    return message(f"Evidence for {incident.key}: {escape(seen.summary, 300)}", body, foot)


def _known(seen: Diagnosis, about: str, near: datetime, hosts: Collection[str]) -> list[Block]:
    """Each runbook and past incident with its menu: what people say of it counts from the next search on."""
    told = [(book.id, book.tier, _runbook(book, hosts)) for book in seen.runbooks]
    told += [(f"incident:{past.id}", "", f"🕘 Seen before: {words.seen_before(past, near)}") for past in seen.past]
    return [judged(n, about, id, tier, line) for n, (id, tier, line) in enumerate(told)]


def _runbook(book: RunbookLink, hosts: Collection[str]) -> str:
    """The runbook with what its section says to do."""
    steps = "".join(f"\n      • {escape(step, 200)}" for step in book.steps)
    cite = words.cites((book.evidence,)) if steps and book.evidence else ""
    return f"📘 {link(book.link, book.title, hosts)} · {escape(book.tier, 40)}{cite}{steps}"


def _suspects(seen: Diagnosis) -> list[Candidate]:
    first = [seen.cause] if seen.cause else []
    rest = [c for c in seen.suspects if seen.cause is None or c.change_id != seen.cause.change_id]
    return [*first, *rest][:SUSPECTS]


def _onset(seen: Diagnosis) -> str:
    parts = [f"onset {clock(seen.onset, seen.at)}"] if seen.onset else []
    if seen.first_service:
        parts.append(f"first in {escape(seen.first_service, 80)}")
    if seen.blast_radius:
        parts.append("reaches " + ", ".join(escape(s, 60) for s in seen.blast_radius[:10]))
    if seen.operational_cause:
        parts.append(words.fact(seen.operational_cause, 300))
    return " · ".join(parts)


def _scored(candidate: Candidate, near: datetime) -> str:
    facts = sorted(candidate.facts, key=lambda f: -abs(f.points))[:FACTS]
    reasons = [f"      {f.points:+.1f}  {words.fact(f, 250)}" for f in facts]
    return "\n".join([f"• {words.suspect(candidate, near)} · score {candidate.score:.1f}", *reasons])


def _piece(piece: Evidence, near: datetime, hosts: Collection[str]) -> str:
    about = [piece.kind.value, link(piece.link, piece.source, hosts)]
    if piece.service:
        about.append(escape(piece.service, 60))
    if piece.at:
        about.append(clock(piece.at, near))
    asked = f"\n      asked: {code(piece.query, 300)}" if piece.query else ""
    return f"*[{escape(piece.id, 12)}]* {escape(piece.text, 400)}  _({' · '.join(a for a in about if a)})_{asked}"


def _list(title: str, lines: list[str]) -> list[Block]:
    return chunks([title, *lines]) if lines else []


def _foot(seen: Diagnosis) -> Block:
    return context(f"{seen.verdict.value}, {seen.confidence.value} · {clock(seen.at)} · by {escape(seen.engine, 80)}")
