"""Which checks a commit must have passed before it is deployed, and which of them it has not."""

from bot.actions.policy.file import Rule
from bot.domain.action import Action, ActionKind


def required_checks(action: Action, rule: Rule) -> tuple[str, ...]:
    """The names of the checks that must be green.

    None for a rollback, or for what takes an action back: what ran before is wanted fast, and its checks are of long ago. A
    rule that speaks of rollbacks alone means what it requires.
    """
    back = action.kind is ActionKind.ROLLBACK or bool(action.undoes)
    return () if back and rule.actions != (ActionKind.ROLLBACK,) else rule.required_checks


def lacking_checks(action: Action, rule: Rule) -> str:
    """What is missing, for people; "" where nothing is, or where nobody has asked yet, as there is no plan."""
    names = required_checks(action, rule)
    if action.plan is None or not names:
        return ""
    known = {check.name: check.passed for check in action.plan.checks}
    failed = [f"{name} failed" for name in names if known.get(name) is False]
    waited = [f"{name} is not known to have passed" for name in names if known.get(name) is None]
    on = f" on {action.plan.target_commit[:7]}" if action.plan.target_commit else ""
    return f"Required checks are not green{on}: {', '.join((*failed, *waited))}" if failed or waited else ""
