"""Answers to people's questions by rules alone: what changed, was it seen before, what next. Every sentence cites evidence.

Pure: values in, Markdown out. Texts from outside are quoted on one line, their Markdown marks taken away.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.change import Change, ChangeKind
from bot.domain.chart import Chart
from bot.domain.document import Found, Tier
from bot.domain.evidence import Candidate, Diagnosis, Verdict
from bot.domain.incident import Entry, Incident
from bot.redact import clean


class Topic(StrEnum):
    """What a question is about, as far as rules can tell."""

    CHART = "chart"
    CHANGES = "changes"
    CALLS = "calls"
    SEEN = "seen before"
    NEXT = "next step"
    CAUSE = "cause"
    STATUS = "status"
    RUNBOOK = "runbook"


_TOPICS = (
    (
        Topic.CHART,
        r"\b(charts?|graphs?|plot|draw|diagram|picture|map)\b"
        r"|^\W*(please |can you |could you )?show( me| us)? (?!.*\b(runbooks?|incidents?|logs?|chang\w*|deploy\w*|steps?)\b)"
        r"(the |its |their )?([\w.-]+ ){0,2}(errors?|latency|p9\d|traffic|throughput|requests|cpu|memory|connections|queue)\b",
    ),
    (Topic.SEEN, r"\b(before|previous(ly)?|again|similar|past incidents?|last time|history|recurr\w*)\b"),
    (Topic.CHANGES, r"\b(chang\w*|deploy\w*|shipp\w*|releas\w*|roll(ed)? ?out|merged|commits?)\b"),
    (
        Topic.CALLS,
        r"\b(who|what|which \w+)( \w+)? (calls?|depends? on)\b|\b(who|which services?)( else)? uses?\b"
        r"|\b(depends? on|callers?|callees?|dependenc\w+|dependants?|dependents?|neighbou?rs)\b"
        r"|\b(up|down)streams? of\b|\bwhom? (does|do) [\w.-]+ call\b",
    ),
    (Topic.NEXT, r"\b(next|should (i|we)|check|do now|how (do|can) (i|we)|mitigat\w*|fix|help)\b"),
    (Topic.CAUSE, r"\b(why|cause\w*|reason|blame|what happened|going on|wrong|broke\w*)\b"),
    (Topic.STATUS, r"\b(status|open incidents?|how (is|are)|still|healthy|state)\b"),
)


def topic(text: str) -> Topic:
    """The first topic whose words occur; a search for runbooks otherwise."""
    lowered = text.lower()
    return next((t for t, pattern in _TOPICS if re.search(pattern, lowered)), Topic.RUNBOOK)


@dataclass(frozen=True, slots=True)
class Answer:
    """Markdown that cites E-ids, and what stands behind each id: (id, text, link); `shown` are the documents it rests on.

    `charts` are to be drawn beside it.
    """

    markdown: str
    evidence: tuple[tuple[str, str, str], ...] = ()
    shown: tuple[Found, ...] = ()
    charts: tuple[Chart, ...] = ()


class _Notes:
    """Numbers evidence as an answer is written."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def cite(self, text: str, link: str = "") -> str:
        self.rows.append((f"E{len(self.rows) + 1}", text, link))
        return f"[{self.rows[-1][0]}]"

    def answer(self, lines: Iterable[str]) -> Answer:
        return Answer("\n".join(lines), tuple(self.rows))


