"""The one message of an action: its plan, who decided, how it goes, how it ended. Rendered from what is stored, only."""

from bot.domain.action import Action, ActionStatus, Decision, expired, way_back
from bot.domain.request import Deed
from bot.domain.view import ActionView
from bot.slack.blocks import words
from bot.slack.blocks.kit import Block, Confirm, Message, actions, button, context, message, section
from bot.slack.blocks.plan import plan_blocks
from bot.slack.text import bold, clock, code, code_block, escape, plain, who

LINES = 20


def render_action(view: ActionView) -> Message:
    """The buttons are there only while somebody may still decide."""
    action = view.action
    body = [_top(view), *plan_blocks(action), *_progress(view)]
    if action.output:
        body.append(section(code_block(action.output[-LINES:])))
    foot = [_rule(view)]
    if _open(view):
        foot = [actions(*decisions(action)), *foot]
    elif action.status is ActionStatus.UNCERTAIN:
        foot = [actions(*_settling(action)), *foot]
    elif way_back(action):
        foot = [actions(button(Deed.ACTION_BACK, action.id, confirm=_back(action))), *foot]
    return message(_fallback(view), body, foot)


def _open(view: ActionView) -> bool:
    waiting = view.action.status in (ActionStatus.PROPOSED, ActionStatus.AWAITING)
    return waiting and not expired(view.action, view.as_of)


def _name(action: Action) -> str:
    where = f" ({plain(action.environment, 60)})" if action.environment else ""
    return f"{action.kind.value.capitalize()} of {plain(action.service, 80)}{where} to {plain(action.target, 60)}"


def _top(view: ActionView) -> Block:
    action = view.action
    asked = f"asked by {who(action.requested_by)} at {clock(action.created_at, view.as_of)}"
    about = f"{bold(view.incident.key)} · {escape(view.incident.title, 150)}" if view.incident else ""
    why = f"Why: {escape(action.reason, 300)}" if action.reason else ""
    return section(f"{bold(_name(action))}  ·  {words.STATES[action.status]}", about, asked, why)


def _progress(view: ActionView) -> list[Block]:
    action = view.action
    lines = [_decision(d, view) for d in action.decisions[-8:]]
    if view.approvers and _open(view):
        lines.append(f"Waits for: {', '.join(who(person) for person in view.approvers[:8])}")
    if action.run:
        lines.append(f"Run: {code(action.run, 80)}" + (f" of {escape(action.deployer, 60)}" if action.deployer else ""))
    if action.outcome:
        lines.append(f"*{words.STATES[action.status].split(' ', 1)[0]}* {escape(action.outcome, 500)}")
    if expired(action, view.as_of):
        lines.append("Nobody decided in time; ask again for a fresh plan.")
    return [section(*lines)] if lines else []


def _decision(decision: Decision, view: ActionView) -> str:
    said = "✅ Approved" if decision.approved else "🚫 Rejected"
    note = f": {escape(decision.note, 200)}" if decision.note else ""
    return f"{said} by {words.decider(decision)} at {clock(decision.at, view.as_of)}{note}"


def _settling(action: Action) -> list[Block]:
    """For whoever looked: what became of it."""
    yes = Confirm("It ran?", f"{_name(action)} was carried out, as you saw. Its effect is watched from now on.", "It ran")
    no = Confirm("It did not run?", f"{_name(action)} was not carried out, as you saw. It counts as failed.", "It did not run")
    ran = button(Deed.ACTION_RAN, action.id, confirm=yes)
    return [ran, button(Deed.ACTION_DID_NOT_RUN, action.id, style="danger", confirm=no)]


def _back(action: Action) -> Confirm:
    before = plain(way_back(action), 60)
    text = f"Tocsin asks what runs now, makes a plan to bring {plain(action.service, 80)} {before} back and asks for approvals."
    return Confirm("Take it back?", text, "Prepare it")


def decisions(action: Action) -> list[Block]:
    """The buttons of an action that waits for people."""
    ask = Confirm(
        "Approve this?",
        f"{_name(action)}. It starts as soon as enough people approved, exactly as the plan says.",
        "Approve",
    )
    approve = button(Deed.ACTION_APPROVE, action.id, style="danger", confirm=ask)
    return [approve, button(Deed.ACTION_REJECT, action.id)]


def _rule(view: ActionView) -> Block:
    action = view.action
    parts = [f"policy: {escape(action.policy, 100) or 'default'}"]
    parts.append(f"approvals {action.approvals} of {action.approvals_needed}")
    if action.expires_at is not None and _open(view):
        parts.append(f"expires {clock(action.expires_at, view.as_of)}")
    return context(" · ".join([*parts, clock(view.as_of)]))


def _fallback(view: ActionView) -> str:
    return escape(f"{_name(view.action)}: {words.STATES[view.action.status]}", 400)
