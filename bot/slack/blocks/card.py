"""The card of an incident: one message, edited in place, readable on a phone without opening the thread."""

from collections.abc import Collection
from datetime import datetime

from bot.domain.action import Action, ActionStatus
from bot.domain.evidence import Diagnosis, Fact, Verdict
from bot.domain.incident import Incident, Status
from bot.domain.request import Deed, More
from bot.domain.view import IncidentView
from bot.slack.blocks import words
from bot.slack.blocks.automation import steps
from bot.slack.blocks.kit import Block, Confirm, Message, actions, button, context, menu, message, section
from bot.slack.text import clock, count, escape, link, plain, who

PROPOSE = Confirm(
    "Prepare a rollback?",
    "Tocsin asks what runs now, makes a plan and asks for the approvals that the policy wants.",
    "Prepare it",
)


def render_card(view: IncidentView, hosts: Collection[str]) -> Message:
    """The card while the incident lives, or its quiet green end."""
    incident, diagnosis = view.incident, view.diagnosis
    body: list[Block] = [_top(view)]
    body += _cause(view) if incident.live else _outcome(view)
    body += [*_next(view), *steps(view, hosts)] if incident.live else []
    foot = [actions(*_buttons(view)), *_knowledge(diagnosis, view.as_of, hosts), _footer(view)]
    return message(_fallback(view), body, foot)


def _top(view: IncidentView) -> Block:
    incident = view.incident
    lines = [words.headline(incident, view.as_of)]
    if incident.live:
        ack = who(incident.acknowledged_by) if incident.acknowledged_by else "nobody yet"
        lines.append(f"on call: {_on_call(view)}  ·  ack: {ack}")
    lines.append(f"*{_symptom(view).replace('*', '∗')}*")
    return section(*lines)


def _on_call(view: IncidentView) -> str:
    """Who owns it, and who said so; a mention would wake them in quiet hours."""
    incident = view.incident
    if view.quiet_until is not None:
        return f"not disturbed before {clock(view.quiet_until, view.as_of)} (quiet hours)"
    source = f" ({escape(incident.on_call_from, 100)})" if incident.on_call_from else ""
    return words.people(incident.on_call, "nobody named") + source


def _symptom(view: IncidentView) -> str:
    own = view.incident.opened_by or view.incident.storm  # what a person said comes first, and how large a storm is
    told = view.diagnosis.symptom if view.diagnosis and not own else ""
    return escape(told or view.incident.title, 400) or "Something is wrong"


def _cause(view: IncidentView) -> list[Block]:
    diagnosis = view.diagnosis
    if diagnosis is None:
        now = "Looking at changes, metrics and logs …" if view.looking else "Nobody has looked at the evidence yet."
        return [section(f"*Cause:* {now}")]
    lines = _verdict(diagnosis, view.as_of)
    if diagnosis.ruled_out:
        lines.append(words.ruled_out(diagnosis.ruled_out))
    if diagnosis.verdict is Verdict.UNDETERMINED and diagnosis.missing:
        lines.append(f"Most useful missing source: {escape(diagnosis.missing[0], 150)}")
    if view.looking:
        lines.append("looking again …")
    return [section(*lines)]


def _verdict(diagnosis: Diagnosis, near: datetime) -> list[str]:
    if diagnosis.verdict is Verdict.CONVICTED and diagnosis.cause is not None:
        facts = " · ".join(words.fact(f) for f in words.strongest(diagnosis.cause.facts))
        first = f"*Likely cause, {diagnosis.confidence.value}:* {words.suspect(diagnosis.cause, near)}"
        return [first, f"because {facts}" if facts else ""]
    if diagnosis.verdict is Verdict.OPERATIONAL:
        why = diagnosis.operational_cause
        told = words.fact(why, 300) if why else escape(diagnosis.summary, 300)
        return [f"*No change explains this, {diagnosis.confidence.value}:* {told or 'the cause lies elsewhere'}"]
    return _unsure(diagnosis, near)


def _unsure(diagnosis: Diagnosis, near: datetime) -> list[str]:
    suspects = diagnosis.suspects[:3]
    if not suspects:
        lines = ["*No change explains this*, and nothing else is certain yet."]
    else:
        told = count(len(suspects), "suspect") + (", not convincing:" if len(suspects) == 1 else ", none convincing:")
        lines = [f"*No change explains this for certain.* {told}"]
        lines += [f"      • {words.suspect(c, near)}{_first_fact(c.facts)}" for c in suspects]
    return lines


def _first_fact(facts: tuple[Fact, ...]) -> str:
    best = words.strongest(facts, 1)
    return f": {words.fact(best[0], 120)}" if best else ""


def _outcome(view: IncidentView) -> list[Block]:
    incident, near = view.incident, view.as_of
    at = f" at {clock(incident.resolved_at, near)}" if incident.resolved_at else ""
    if incident.merged_into:
        return [section(f"Merged into *{escape(incident.merged_into, 20)}*{at}; what it was about goes on there.")]
    by = who(incident.resolved_by)
    how = f" by {by}" if by.startswith("<@") else f": {by}" if by else ""
    did = view.action
    done = [action_line(did, near)] if did is not None and (did.run or did.since(ActionStatus.EXECUTING)) else []
    return [section(f"Resolved{at}{how}", cause_line(incident, view.diagnosis, near), *done)]


