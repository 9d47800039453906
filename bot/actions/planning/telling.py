"""The plan as lines for a terminal: the same facts as on its message, whole."""

from collections.abc import Iterator

from bot.domain.action import Action, CommitCheck, Plan

MARKS = {True: "passed", False: "FAILED", None: "not known to have passed"}


def lines(action: Action, plan: Plan) -> Iterator[str]:
    """What would be done, how risky it is and why, what stands in the way; then what it rests on."""
    yield f"{action.kind.value} of {action.service} in {action.environment}"
    yield f"  {_version(plan.current_version, plan.current_commit)} -> {_version(plan.target_version, plan.target_commit)}"
    yield f"  risk: {plan.risk.value}"
    yield from (f"    {reason}" for reason in plan.reasons)
    for title, texts in (
        ("stands in the way", plan.barriers),
        ("warning", plan.warnings),
        ("could not be asked", plan.unasked),
        ("open", plan.nearby),
        ("under way", plan.running),
    ):
        yield from (f"  {title}: {text}" for text in texts)
    if plan.impact:
        yield f"  may reach: {plan.impact}"
    yield from (f"  check {_check(check)}" for check in plan.checks)
    yield from (f"  migration: {file}" for file in plan.migrations)
    by = ", ".join(f"{name} ({number})" for name, number in plan.authors)
    yield f"  commits: {len(plan.commits) or 'none are known between the two'}" + (f" by {by}" if by else "")
    yield from (f"    {c.short} {c.author}: {next(iter(c.message.strip().splitlines()), '')}" for c in plan.commits)
    if plan.files:
        yield f"  files: {len(plan.files)}"
    yield from (f"    {file}" for file in plan.files)
    if plan.rehearsal:
        yield "  the deployer's own dry run:"
        yield from (f"    {line}" for line in plan.rehearsal)
    yield f"  plan {plan.hash}"


def _version(version: str, commit: str) -> str:
    return (version or "unknown") + (f" ({commit[:7]})" if commit else "")


def _check(check: CommitCheck) -> str:
    return f"{check.name}{' (required)' if check.required else ''}: {MARKS[check.passed]}"
