"""What an approval is bound to: what would be done, not how it is told."""

import hashlib
import json
from collections.abc import Sequence

from bot.domain.action import Action, Plan


def plan_matter(action: Action, plan: Plan) -> list[str | list[str]]:
    """What would be done, in a fixed order; the same before and after the action is opened.

    Kind, service, environment, version and commit that run, version and commit to run, the commits between, newest first.
    Risk, checks, warnings and whoever asks are no part of it.
    """
    return [
        action.kind.value,
        action.service,
        action.environment,
        plan.current_version,
        plan.current_commit,
        plan.target_version,
        plan.target_commit,
        [c.sha for c in plan.commits],
    ]


def plan_hash(action: Action, plan: Plan) -> str:
    """SHA-256, in hex, of the plan's matter as JSON without spaces; `plan.hash` of a plan that nobody altered."""
    return matter_hash(plan_matter(action, plan))


def matter_hash(matter: Sequence[str | Sequence[str]]) -> str:
    """The hash of a matter that was told; an executor of its own recomputes it before it believes a plan."""
    return hashlib.sha256(json.dumps(matter, separators=(",", ":")).encode()).hexdigest()
