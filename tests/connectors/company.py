"""Who is under the deployers' contract, what is asked of them, and the past that they are given."""

from datetime import timedelta

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.ports import Order, RunState
from tests.connectors import (
    stage_ansible,
    stage_argocd,
    stage_command,
    stage_github,
    stage_gitlab,
    stage_jenkins,
    stage_kubernetes,
)
from tests.connectors.stages import Stage, Theatre
from tests.fakes import NOON

STAGES: tuple[Stage, ...] = (
    *stage_github.STAGES,
    *stage_gitlab.STAGES,
    *stage_jenkins.STAGES,
    *stage_argocd.STAGES,
    *stage_kubernetes.STAGES,
    *stage_command.STAGES,
    *stage_ansible.STAGES,
)
ORDER = Order("payments", "production", "v42", "0193-key-1")
HOUR = timedelta(hours=1)


def history(theatre: Theatre) -> None:
    """Three versions of payments, the newest of which failed, amid others."""
    for hours, version, state in ((9, "v42", RunState.SUCCEEDED), (6, "v43", RunState.SUCCEEDED), (3, "v44", RunState.FAILED)):
        theatre.remember(Order("payments", "production", version, f"past-{version}"), state, hours * HOUR)
    theatre.remember(Order("checkout", "production", "v18", "past-v18"), RunState.SUCCEEDED, 2 * HOUR)
    theatre.remember(Order("payments", "staging", "v45", "past-v45"), RunState.SUCCEEDED, HOUR)


def action() -> Action:
    """It is being carried out, begun at noon."""
    return Action(ORDER.key, ActionKind.DEPLOY, "payments", "production", "v42", ActionStatus.EXECUTING, "U1", NOON, NOON)
