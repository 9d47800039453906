"""What models may do and cost: the switch, the budgets, and the words about them on a card."""

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.conversation import Failure, Reply
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.domain.interaction import Spent
from bot.flows.desk import Desk
from bot.investigation.thought import unread
from bot.ports import Transaction

SWITCH, OFF, ON = "model", "off", "on"
CALLS = 8  # that one question may take
EVER = datetime.fromtimestamp(0, tz=UTC)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one question to the model may cost, or why it is not asked."""

    most_cost: float = 0.0
    most_calls: int = 0
    failure: Failure | None = None
    why: str = ""

    def refused(self, model: str) -> Reply:
        """The reply in the model's place."""
        return Reply(failure=self.failure, why=self.why, model=model)


def allowance(tx: Transaction, incident_id: str, desk: Desk) -> Allowance:
    """What is left of the budgets of this incident ("" for none) and of the day."""
    if desk.switches.get(tx, SWITCH) == OFF:
        return Allowance(failure=Failure.SWITCHED_OFF, why="the model is switched off")
    budgets = desk.budgets
    day = spent_today(tx, desk)
    spans = [(day, budgets.day_cost, budgets.day_calls, "today's budget")]
    if incident_id:
        mine = desk.journal.spent(tx, EVER, incident_id)
        spans.append((mine, budgets.incident_cost, budgets.incident_calls, "this incident's budget"))
    for spent, cost, calls, name in spans:
        if spent.cost >= cost:
            return Allowance(failure=Failure.OVER_BUDGET, why=f"over {name} of ${cost:g}")
        if spent.calls >= calls:
            return Allowance(failure=Failure.OVER_BUDGET, why=f"over {name} of {calls} calls")
    return Allowance(
        most_cost=min(cost - spent.cost for spent, cost, _, _ in spans),
        most_calls=min(CALLS, *(calls - spent.calls for spent, _, calls, _ in spans)),
    )


async def switched_off(desk: Desk) -> bool:
    """Somebody has turned the kill switch."""
    return await desk.db.read(lambda tx: desk.switches.get(tx, SWITCH)) == OFF


def spent_today(tx: Transaction, desk: Desk) -> Spent:
    """What models cost since midnight UTC."""
    midnight = desk.clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return desk.journal.spent(tx, midnight)


def notice(tx: Transaction, incident: Incident, diagnosis: Diagnosis | None, desk: Desk) -> str:
    """Who diagnosed: the rules alone and why, or a model, too."""
    if desk.model is None:
        return "rules only (no model configured)"
    if diagnosis is not None and diagnosis.thought is not None and not unread(diagnosis):
        thought = diagnosis.thought
        return f"rules only: {thought.failure}" if thought.failure else f"rules, and {thought.model} {thought.stance.value}"
    if desk.switches.get(tx, SWITCH) == OFF:
        return "rules only: the model is switched off"
    return f"rules so far, {desk.model.name} reads the evidence" if incident.live else "rules only"
