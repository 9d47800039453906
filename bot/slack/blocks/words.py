"""Phrases that several messages share: an incident's name, a suspect, a fact with its citations."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bot.domain.action import ActionStatus, Authority, Decision
from bot.domain.alert import Severity
from bot.domain.evidence import Candidate, Fact, PastLink
from bot.domain.incident import Incident, Status
from bot.slack.text import bold, clock, code, count, escape, plain, span, who

PRODUCTION = "production"
_SPANS = ((365, "year", 365), (30, "month", 60), (7, "week", 14), (1, "day", 1))  # days in one, its name, from so many days on
DOING = ("rolling back ", "deploying ")  # how an action of ours is told as a fix
MARKS: Mapping[Severity, str] = {Severity.SEV1: "🚨", Severity.SEV2: "🔴", Severity.SEV3: "🟠", Severity.SEV4: "🟡"}
STATES: Mapping[ActionStatus, str] = {
    ActionStatus.PROPOSED: "💡 proposed",
    ActionStatus.PLANNED: "📝 planned (dry run)",
    ActionStatus.AWAITING: "✋ awaiting approval",
    ActionStatus.APPROVED: "👍 approved",
    ActionStatus.EXECUTING: "⏳ running",
    ActionStatus.VERIFYING: "🔎 verifying the effect",
    ActionStatus.SUCCEEDED: "✅ succeeded",
    ActionStatus.FAILED: "❌ failed",
    ActionStatus.ROLLED_BACK: "↩️ rolled back",
    ActionStatus.UNCERTAIN: "⚠️ uncertain: nobody knows whether it ran, a person must look",
    ActionStatus.EXPIRED: "⌛ expired",
    ActionStatus.REFUSED: "🚫 refused",
}


def mark(incident: Incident) -> str:
    """The emoji of an incident: its severity while it lives, green afterwards."""
    return MARKS[incident.severity] if incident.live else "🟢"


def age(incident: Incident, as_of: datetime) -> str:
    """How long it is open, or how long it took."""
    if incident.live:
        state = "open" if incident.status is Status.OPEN else "acknowledged, open"
        return f"{state} {span(as_of - incident.opened_at)}"
    end = incident.resolved_at or incident.updated_at
    return f"{incident.status.value} after {span(end - incident.opened_at)}"


def headline(incident: Incident, as_of: datetime) -> str:
    """The first line of a card: who it is, where, how bad, how long."""
    parts = (
        bold(incident.key),
        f"{bold(incident.service, 80)} {escape(_elsewhere(incident))}".rstrip(),
        incident.severity.value,
        age(incident, as_of),
    )
    return f"{mark(incident)} " + " · ".join(parts)


def headline_plain(incident: Incident) -> str:
    """The same without times and marks, for notifications."""
    where = f"{plain(incident.service, 80)} {_elsewhere(incident)}".rstrip()
    return f"{incident.key} · {where} · {incident.severity.value} · {incident.status.value}"


def _elsewhere(incident: Incident) -> str:
    """The environment, unless nobody would take it for another one."""
    return "" if incident.environment in ("", PRODUCTION) else f"({plain(incident.environment, 40)})"


def in_short(incident: Incident, as_of: datetime) -> str:
    """One incident as one line of a list."""
    state = "" if incident.live else " ✓"
    owner = f" · ack: {who(incident.acknowledged_by)}" if incident.acknowledged_by and incident.live else ""
    return f"{headline(incident, as_of)}{state}\n{escape(incident.title, 200)}{owner}"


def cites(ids: Iterable[str], text: str = "") -> str:
    """The marks " [E4] [E5]" of the evidence that a sentence rests on, unless it has them already."""
    return "".join(f" [{escape(i, 12)}]" for i in ids if f"[{i}]" not in text)


def fact(reason: Fact, limit: int = 200) -> str:
    """A fact with its citations."""
    return escape(reason.text, limit) + cites(reason.cites, reason.text)


def strongest(facts: Sequence[Fact], most: int = 3) -> list[Fact]:
    """The facts that speak for a candidate, the weightiest first; then that it shipped although its checks had failed."""
    found = sorted((f for f in facts if f.points > 0), key=lambda f: -f.points)[:most]
    return [*found, *(f for f in facts if f.rule == "failing_checks" and f not in found)]


def suspect(candidate: Candidate, near: datetime) -> str:
    """A change as people name it: payments v43 at 14:02, "raise retries" (3f2c1a9)."""
    name = " ".join(x for x in (escape(candidate.service, 80), escape(candidate.version, 40)) if x)
    when = f" at {clock(candidate.shipped_at, near)}" if candidate.shipped_at else ""
    title = f', "{escape(candidate.title, 120)}"' if candidate.title else ""
    commit = f" ({code(candidate.commit[:7])})" if candidate.commit else ""
    return f"{name or 'a change'}{when}{title}{commit}"


def suspect_short(candidate: Candidate) -> str:
    """A change in two words: checkout v18, or its title where it has no version."""
    if candidate.version:
        return f"{escape(candidate.service, 60)} {escape(candidate.version, 40)}".strip()
    return escape(candidate.title, 60) or escape(candidate.service, 60) or "a change"


def ruled_out(candidates: Sequence[Candidate], most: int = 3) -> str:
    """Those that cannot be the cause, each with its reason; the rest as a number."""
    named = [f"{suspect_short(c)} ({escape(c.ruled_out, 100)})" for c in candidates[:most]]
    more = len(candidates) - len(named)
    return "ruled out: " + ", ".join(named) + (f" and {more} more" if more > 0 else "")


def folded(incident: Incident) -> str:
    """How many alerts one card stands for."""
    return f"{count(incident.events, 'alert')} folded into this card"


def people(ids: Sequence[str], nobody: str, most: int = 5) -> str:
    """Mentions in a row, or the word for nobody."""
    shown = ", ".join(who(i) for i in ids[:most])
    return shown + (f" and {len(ids) - most} more" if len(ids) > most else "") or nobody


def ago(at: datetime, as_of: datetime) -> str:
    """How long ago something was, as people say it: "yesterday", "3 weeks ago"."""
    days = (as_of.date() - at.date()).days
    if days < 2:
        return "yesterday" if days == 1 else "today"
    size, unit, _ = next(one for one in _SPANS if days >= one[2])
    return f"{count(days // size, unit)} ago"


def seen_before(past: PastLink, as_of: datetime) -> str:
    """A past incident in a sentence: same as INC-42, 3 weeks ago, fixed by rolling back payments, because ..."""
    parts = [f"{escape(past.likeness, 20) or 'like'} {escape(past.id, 60)}"]
    if past.at is not None:
        parts.append(ago(past.at, as_of))
    if past.fix:
        parts.append(
            f"fixed by {escape(past.fix, 120)}" if past.fix.startswith(DOING) else f"what helped: {escape(past.fix, 120)}"
        )
    else:
        parts.append(f"it was: {escape(past.cause, 120)}" if past.cause else escape(past.title, 120))
    told = ", ".join(parts) + (f", because {escape(past.why, 200)}" if past.why else "")
    doubt = f"imported from {escape(past.origin, 40)}" if past.origin else "" if past.confirmed else "not confirmed"
    return told + (f" ({doubt})" if doubt else "") + cites((past.evidence,) if past.evidence else ())


def decider(decision: Decision) -> str:
    """Who decided: a person, or the rule or step that stands in for people."""
    if decision.authority is Authority.PERSON:
        return who(decision.by)
    return f"{decision.authority.value} {bold(decision.by, 120)}"