def quote(text: str, most: int = 140) -> str:
    """Foreign text on one line, without characters that deceive and marks that Markdown or Slack would obey."""
    line = re.sub(r"[\s]+", " ", re.sub(r"[*_`~\[\]<>|#!\\]", " ", clean(text))).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def what_changed(changes: Sequence[Change], services: Sequence[str], since: datetime, words: str) -> Answer:
    """The changes of these services (all services for none) since a time, newest first; `words` name the span for people."""
    notes = _Notes()
    about = " and ".join(services) if services else "any service"
    mine = [c for c in changes if c.at >= since and (not services or set(c.services) & set(services))]
    shipped = [c for c in mine if c.kind is not ChangeKind.COMMIT]
    deployed = {c.commit for c in shipped if c.commit}
    waiting = [c for c in mine if c.kind is ChangeKind.COMMIT and c.commit not in deployed]
    if not mine:
        return notes.answer(
            [f"No change of {about} is known {words}. Changes reach me by webhook; `tocsin doctor` shows from where."]
        )
    lines = [f"**{len(shipped)} {'change' if len(shipped) == 1 else 'changes'} of {about} shipped {words}:**"]
    for c in sorted(shipped, key=lambda c: c.at, reverse=True)[:15]:
        mark = notes.cite(f"{c.connector}: {c.kind.value} of {', '.join(c.services)} {c.version} at {c.at:%H:%M:%S} UTC", c.url)
        commit = f" ({c.commit[:7]})" if c.commit else ""
        status = "" if c.status.value == "succeeded" else f", {c.status.value}"
        status += f", {quote(c.failing_checks, 200)}" if c.failing_checks else ""
        names = ", ".join(c.services) or c.repository
        lines.append(
            f"- {c.at:%H:%M:%S} {names} {c.version}{commit}: {quote(c.title)}, by {quote(c.author, 40) or '?'}{status} {mark}"
        )
    if waiting:
        lines.append(f"\n{len(waiting)} pushed and not deployed:")
        for c in sorted(waiting, key=lambda c: c.at, reverse=True)[:5]:
            mark = notes.cite(f"{c.connector}: commit {c.commit[:7]} pushed at {c.at:%H:%M:%S} UTC", c.url)
            lines.append(f"- {c.commit[:7]}: {quote(c.title)} {mark}")
    return notes.answer(lines)


def seen_before(past: Sequence[Found], note: str) -> Answer:
    """The past incidents that resemble this one."""
    notes = _Notes()
    close = [f for f in past if f.tier is not Tier.POSSIBLE]
    if not past:
        return notes.answer(["No past incident resembles this one.", *([note] if note else [])])
    lines = ["**Yes, this looks familiar:**" if close else "Nothing that clearly matches; the nearest are:"]
    for f in (close or list(past))[:3]:
        facts = f.document.facts
        alike = f" {f.likeness.capitalize()} this, because {quote(', '.join(f.why), 240)}." if f.why else ""
        mark = notes.cite(f"past incident {f.document.name}: {f.document.title} ({f.tier.value}, {f.score:.2f})", f.document.link)
        cause = f" Cause: {quote(facts['cause'], 200)}." if facts.get("cause") else ""
        fix = f" What helped: {quote(facts['fix'], 200)}." if facts.get("fix") else ""
        lines.append(f"- **{f.document.name} {quote(f.document.title)}**.{alike}{cause}{fix} {mark}")
    return notes.answer([*lines, *([note] if note else [])])


def what_next(incident: Incident | None, diagnosis: Diagnosis | None, runbooks: Sequence[Found], note: str) -> Answer:
    """The next step of the diagnosis and the runbook's section that fits."""
    notes = _Notes()
    lines = []
    if incident is not None and diagnosis is not None:
        mark = notes.cite(f"diagnosis of {incident.key} at {diagnosis.at:%H:%M:%S} UTC: {diagnosis.summary}")
        lines.append(f"**{incident.key}**: {diagnosis.next_step or diagnosis.summary} {mark}")
        lines += [f"- Most useful missing source: {quote(m)}" for m in diagnosis.missing[:1]]
    for f in runbooks[:2]:
        mark = notes.cite(f"runbook {f.document.title} › {f.section} ({f.tier.value})", f.link)
        lines.append(f"\n**Runbook: {quote(f.document.title)}** › {quote(f.section)} {mark}\n{_told(f)}")
    if not lines:
        return notes.answer(["I have no open incident and no runbook that fits this. Name a service or an alert."])
    return notes.answer([*lines, *([note] if note else [])])


def why(incident: Incident, diagnosis: Diagnosis | None, services: Sequence[str] = ()) -> Answer:
    """What the evidence says of the cause, with what was ruled out; an honest no if it says nothing of the services asked for."""
    if services and not set(services) & _told_of(incident, diagnosis):
        names = " and ".join(quote(s, 80) for s in services[:3])
        about = ", ".join(quote(s, 80) for s in incident.services[:3]) or "something else"
        return Answer(
            f"I do not know: {incident.key} is about {about}, and nothing gathered for it tells of {names}. {_helps(services)}"
        )
    if diagnosis is None:
        return Answer(f"{incident.key} is still being looked into.")
    lines = [f"**{incident.key}**: {diagnosis.summary}"]
    if diagnosis.cause is not None:
        lines += [f"- {quote(f.text, 240)} {' '.join(f'[{c}]' for c in f.cites)}" for f in diagnosis.cause.facts[:5]]
    elif diagnosis.operational_cause is not None:
        fact = diagnosis.operational_cause
        lines.append(f"- {quote(fact.text, 240)} {' '.join(f'[{c}]' for c in fact.cites)}")
    if diagnosis.verdict is Verdict.UNDETERMINED:
        lines += [f"- suspect: {s.service} {s.version} {quote(s.title)}" for s in diagnosis.suspects[:3]]
    if diagnosis.ruled_out:
        lines.append("Ruled out: " + "; ".join(f"{_named(r)} ({r.ruled_out})" for r in diagnosis.ruled_out[:4]))
    used = set(re.findall(r"\[(E\d+)\]", "\n".join(lines)))
    return Answer("\n".join(lines), tuple((e.id, e.text, e.link) for e in diagnosis.evidence if e.id in used))


