"""The plan of an action on its message."""

from bot.domain.action import Action, ActionKind, Plan
from bot.domain.change import Commit
from bot.slack.blocks.kit import Block, section
from bot.slack.text import bold, code, count, escape


def plan_blocks(action: Action) -> list[Block]:
    """What would be done, how risky it is and why, what stands in the way."""
    plan = action.plan
    if plan is None:
        return [section("No plan yet.")]
    now = _version(plan.current_version, plan.current_commit)
    lines = [f"*Plan:* {now} → {_version(plan.target_version, plan.target_commit)}", *_commits(action, plan)]
    if plan.files:
        named = ", ".join(code(f, 80) for f in plan.files[:8])
        more = f" and {len(plan.files) - 8} more" if len(plan.files) > 8 else ""
        lines.append(f"{count(len(plan.files), 'file')}: {named}{more}")
    reasons = ": " + "; ".join(escape(r, 150) for r in plan.reasons[:5]) if plan.reasons else ""
    lines.append(f"*Risk: {plan.risk.value}*{reasons}")
    lines += [f"⚠️ {escape(w, 250)}" for w in plan.warnings[:5]]
    return [section(*lines)]


def _version(version: str, commit: str) -> str:
    return f"{bold(version, 60) or 'unknown'}" + (f" ({code(commit[:7])})" if commit else "")


def _commits(action: Action, plan: Plan) -> list[str]:
    if not plan.commits:
        return ["No commits are known between the two."]
    effect = "taken out again" if action.kind is ActionKind.ROLLBACK else "shipped"
    shown = [_commit(c) for c in plan.commits[:6]]
    more = [f"      … and {len(plan.commits) - 6} more"] if len(plan.commits) > 6 else []
    return [f"{count(len(plan.commits), 'commit')} {effect}:", *shown, *more]


def _commit(commit: Commit) -> str:
    first = next(iter(commit.message.strip().splitlines()), "")
    return f"      • {code(commit.short)} {escape(commit.author, 60)}: {escape(first, 150)}"
