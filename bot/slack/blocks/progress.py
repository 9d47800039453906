"""How an action goes: its stages with their times, who decided, the vendor's run, what came of it."""

from collections.abc import Collection
from datetime import datetime, timedelta

from bot.domain.action import UNDECIDED, Action, ActionStatus, Cancel, Decision, Stopping, expired
from bot.domain.view import ActionView
from bot.slack.blocks import words
from bot.slack.blocks.kit import Block, section
from bot.slack.text import allowed, clock, code, code_block, escape, link, named, span, who

LINES = 20
NOW = {
    ActionStatus.PROPOSED: "waits for approval",
    ActionStatus.PLANNED: "a dry run: nobody is asked yet",
    ActionStatus.AWAITING: "waits for approval",
    ActionStatus.APPROVED: "starting",
    ActionStatus.EXECUTING: "running",
    ActionStatus.VERIFYING: "verifying",
}
STOPS = {
    Stopping.ASKED: "the deployer is being asked to stop it",
    Stopping.UNDER_WAY: "the deployer is stopping it",
    Stopping.STOPPED: "",  # the outcome says so
    Stopping.TOO_LATE: "it could not be cancelled: its run had ended",
    Stopping.FAILED: "it could not be cancelled",
}


def progress_blocks(view: ActionView, open_: bool, hosts: Collection[str]) -> list[Block]:
    """Where it is in its life and what is known of its run; `open_`: people may still decide. Links lead to `hosts` only."""
    action = view.action
    lines = [stages(view), *(_decision(d, view) for d in action.decisions[-8:] if open_ or d.note or not d.approved)]
    if open_ and (view.approvers or view.groups):
        lines.append(_waits(view))
    if action.run or action.link:
        lines.append(_run(action, hosts))
    if action.cancel is not None and STOPS[action.cancel.state]:
        lines.append(_stopping(action.cancel, view.as_of))
    if action.outcome:
        said = named(escape(action.outcome, 500), _people(action))
        lines.append(f"*{words.STATES[action.status].split(' ', 1)[0]}* {said}")
    if expired(action, view.as_of):
        lines.append("Nobody decided in time; ask again for a fresh plan.")
    told = [section(*lines)]
    return [*told, section(code_block(action.output[-LINES:]))] if action.output else told


def stages(view: ActionView) -> str:
    """One line: asked, planned, approved by, started, running, verifying, ended, each with its time."""
    action, near = view.action, view.as_of
    passed = [f"asked {clock(action.created_at, near)}"]
    if action.plan is not None and action.plan.made_at is not None:
        passed.append(f"planned {clock(action.plan.made_at, near)}")
    yes = [d for d in action.decisions if d.approved]
    if yes and action.status not in UNDECIDED:
        by = ", ".join(dict.fromkeys(words.decider(d) for d in yes[:5]))
        passed.append(f"approved by {by} {clock(yes[-1].at, near)}")
    began, watched = action.since(ActionStatus.EXECUTING), action.since(ActionStatus.VERIFYING)
    if began is not None:
        passed.append(f"started {clock(began, near)}")
    if watched is not None and action.status is not ActionStatus.VERIFYING:
        passed.append(f"ran {_took(began, watched)}".rstrip())
    passed.append(_last(view, began))
    return " → ".join(passed)


def _last(view: ActionView, began: datetime | None) -> str:
    action = view.action
    if expired(action, view.as_of):
        return "*expired*"
    if action.status in NOW:
        going = action.status in (ActionStatus.EXECUTING, ActionStatus.VERIFYING)
        return f"*{NOW[action.status]}{' ' + span(timedelta(minutes=view.minutes)) if going else ''}*"
    at = action.since(action.status) or action.updated_at
    took = _took(began, at)
    return f"*{action.status.value}* {clock(at, view.as_of)}{' after ' + took if took else ''}"


def _took(began: datetime | None, ended: datetime) -> str:
    return span(ended - began) if began is not None else ""


def _decision(decision: Decision, view: ActionView) -> str:
    said = "✅ Approved" if decision.approved else "🚫 Rejected"
    note = f": {escape(decision.note, 200)}" if decision.note else ""
    return f"{said} by {words.decider(decision)} at {clock(decision.at, view.as_of)}{note}"


def _waits(view: ActionView) -> str:
    people = [who(person) for person in view.approvers[:8]]
    more = [f"{len(view.approvers) - 8} more"] if len(view.approvers) > 8 else []
    groups = [f"anyone of {code(group, 40)}" for group in view.groups[:4]]
    return f"Waits for: {', '.join([*people, *more, *groups])}"


def _run(action: Action, hosts: Collection[str]) -> str:
    """Where the run can be looked at; the address of a host that is not on the list is there to be copied."""
    name = action.run or "the run"
    of = f" of {escape(action.deployer, 60)}" if action.deployer else ""
    if action.link.startswith("https://") and allowed(action.link, hosts):
        return f"Run: {link(action.link, name, hosts, 80)}{of}"
    return f"Run: {code(name, 80)}{of}" + (f" · {code(action.link, 300)}" if action.link else "")


def _stopping(cancel: Cancel, near: datetime) -> str:
    why = f" ({escape(cancel.answer, 200)})" if cancel.answer else ""
    return f"🛑 Cancel asked by {who(cancel.by)} at {clock(cancel.at, near)}: {STOPS[cancel.state]}{why}"


def _people(action: Action) -> tuple[str, ...]:
    return (action.cancel.by,) if action.cancel is not None else ()
