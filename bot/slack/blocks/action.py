"""The one message of an action: its plan, who decided, how it goes, how it ended. Rendered from what is stored, only."""

from collections.abc import Collection

from bot.domain.action import Action, ActionStatus, expired, way_back
from bot.domain.request import Deed
from bot.domain.view import ActionView
from bot.slack.blocks import words
from bot.slack.blocks.kit import Block, Confirm, Message, actions, button, context, message, section
from bot.slack.blocks.plan import plan_blocks
from bot.slack.blocks.progress import progress_blocks
from bot.slack.blocks.verification import verification_blocks
from bot.slack.text import bold, clock, escape, plain, who


def render_action(view: ActionView, hosts: Collection[str]) -> Message:
    """The buttons are there only while somebody may still decide or stop it; links lead to `hosts` only."""
    action = view.action
    body = [_top(view), *plan_blocks(action), *progress_blocks(view, _open(view), hosts), *verification_blocks(action)]
    buttons = _buttons(view)
    return message(_fallback(view), body, [*([actions(*buttons)] if buttons else []), _rule(view)])


def _buttons(view: ActionView) -> list[Block]:
    action = view.action
    stop = [button(Deed.ACTION_CANCEL, action.id, confirm=_stop(action))] if view.cancels else []
    if _open(view):
        return decisions(action)
    if action.status is ActionStatus.PLANNED and not expired(action, view.as_of):
        return [button(Deed.ACTION_ASK, action.id)]
    if action.status is ActionStatus.UNCERTAIN:
        return [*_settling(action), *stop]
    if way_back(action):
        return [button(Deed.ACTION_BACK, action.id, confirm=_back(action))]
    return stop


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


def _settling(action: Action) -> list[Block]:
    """For whoever looked: what became of it."""
    yes = Confirm("It ran?", f"{_name(action)} was carried out, as you saw. Its effect is watched from now on.", "It ran")
    no = Confirm("It did not run?", f"{_name(action)} was not carried out, as you saw. It counts as failed.", "It did not run")
    ran = button(Deed.ACTION_RAN, action.id, confirm=yes)
    return [ran, button(Deed.ACTION_DID_NOT_RUN, action.id, style="danger", confirm=no)]


def _stop(action: Action) -> Confirm:
    if action.status is ActionStatus.APPROVED:
        return Confirm("Cancel it?", f"{_name(action)} has not begun. Nothing will be started.", "Stop it", "Keep it")
    text = f"The deployer is asked to stop {_name(action)}. What was done by then is not undone, and may be half of it."
    return Confirm("Stop the run?", text, "Stop it", "Let it run")


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
    if action.expires_at is not None and (_open(view) or action.status is ActionStatus.PLANNED):
        parts.append(f"expires {clock(action.expires_at, view.as_of)}")
    return context(" · ".join([*parts, clock(view.as_of)]))


def _fallback(view: ActionView) -> str:
    return escape(f"{_name(view.action)}: {words.STATES[view.action.status]}", 400)