def cause_line(incident: Incident, diagnosis: Diagnosis | None, near: datetime) -> str:
    """The cause of an incident as far as anybody knows: confirmed by a person, suspected by us, or unknown."""
    if incident.confirmed_cause:
        by = f" by {who(incident.confirmed_by)}" if incident.confirmed_by else ""
        return f"*Cause, confirmed{by}:* {escape(incident.confirmed_cause, 300)}"
    if diagnosis is None or diagnosis.verdict is Verdict.UNDETERMINED:
        return "*Cause:* not known; nobody has confirmed one"
    told = _verdict(diagnosis, near)[0]
    return told.replace("Likely cause", "Suspected cause").replace("No change explains", "No change explained")


def _next(view: IncidentView) -> list[Block]:
    if view.action is not None and view.action.status is not ActionStatus.PROPOSED:
        return [section(action_line(view.action, view.as_of))]
    step = _offer(view) or (escape(view.diagnosis.next_step, 300) if view.diagnosis else "")
    return [section(f"*Next:* {step}")] if step else []


def _offer(view: IncidentView) -> str:
    """What would be rolled back, or "" where no rollback may be offered."""
    operational = view.diagnosis is not None and view.diagnosis.verdict is Verdict.OPERATIONAL
    busy = view.action is not None and not view.action.ended and view.action.status is not ActionStatus.PROPOSED
    if not view.may_propose or operational or busy or not view.incident.live:
        return ""
    cause = view.diagnosis.cause if view.diagnosis else None
    service = cause.service if cause else view.incident.service
    others = ", ".join(escape(name, 60) for name in view.may_propose_with[:4])
    more = ", …" if len(view.may_propose_with) > 4 else ""
    along = f", and what was shipped with it ({others}{more}), callers first" if others else ""
    return f"roll back {escape(service, 80)} to {escape(view.may_propose, 60)}{along}"


def action_line(action: Action, near: datetime) -> str:
    """What became of an action, in one line: who decided what and when."""
    done = f"*{action.kind.value.capitalize()}* of {escape(action.service, 80)} to {escape(action.target, 60)}: "
    state = words.STATES[action.status]
    last = action.decisions[-1] if action.decisions else None
    decided = ""
    if last is not None:
        decided = f" · {'approved' if last.approved else 'rejected'} by {words.decider(last)} at {clock(last.at, near)}"
    outcome = f" · {escape(action.outcome, 200)}" if action.outcome else ""
    return f"{done}{state}{decided}{outcome}"


def _buttons(view: IncidentView) -> list[Block]:
    incident = view.incident
    if not incident.live:
        back = (More.UNDO,) if incident.merged_into else ()
        return [menu((More.TIMELINE, More.CATCHUP, More.EXPLAIN, *back), incident.id)]
    offered: list[Block] = []
    if _offer(view):
        offered.append(button(Deed.ROLLBACK_PROPOSE, incident.id, style="danger", confirm=PROPOSE))
    if incident.status is Status.OPEN:
        offered.append(button(Deed.INCIDENT_ACK, incident.id))
    if not _silenced(view):
        offered.append(button(Deed.INCIDENT_SILENCE, incident.id))
    offered.append(button(Deed.INCIDENT_RESOLVE, incident.id))
    hidden = More.SILENCE if len(offered) < 4 else More.RESOLVE  # a menu has five entries: of these two, what is no button
    return [*offered[:3], menu((More.TIMELINE, More.CATCHUP, hidden, More.EXPLAIN, More.REGROUP), incident.id)]


def _silenced(view: IncidentView) -> bool:
    until = view.incident.silenced_until
    return until is not None and until > view.as_of


def _knowledge(diagnosis: Diagnosis | None, as_of: datetime, hosts: Collection[str]) -> list[Block]:
    if diagnosis is None:
        return []
    known: list[str] = []
    if diagnosis.runbooks:
        best = diagnosis.runbooks[0]
        title = f"{plain(best.title, 100)} › {plain(best.section, 60)}" if best.section else best.title
        cited = words.cites((best.evidence,) if best.evidence else ())
        known.append(f"Runbook: {link(best.link, title, hosts)}{cited} · {escape(best.tier, 40)}")
    else:
        known.append("Runbook: none found" if diagnosis.searched else "Runbook: the search did not answer in time")
    if diagnosis.past:
        known.append(f"Seen before: {words.seen_before(diagnosis.past[0], as_of)}")
    return [context(*known)]


def _footer(view: IncidentView) -> Block:
    incident = view.incident
    parts = [words.folded(incident), clock(view.as_of)]
    if len(incident.services) > 1:
        others = ", ".join(escape(s, 60) for s in incident.services[1:5])
        parts.insert(1, f"also in {others}" + (" …" if len(incident.services) > 5 else ""))
    if incident.opened_by and incident.live:
        parts.append(f"opened by {who(incident.opened_by)}; a person says when it is over")
    if _silenced(view) and incident.silenced_until is not None:
        parts.append(f"silenced until {clock(incident.silenced_until, view.as_of)}")
    return context(" · ".join([*parts, *(escape(n, 150) for n in view.notices[:4])]))


def _fallback(view: IncidentView) -> str:
    head = words.headline_plain(view.incident)
    return f"{words.mark(view.incident)} {escape(head)}: {_symptom(view)}"
