"""Somebody asked about the model, switched it, or wants to know what it costs."""

from bot.domain.interaction import Spent
from bot.domain.request import CommandRequest
from bot.domain.view import NoteView
from bot.errors import NotAllowed, NotFound
from bot.flows.asking.spending import EVER, OFF, ON, SWITCH, spent_today
from bot.flows.desk import Desk
from bot.flows.thinking import read_again
from bot.ports import Transaction


async def switch(request: CommandRequest, desk: Desk) -> NoteView:
    """`/tocsin model on|off|status`: off is a kill switch for everybody, at once, on is for known people; both are audited."""
    wanted = request.words[1].lower() if len(request.words) > 1 else "status"
    if wanted not in (ON, OFF):
        return NoteView(await desk.db.read(lambda tx: model_line(tx, desk)))

    ruling = desk.policies().may_switch_on(request.person.id)
    if wanted == ON and not ruling.allowed:
        raise NotAllowed(f"{ruling.reason}.")

    def turn(tx: Transaction) -> str:
        now = desk.clock()
        desk.switches.turn(tx, SWITCH, wanted, request.person.id, now)
        desk.ledger.append(tx, now, request.person.id, f"model {wanted}", SWITCH, {"by": "/tocsin model"})
        line = model_line(tx, desk)
        if desk.model is None:
            return line
        if wanted == OFF:
            return f"{line} Nothing is sent to it from now on."
        again = read_again(tx, desk)
        return f"{line} It reads the next incident and the next question" + (f", and {again} open ones again." if again else ".")

    return NoteView(await desk.db.write(turn))


def model_line(tx: Transaction, desk: Desk) -> str:
    """Which model there is, and whether it is asked."""
    off = desk.switches.get(tx, SWITCH) == OFF
    if desk.model is None:
        return "Model: none configured, answers come from rules." + (" The switch is off." if off else "")
    if off:
        return f"Model: {desk.model.name}, switched off; answers come from rules. `/tocsin model on` lets it think again."
    return f"Model: {desk.model.name}, on."


async def budget(request: CommandRequest, desk: Desk) -> NoteView:
    """`/tocsin budget [INC-n]`: what models cost today (UTC), and for one incident or each live one."""
    named = request.words[1].upper() if len(request.words) > 1 else ""

    def go(tx: Transaction) -> str:
        limits = desk.budgets
        lines = [f"Today (UTC): {said(spent_today(tx, desk), limits.day_cost, limits.day_calls)}"]
        one = desk.incidents.get(tx, named) if named else None
        if named and one is None:
            raise NotFound(f"There is no {named[:20]}. `/incident list all` shows the newest ones.")
        for incident in [one] if one else desk.incidents.live(tx)[-10:]:
            spent = desk.journal.spent(tx, EVER, incident.id)
            lines.append(f"{incident.key}: {said(spent, limits.incident_cost, limits.incident_calls)}")
        return "\n".join((*lines, model_line(tx, desk)))

    return NoteView(await desk.db.read(go))


def said(spent: Spent, cost: float, calls: int) -> str:
    """What was spent of a budget, in one line; calls whose price nobody knows are said."""
    unpriced = f", the price of {spent.unpriced} of them is not known" if spent.unpriced else ""
    return f"${spent.cost:.4f} of ${cost:g}, {spent.calls} of {calls} calls{unpriced}"
