"""The one message of several actions that were asked for together: each part's state in the order in which they run."""

from bot.domain.action import Action, ActionKind, ActionStatus, Plan
from bot.domain.request import Deed
from bot.domain.view import BatchView
from bot.slack.blocks import words
from bot.slack.blocks.kit import Block, Confirm, Message, actions, button, context, message, section
from bot.slack.blocks.verification import verdict
from bot.slack.text import bold, clock, code, count, escape, named, plain, who

COMMITS, WARNINGS = 2, 2  # shown of each part; the others are counted
WAITING = (ActionStatus.PROPOSED, ActionStatus.AWAITING)


def render_batch(view: BatchView) -> Message:
    """The plan of each part in short, how it goes, what stands when it stopped, and one press for all."""
    body = [_top(view), *[_part(number, part, view) for number, part in enumerate(view.parts, start=1)]]
    if view.standing:
        body.append(section(f"*Where it stands:* {escape(view.standing, 900)}"))
    if view.approvers:
        body.append(section(f"Waits for: {', '.join(who(person) for person in view.approvers[:8])}"))
    buttons = _buttons(view)
    return message(escape(_name(view), 400), body, [*([actions(*buttons)] if buttons else []), context(_foot(view))])


def _name(view: BatchView) -> str:
    verb = "Rollback" if view.parts[0].kind is ActionKind.ROLLBACK else "Deploy"
    names = ", then ".join(plain(part.service, 60) for part in view.parts)
    return plain(f"{verb} of {names} ({view.parts[0].environment})", 400)


def _top(view: BatchView) -> Block:
    first = view.parts[0]
    asked = f"asked by {who(first.requested_by)} at {clock(first.created_at, view.as_of)}"
    about = f"{bold(view.incident.key)} · {escape(view.incident.title, 150)}" if view.incident else ""
    why = f"Why: {escape(first.reason, 300)}" if first.reason else ""
    order = "callers first" if first.kind is ActionKind.ROLLBACK else "what is called first"
    note = f" ({escape(view.note, 300)})" if view.note else ""
    return section(
        bold(_name(view), 500),
        about,
        asked,
        why,
        f"One after the other, {order}{note}; each starts when the one before it is verified.",
    )


def _part(number: int, part: Action, view: BatchView) -> Block:
    plan = part.plan
    versions = f"{bold(plan.current_version, 60)} → {bold(plan.target_version, 60)}" if plan else bold(part.target, 60)
    head = f"{number}. {bold(part.service, 80)} {versions}  ·  {words.STATES[part.status]}"
    lines = []
    if plan is not None and part.status in WAITING:
        reasons = f": {'; '.join(escape(r, 120) for r in plan.reasons[:2])}" if plan.reasons else ""
        lines.append(f"Risk {plan.risk.value}{reasons}")
        told = (*plan.barriers, *plan.warnings)
        lines += [f"⚠️ {named(escape(text, 200), plan.named)}" for text in told[:WARNINGS]]
        lines += [f"⚠️ … and {len(told) - WARNINGS} more"] if len(told) > WARNINGS else []
        lines += _commits(part, plan)
    said = [f"{'✅' if d.approved else '🚫'} {words.decider(d)} at {clock(d.at, view.as_of)}" for d in part.decisions[-3:]]
    if said or part.status in WAITING:
        lines.append(f"approvals {part.approvals} of {part.approvals_needed}" + (f": {', '.join(said)}" if said else ""))
    if part.outcome:
        lines.append(escape(part.outcome, 300))
    return section(head, verdict(part), *lines)


def _commits(part: Action, plan: Plan) -> list[str]:
    """The newest commits in short; how many there are."""
    if not plan.commits:
        return []
    effect = "taken out again" if part.kind is ActionKind.ROLLBACK else "shipped"
    firsts = (next(iter(c.message.strip().splitlines()), "") for c in plan.commits[:COMMITS])
    told = "; ".join(f"{code(c.short)} {escape(first, 80)}" for c, first in zip(plan.commits, firsts, strict=False))
    return [f"{count(len(plan.commits), 'commit')} {effect}: {told}{' …' if len(plan.commits) > COMMITS else ''}"]


def _buttons(view: BatchView) -> list[Block]:
    names = plain(", then ".join(f"{p.service} to {p.target}" for p in view.parts), 200)
    if any(p.status in WAITING for p in view.parts):
        ask = Confirm(
            "Approve all of them?",
            f"{names}. Your approval counts for each where you may give it; the first starts when all are approved.",
            "Approve",
        )
        return [button(Deed.BATCH_APPROVE, view.batch, style="danger", confirm=ask), button(Deed.BATCH_REJECT, view.batch)]
    held = [p for p in view.parts if p.status is ActionStatus.APPROVED]
    found = []
    if held:
        text = f"{plain(', '.join(p.service for p in held), 200)}: not started any more. What runs goes on; what is done stays."
        found.append(button(Deed.BATCH_STOP, view.batch, confirm=Confirm("Stop the rest?", text, "Stop the rest")))
    running = next((p for p in view.parts if p.status is ActionStatus.EXECUTING), None)
    if running is not None and view.cancels:
        text = f"The deployer is asked to stop the run of {plain(running.service, 80)}; the rest is not started."
        found.append(button(Deed.ACTION_CANCEL, running.id, confirm=Confirm("Cancel it?", text, "Cancel it")))
    return found


def _foot(view: BatchView) -> str:
    rules = dict.fromkeys(part.policy for part in view.parts if part.policy)
    return " · ".join([f"policy: {escape(', '.join(rules), 200) or 'default'}", clock(view.as_of)])
