"""Somebody wants an action stopped: before it starts at once, afterwards by asking its deployer, as durable work.

The wish is written on the action in the same transaction as the work that asks the deployer. The looks at the run go on as
before: whichever of the two hears first how it ended moves the action, and says by whom it was cancelled or that it was too late.
"""

from collections.abc import Mapping
from dataclasses import replace

from bot.actions import cancel as cancelling
from bot.actions import execute as executing
from bot.actions.approvals import NotYours
from bot.actions.naming import named_environment
from bot.actions.plan import known_service
from bot.domain.action import BUSY, UNDECIDED, Action, ActionStatus, Stopping
from bot.domain.request import CommandRequest, Press
from bot.domain.view import NoteView, Shown
from bot.errors import NotFound, Outrun
from bot.flows.acting.steps import find, record
from bot.flows.acting.telling import BOT, tell
from bot.flows.desk import Desk
from bot.flows.locking.guarding import memberships, refusal, remember
from bot.ports import Scalar, Transaction
from bot.redact import clean, redact

USAGE = "/deploy cancel <service> [environment]"


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """The button on the message of an action. Raises NotYours, NotFound, AlreadyDecided or IllegalMove."""
    return await stop(press.value, press.person.id, desk)


async def on_words(request: CommandRequest, desk: Desk) -> NoteView:
    """`/deploy cancel checkout [environment]`: what is under way there, else what waits there. A refusal is a note."""
    words = request.words[1:]
    if not words or len(words) > 2:
        return NoteView(f"Usage: {USAGE}")
    service = known_service(words[0], desk.catalogue())
    where = words[1] if len(words) == 2 else ""
    if where:
        named_environment(where, service)
    unfinished = await desk.db.read(desk.actions.unfinished)
    mine = [a for a in unfinished if a.service == service.name and where in ("", a.environment)]
    kinds = (BUSY, UNDECIDED - {ActionStatus.PLANNED}, UNDECIDED)  # what runs goes first, then what waits, then dry runs
    going = next((found for kind in kinds if (found := [a for a in mine if a.status in kind])), [])
    if not going:
        nowhere = f" in {where}" if where else ""
        raise NotFound(f"Nothing of {service.name} is under way{nowhere}. `/deploy history {service.name}` shows what was.")
    if len(going) > 1:
        named = "; ".join(f"{a.kind.value} to {a.target} in {a.environment} ({a.status.value})" for a in going[:5])
        raise NotFound(f"Which one? {named}. Name the environment, or press the button on its message.")
    try:
        return await stop(going[0].id, request.person.id, desk)
    except NotYours as error:
        return refusal(error)


async def stop(id: str, person: str, desk: Desk) -> NoteView:
    """This person wants the action stopped; the same wish again changes nothing.

    Raises NotYours (which is written down too), NotFound, AlreadyDecided or IllegalMove.
    """
    groups = await memberships([person], desk)

    def go(tx: Transaction) -> Action:
        action = desk.actions.get(tx, id)
        if action is None:
            raise NotFound("That action is no longer kept.")
        service = desk.catalogue().get(action.service)
        ruling = desk.policies().may_cancel(person, action, service, groups.get(person, frozenset()))
        if not ruling.allowed:
            raise NotYours(ruling)
        deployer = desk.deployers.get(action.deployer)
        after = cancelling.wish(action, person, deployer is not None and deployer.cancels, desk.clock())
        moved = desk.actions.move(tx, action, after)
        if moved is None:
            raise Outrun("Something happened to it a moment before you; its message shows what.")
        tell(tx, moved, person, "cancelled" if moved.ended else "asked to cancel", desk)
        if not moved.ended:
            _ask_again(tx, moved, 0, desk)
        return moved

    try:
        moved = await desk.db.write(go)
    except NotYours as error:
        await remember(error, person, "cancel", id, desk)
        raise
    what = f"The {moved.kind.value} of {moved.service} to {moved.target}"
    if moved.ended:
        return NoteView(f"{what} is cancelled. Nothing was started.")
    return NoteView(f"{what} is running: its deployer is asked to stop it, and its message shows what comes of that.")


async def cancel_run(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The deployer is asked to stop a run; whatever is known of it already is left."""
    action = await find(args, desk)
    asked = action.cancel if action else None
    if action is None or asked is None or asked.state is not Stopping.ASKED or action.status not in cancelling.AT_THE_VENDOR:
        return
    look = int(args.get("look") or 0)
    deployer = desk.deployers.get(action.deployer)
    if deployer is None:
        gone = f"There is no deployer {action.deployer!r} in tocsin.toml any more."
        answer = cancelling.Answer(stands=Stopping.FAILED, text=gone)
    else:
        answer = await cancelling.ask(action, deployer, look)
    if answer.step is not None:
        await record(action, answer.step, 0, desk)
        return

    def go(tx: Transaction) -> None:
        latest = desk.actions.get(tx, action.id)
        if latest is None or latest.cancel is None or latest.cancel != asked or latest.status not in cancelling.AT_THE_VENDOR:
            return
        if answer.stands is None:
            _ask_again(tx, latest, look + 1, desk)
            return
        told = replace(latest, cancel=replace(latest.cancel, state=answer.stands, answer=redact(clean(answer.text))[:500]))
        moved = desk.actions.move(tx, latest, told)
        if moved is None:  # a look at the run wrote first: this answer may be an old one by now
            _ask_again(tx, latest, look + 1, desk)
            return
        deed = "could not be cancelled" if answer.stands is Stopping.FAILED else "is being cancelled"
        tell(tx, moved, BOT, deed, desk)

    await desk.db.write(go)


def _ask_again(tx: Transaction, action: Action, look: int, desk: Desk) -> None:
    """Not in the partition of the run: one that its deployer carries out while it is started can be stopped meanwhile."""
    asked = action.cancel.at.isoformat() if action.cancel else ""
    args: Mapping[str, Scalar] = {"action": action.id, "look": look}
    due = desk.clock() + executing.wait_before(action, look) if look else None
    desk.work.start(tx, "actions", "cancel_run", f"cancel:{action.id}:{asked}:{look}", args, not_before=due)
