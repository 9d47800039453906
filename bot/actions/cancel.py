"""Somebody wants an action stopped: what can still be stopped, who has to be asked, and what is said of the answer."""

from dataclasses import dataclass, replace
from datetime import datetime

from bot.actions.approvals import AlreadyDecided
from bot.actions.execute import PATIENCE, Step, judge, order_of
from bot.domain.action import UNDECIDED, Action, ActionStatus, Cancel, Stopping
from bot.errors import BotError, IllegalMove, Unavailable
from bot.ports import Deployer, Run, RunState

AT_THE_VENDOR = (ActionStatus.EXECUTING, ActionStatus.UNCERTAIN)
HEARD = (Stopping.ASKED, Stopping.UNDER_WAY)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the deployer said: a step of the action where the run has ended, else how the wish stands. Neither: ask again."""

    step: Step | None = None
    stands: Stopping | None = None
    text: str = ""


def wish(action: Action, person: str, cancels: bool, now: datetime) -> Action:
    """The action after somebody wants it stopped: refused where nothing has started, else with the wish written on it.

    `cancels`: its deployer can be asked to stop a run. Raises AlreadyDecided or IllegalMove with what to do instead.
    """
    what = f"This {action.kind.value} of {action.service} to {action.target}"
    if action.status in UNDECIDED or action.status is ActionStatus.APPROVED:
        ended = action.move(ActionStatus.REFUSED, now, f"Cancelled by {person} before it started. Nothing was started.")
        return replace(ended, cancel=Cancel(person, now, Stopping.STOPPED))
    if action.status not in AT_THE_VENDOR:
        raise AlreadyDecided(f"{what} could not be cancelled: its run had ended. It is {action.status.value}.{_instead(action)}")
    asked = action.cancel
    if asked is not None and asked.state in HEARD:
        by = "You" if asked.by == person else "Somebody else"
        raise AlreadyDecided(f"{by} asked for that already at {asked.at:%H:%M:%S} UTC; the message shows what comes of it.")
    if not cancels:
        where = f" Stop it there: {action.link}" if action.link else " Stop it there, if that can be."
        raise IllegalMove(f"{what} has begun, and its deployer {action.deployer!r} cannot be asked to stop a run.{where}")
    return replace(action, cancel=Cancel(person, now))


async def ask(action: Action, deployer: Deployer, look: int) -> Answer:
    """The deployer is asked to stop the run; `look` counts from 0. Asking again is harmless: what has ended stays as it is."""
    last = look >= PATIENCE
    try:
        run = await deployer.cancel(order_of(action))
    except Unavailable as error:
        return Answer(stands=Stopping.FAILED, text=f"The deployer cannot be asked: {error.for_people}") if last else Answer()
    except BotError as error:
        return Answer(stands=Stopping.FAILED, text=error.for_people)
    if run.state is RunState.UNKNOWN:  # the order may be on its way still
        return Answer(stands=Stopping.FAILED, text="The deployer knows of no run to stop.") if last else Answer()
    if run.state is RunState.RUNNING:
        return Answer(stands=Stopping.UNDER_WAY)
    return Answer(judge(action, run))


def settled(action: Action, to: ActionStatus | None, run: Run | None) -> Cancel | None:
    """The wish to stop the action, once it is known what became of its run. It is not too late where there never was one."""
    if action.cancel is None or action.status not in AT_THE_VENDOR or to not in (ActionStatus.VERIFYING, ActionStatus.FAILED):
        return action.cancel
    never = to is ActionStatus.FAILED and not (action.run or (run is not None and run.id))
    if never or (run is not None and run.state is RunState.CANCELLED):
        return replace(action.cancel, state=Stopping.STOPPED, answer="")
    return replace(action.cancel, state=Stopping.TOO_LATE, answer="")


def _instead(action: Action) -> str:
    if action.status is ActionStatus.VERIFYING and action.plan and action.plan.current_version:
        return f" The way back: /rollback {action.service} {action.plan.current_version} {action.environment}"
    return ""
