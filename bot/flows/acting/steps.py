"""One step of an action that is under way is kept together with the work that it causes."""

from collections.abc import Mapping
from dataclasses import replace

from bot.actions import execute as executing
from bot.actions import verify as verifying
from bot.actions.execute import Step
from bot.domain.action import Action, ActionStatus
from bot.domain.change import Version
from bot.errors import BotError
from bot.flows.acting.telling import BOT, tell
from bot.flows.announce import show_action
from bot.flows.desk import Desk
from bot.ports import Scalar, Transaction
from bot.redact import clean, redact


async def find(args: Mapping[str, Scalar], desk: Desk) -> Action | None:
    return await desk.db.read(lambda tx: desk.actions.get(tx, str(args["action"])))


async def record(action: Action, step: Step, look: int, desk: Desk) -> None:
    await desk.db.write(lambda tx: write(tx, action, step, look, desk))


def write(tx: Transaction, action: Action, step: Step, look: int, desk: Desk) -> Action | None:
    """The step is kept with the work that it causes; None if somebody else has moved the action meanwhile."""
    now = desk.clock()
    known = _with_run(action, step)
    if step.to is None:
        again = known if known == action else desk.actions.move(tx, action, known)
        if again is not None:
            look_again(tx, again, look + 1, desk)
            if again is not action:
                show_action(tx, again, desk)
        return again
    moved = desk.actions.move(tx, action, known.move(step.to, now, step.text))
    if moved is None:
        return None
    tell(tx, moved, BOT, moved.status.value, desk)
    if not moved.ended:
        look_again(tx, moved, 0, desk)
    if moved.status is ActionStatus.UNCERTAIN:
        desk.work.start(tx, "slack", "call_for_help", f"help:{moved.id}:{moved.version}", {"action": moved.id})
    return moved


def look_again(tx: Transaction, action: Action, look: int, desk: Desk) -> None:
    """The next look; its id holds the action's version, so that a handler that runs twice causes one look."""
    watching = action.status is ActionStatus.VERIFYING
    wait = verifying.wait_before(look) if watching else executing.wait_before(action, look)
    args: Mapping[str, Scalar] = {"action": action.id, "look": look}
    desk.work.start(
        tx,
        "actions",
        "verify_action" if watching else "execute",
        f"action:{action.id}:{action.version}:{look}",
        args,
        partition=partition_of(action),
        not_before=desk.clock() + wait,
    )


def partition_of(action: Action) -> str:
    """Work on one service and environment happens one after the other."""
    return f"{action.service}/{action.environment}"


async def current(action: Action, desk: Desk) -> Version | None:
    deployer = desk.deployers.get(action.deployer)
    if deployer is None:
        return None
    try:
        return await deployer.current(action.service, action.environment)
    except BotError:
        return None


def _with_run(action: Action, step: Step) -> Action:
    """The action with what the deployer said of its run, fit to be shown."""
    known = replace(action, outcome=step.text or action.outcome)
    if step.run is None:
        return known
    lines = tuple(redact(clean(line))[:500] for line in step.run.output[-20:])
    return replace(known, run=redact(clean(step.run.id))[:200] or action.run, output=lines or action.output)
