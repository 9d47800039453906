"""The plan of an action on its message: what changes, how risky it is, what stands in the way first; then what is in it."""

from collections.abc import Iterable, Sequence

from bot.domain.action import UNDECIDED, Action, ActionKind, CommitCheck, Plan
from bot.domain.change import Commit
from bot.slack.blocks.kit import Block, section
from bot.slack.text import bold, code, code_block, count, escape, named

INDENT = "      "  # Slack drops a plain list's
REASONS, LINES, COMMITS, AUTHORS, FILES, CHECKS = 5, 5, 6, 4, 8, 4  # shown of each; the others are counted
REHEARSED, REHEARSED_SIZE = 12, 1400  # lines of the deployer's own dry run, its last ones, and their characters


def plan_blocks(action: Action) -> list[Block]:
    """What would be done, how risky it is and why, what stands in the way; its commits and files; what a dry run said."""
    plan = action.plan
    if plan is None:
        return [section("No plan yet.")]
    now = _version(plan.current_version, plan.current_commit)
    first = [
        f"*Plan:* {now} → {_version(plan.target_version, plan.target_commit)}",
        f"*Risk: {plan.risk.value}*{_reasons(plan)}",
        *_each("⛔", plan.barriers, plan),
        *_each("⚠️", plan.warnings, plan),
        *_each("❓ could not be asked:", plan.unasked, plan),
        *_each("🔥", plan.nearby, plan),
        *_each("🚚", plan.running, plan),
        f"May reach {escape(plan.impact, 250)}" if plan.impact else "",
    ]
    content = [_checks(action, plan), *_migrations(plan), *_commits(action, plan), _files(plan)]
    return [section(*first), section(*content), *_rehearsal(action, plan)]


def _version(version: str, commit: str) -> str:
    return f"{bold(version, 60) or 'unknown'}" + (f" ({code(commit[:7])})" if commit else "")


def _reasons(plan: Plan) -> str:
    if not plan.reasons:
        return ""
    more = f"; and {len(plan.reasons) - REASONS} more" if len(plan.reasons) > REASONS else ""
    return ": " + "; ".join(escape(r, 150) for r in plan.reasons[:REASONS]) + more


def _each(sign: str, texts: Sequence[str], plan: Plan) -> list[str]:
    """A line each; the people that the plan knows by their ids are mentioned."""
    shown = [f"{sign} {named(escape(text, 250), plan.named)}" for text in texts[:LINES]]
    return [*shown, f"{sign} … and {len(texts) - LINES} more"] if len(texts) > LINES else shown


def _checks(action: Action, plan: Plan) -> str:
    """The checks of the commit in one line: what failed and what is awaited by name, the green ones counted."""
    on = f" of {code(plan.target_commit[:7])}" if plan.target_commit else ""
    if not plan.checks:
        return f"No checks{on} are known." if action.kind is ActionKind.DEPLOY else ""
    failed = [c for c in plan.checks if c.passed is False]
    waited = [c for c in plan.checks if c.passed is None]
    green = [c for c in plan.checks if c.passed]
    parts = [*_named("❌", failed), *_named("⏳", waited), f"✅ {len(green)} green" if green else ""]
    return f"*Checks*{on}: {' · '.join(p for p in parts if p)}"


def _named(sign: str, checks: Sequence[CommitCheck]) -> list[str]:
    shown = [f"{code(c.name, 60)}{' (required)' if c.required else ''}" for c in checks[:CHECKS]]
    more = f" and {len(checks) - CHECKS} more" if len(checks) > CHECKS else ""
    return [f"{sign} {', '.join(shown)}{more}"] if shown else []


def _migrations(plan: Plan) -> list[str]:
    return [f"*Migrations:* {_codes(plan.migrations, 4)}"] if plan.migrations else []


def _commits(action: Action, plan: Plan) -> list[str]:
    if not plan.commits:
        return ["No commits are known between the two."]
    effect = "taken out again" if action.kind is ActionKind.ROLLBACK else "shipped"
    by = _authors(plan)
    shown = [_commit(c) for c in plan.commits[:COMMITS]]
    more = [f"{INDENT}… and {len(plan.commits) - COMMITS} more"] if len(plan.commits) > COMMITS else []
    return [f"{count(len(plan.commits), 'commit')}{by} {effect}:", *shown, *more]


def _authors(plan: Plan) -> str:
    """Who wrote them, where it is more than the lines below say."""
    authors = plan.authors
    if len(plan.commits) <= COMMITS or not authors:
        return ""
    shown = ", ".join(f"{escape(name, 60)} ({number})" for name, number in authors[:AUTHORS])
    return f" by {shown}" + (f" and {count(len(authors) - AUTHORS, 'other')}" if len(authors) > AUTHORS else "")


def _commit(commit: Commit) -> str:
    first = next(iter(commit.message.strip().splitlines()), "")
    return f"{INDENT}• {code(commit.short)} {escape(commit.author, 60)}: {escape(first, 150)}"


def _files(plan: Plan) -> str:
    return f"{count(len(plan.files), 'file')}: {_codes(plan.files, FILES)}" if plan.files else ""


def _codes(texts: Sequence[str], most: int) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(code(text, 80) for text in texts[:most]) + more


def _rehearsal(action: Action, plan: Plan) -> Iterable[Block]:
    """The end of what the deployer's own dry run said, as tools sum up there; only while somebody may still decide."""
    if not plan.rehearsal or action.status not in UNDECIDED:
        return ()
    last = plan.rehearsal[-REHEARSED:]
    cut = f", the last {len(last)} of {len(plan.rehearsal)} lines" if len(plan.rehearsal) > len(last) else ""
    return (section(f"*The deployer's own dry run*{cut}:", code_block(last, REHEARSED_SIZE)),)
