"""/incident automation: off is for everybody and at once, on is for the people of the groups; both are audited and told."""

from collections.abc import Mapping

from bot.actions.policy import BOT
from bot.domain.action import Action, ActionStatus
from bot.domain.request import CommandRequest
from bot.domain.view import NoteView
from bot.errors import NotAllowed
from bot.flows.automating.standing import state
from bot.flows.automating.starting import withdraw
from bot.flows.automating.weighing import OFF, ON, SWITCH, ran_alone
from bot.flows.desk import Desk
from bot.flows.homepage import stir
from bot.ports import Scalar, Transaction

NOT_BEGUN = (ActionStatus.AWAITING, ActionStatus.APPROVED)


async def automation(request: CommandRequest, desk: Desk) -> NoteView:
    """`/incident automation off|on|status`. Raises NotAllowed for whoever may not switch it on."""
    wanted = request.words[1].lower() if len(request.words) > 1 else "status"
    if wanted not in (ON, OFF):
        return NoteView(await desk.db.read(lambda tx: state(tx, desk)))
    ruling = desk.policies().may_switch_on(request.person.id, SWITCH)
    if wanted == ON and not ruling.allowed:
        raise NotAllowed(f"{ruling.reason}.")
    return NoteView(await desk.db.write(lambda tx: _turn(tx, wanted, request, desk)))


def _turn(tx: Transaction, wanted: str, request: CommandRequest, desk: Desk) -> str:
    """Whoever starts something automatic holds the same lock: it comes whole before this, or not at all."""
    desk.actions.hold(tx)
    now, by = desk.clock(), request.person.id
    desk.switches.turn(tx, SWITCH, wanted, by, now)
    stopped, running = _stop(tx, by, desk) if wanted == OFF else (0, 0)
    detail = {"by": "/incident automation", **({"stopped": str(stopped)} if stopped else {})}
    desk.ledger.append(tx, now, by, f"automation {wanted}", SWITCH, detail)
    args: Mapping[str, Scalar] = {"by": by, "to": wanted, "at": now.isoformat(), "stopped": stopped}
    desk.work.start(tx, "slack", "tell_switched", f"automation:{request.id}", args)
    stir(tx, desk)
    if wanted == ON:
        return f"Automation is on. {state(tx, desk)}"
    left = f" {running} had begun and go on; cancel them on their messages." if running else ""
    ended = f" {stopped} not begun yet were stopped." if stopped else ""
    return f"Automation is off: nothing is planned or started by itself.{ended}{left}"


def _stop(tx: Transaction, by: str, desk: Desk) -> tuple[int, int]:
    """Everything that the bot planned or approved by itself and that has not begun ends; how many, and how many had begun."""
    stopped = running = 0
    for action in desk.actions.unfinished(tx):
        if _of_the_bot(action) and action.status in NOT_BEGUN:
            stopped += withdraw(tx, action, "Automation was switched off; nothing was started.", desk, by)
        elif ran_alone(action):
            running += 1
    return stopped, running


def _of_the_bot(action: Action) -> bool:
    """Nobody but the bot stands behind it so far."""
    return bool(action.step) and action.requested_by == BOT and not action.approvers