def why_alone(services: Sequence[str]) -> Answer:
    """Nothing is open, so nobody gathered evidence that could tell why."""
    return Answer(f"No incident is open, so no evidence was gathered: I do not know. {_helps(services)}")


def _helps(services: Sequence[str]) -> str:
    one = quote(services[0], 80) if services else "payments"
    asked = f"its numbers (“chart the errors of {one}”), its changes (“what changed in {one} today?”)"
    return f"What would help: {asked}, or the key of an incident (“why INC-42?”)."


def _told_of(incident: Incident, diagnosis: Diagnosis | None) -> set[str]:
    """The services that an incident and what was gathered for it are about."""
    named = {incident.service, *incident.services}
    if diagnosis is not None:
        blamed = (*([diagnosis.cause] if diagnosis.cause else []), *diagnosis.suspects, *diagnosis.ruled_out)
        named |= {diagnosis.first_service, *diagnosis.blast_radius, *(c.service for c in blamed)}
        named |= {e.service for e in diagnosis.evidence}
    return named - {""}


def _named(candidate: Candidate) -> str:
    """A candidate in a few words: its version where it was deployed, else its title."""
    return f"{candidate.service} {candidate.version}" if candidate.version else quote(candidate.title, 80)


def status(incidents: Sequence[Incident], now: datetime) -> Answer:
    """The live incidents, oldest first."""
    notes = _Notes()
    if not incidents:
        return notes.answer(["No incident is open."])
    lines = [f"**{len(incidents)} open:**"]
    for i in incidents[:10]:
        mark = notes.cite(f"{i.key}: {i.events} alert events, {i.firing} firing")
        minutes = int((now - i.opened_at).total_seconds() // 60)
        lines.append(f"- {i.key} {i.severity.value} {i.status.value} for {minutes} min: {quote(i.title)} {mark}")
    return notes.answer(lines)


def from_runbooks(
    runbooks: Sequence[Found], note: str, incident: Incident | None = None, diagnosis: Diagnosis | None = None
) -> Answer:
    """What the runbooks say, or an honest no and what would be needed."""
    notes = _Notes()
    if not runbooks:
        where = (
            f"neither a runbook nor the evidence of {incident.key} tells this" if incident else "no runbook fits this question"
        )
        missing = [quote(m) for m in diagnosis.missing[:1]] if incident and diagnosis else []
        wanted = [*missing, "a runbook about it", "or a question about a service: its changes, its numbers, who calls it"]
        return notes.answer([f"I do not know: {where}. What would help: {', '.join(wanted)}."])
    lines = []
    for f in runbooks[:2]:
        mark = notes.cite(f"runbook {f.document.title} › {f.section} ({f.tier.value})", f.link)
        lines.append(f"**{quote(f.document.title)}** › {quote(f.section)} {mark}\n{_told(f)}")
    return notes.answer([*lines, *([note] if note else [])])


def handover(entries: Sequence[Entry], most: int = 12) -> tuple[Entry, ...]:
    """The entries that a late-comer needs: the first, and the newest."""
    return tuple(entries) if len(entries) <= most else (entries[0], *entries[-(most - 1) :])


def _told(found: Found, most: int = 900) -> str:
    """The passage as it stands, cut at a line's end, and the steps that fit and stand further down."""
    cut = found.passage if len(found.passage) <= most else found.passage[:most]
    shown = cut if cut == found.passage else cut[: max(cut.rfind("\n"), most // 2)] + "\n…"
    further = "".join(f"\n- {step}" for step in found.steps_beyond(shown))
    return f"{shown}\n\nFurther down:{further}" if further else shown
