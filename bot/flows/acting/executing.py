"""An approved action is started once and followed until it is known what became of it.

The handlers run as durable work, at least once each: whatever they find already done, they leave.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.actions import execute as executing
from bot.actions.approvals import NotYours
from bot.actions.execute import Step
from bot.actions.policy import Moment, decide
from bot.actions.sequence import its_turn
from bot.domain.action import Action, ActionStatus
from bot.errors import BotError
from bot.flows.acting.steps import find, partition_of, record
from bot.flows.acting.telling import BOT, ended_alone, tell
from bot.flows.automating.weighing import automatic_now, ran_alone, surely_read
from bot.flows.desk import Desk
from bot.flows.locking.guarding import involved, memberships, world_of
from bot.ports import Deployer, Scalar, Transaction

STUCK = {  # nothing was heard of an action for this long, although its work says something at least that often
    ActionStatus.APPROVED: timedelta(minutes=15),
    ActionStatus.EXECUTING: timedelta(minutes=45),
    ActionStatus.VERIFYING: timedelta(minutes=15),
}
FRESH = timedelta(hours=1)  # what was approved and could not begin for so long is asked for anew: its people have gone on
TOO_LATE = "It was approved more than an hour ago and could not be begun; nothing was started. Ask again for a fresh plan."
UNDER_WAY = (ActionStatus.APPROVED, ActionStatus.EXECUTING, ActionStatus.UNCERTAIN)


async def execute(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The approved action is started once, or followed if that was tried already, until it is known what became of it."""
    action = await find(args, desk)
    if action is None or action.status not in UNDER_WAY:
        return
    look = int(args.get("look") or 0)
    deployer = desk.deployers.get(action.deployer)
    if deployer is None:
        gone = f"There is no deployer {action.deployer!r} in tocsin.toml any more; look at {action.service} yourself."
        gave_up = {ActionStatus.APPROVED: ActionStatus.REFUSED, ActionStatus.EXECUTING: ActionStatus.UNCERTAIN}
        await record(action, Step(gave_up.get(action.status), gone), look, desk)
    elif action.status is ActionStatus.APPROVED:
        await _start(action, deployer, look, desk)
    elif action.status is ActionStatus.UNCERTAIN:
        await record(action, await executing.settle(action, deployer, desk.clock()), look, desk)
    else:
        await record(action, await executing.follow(action, deployer, look, desk.clock()), look, desk)


async def _start(action: Action, deployer: Deployer, look: int, desk: Desk) -> None:
    if not await desk.db.read(lambda tx: _its_turn(tx, action, desk)):
        return
    try:
        if ran_alone(action):
            surely_read(desk)
        moved_on = await executing.still_true(action, deployer)
    except BotError as error:
        gave_up = Step(ActionStatus.REFUSED, f"Nothing was started: {error.for_people}")
        again = error.retry and look < executing.PATIENCE
        waits = Step(None, f"Not begun yet: {error.for_people}")
        await record(action, waits if again else gave_up, look, desk)
        return
    if moved_on:
        await record(action, Step(ActionStatus.REFUSED, moved_on), look, desk)
        return

    groups = await memberships(involved(action), desk)

    def claim(tx: Transaction) -> Action | None:
        now = desk.clock()
        if not _its_turn(tx, action, desk):
            return None
        if now - _ready_since(tx, action, desk) > FRESH:
            _end(tx, action, action.move(ActionStatus.EXPIRED, now, TOO_LATE), desk)
            return None
        alone = automatic_now(tx, action, desk)
        world = world_of(tx, desk.catalogue().get(action.service), groups, desk, automatic=alone)
        ruling = decide(action, BOT, Moment.START, world)
        if not ruling.allowed:
            why = f"Nothing was started: {NotYours(ruling).for_people}"
            _end(tx, action, action.move(ActionStatus.REFUSED, now, why), desk)
            return None
        mine = desk.actions.move(tx, action, action.move(ActionStatus.EXECUTING, now))
        if mine is not None:
            tell(tx, mine, BOT, "executing", desk)
        return mine

    mine = await desk.db.write(claim)
    if mine is not None:
        await record(mine, await executing.begin(mine, deployer), look, desk)


def _end(tx: Transaction, action: Action, ended: Action, desk: Desk) -> None:
    if (kept := desk.actions.move(tx, action, ended)) is not None:
        tell(tx, kept, BOT, kept.status.value, desk)
        ended_alone(tx, kept, desk)


def _ready_since(tx: Transaction, action: Action, desk: Desk) -> datetime:
    """When nothing was left to wait for: its approval, and in a batch that of the others or the end of those before it."""
    parts = desk.actions.of_batch(tx, action.batch) if action.batch else ()
    others = (part.updated_at for part in parts if part.id != action.id)
    return max([action.since(ActionStatus.APPROVED) or action.updated_at, *others])


def _its_turn(tx: Transaction, action: Action, desk: Desk) -> bool:
    """A part of a batch starts after those before it have succeeded; what has no batch may start."""
    return not action.batch or its_turn(action, desk.actions.of_batch(tx, action.batch))


def rescue(tx: Transaction, desk: Desk) -> None:
    """An action whose work died is looked at again, once an hour, until it is known what became of it."""
    now = desk.clock()
    for action in desk.actions.unfinished(tx):
        span = STUCK.get(action.status)
        if span is None or now - action.updated_at < span + desk.limits.verify:
            continue
        verifies, id = action.status is ActionStatus.VERIFYING, f"action:{action.id}:{action.version}:rescue:{now:%Y-%m-%dT%H}"
        if action.batch and action.status is ActionStatus.APPROVED:  # one before it may have ended, and nobody noticed
            turn: Mapping[str, Scalar] = {"batch": action.batch}
            desk.work.start(tx, "actions", "batch_turn", f"turn:{id}", turn, partition=f"batch:{action.batch}")
        desk.work.start(
            tx,
            "actions",
            "verify_action" if verifies else "execute",
            id,
            {"action": action.id, "look": executing.PATIENCE},
            partition=partition_of(action),
        )
