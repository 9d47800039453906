"""An approved action reaches its deployer once: asked to start once, then only asked what became of it.

The record that a start was attempted is the status `executing`, written before the call. Whoever finds an action in it
after a crash does not know whether the call went out, and asks. Only a deployer that promises one run per key is started
again when it never heard of the key; with any other, nobody knows, and a person is asked to look.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.action import Action, ActionStatus
from bot.domain.verification import Verification
from bot.errors import BotError, Unavailable
from bot.ports import Deployer, Order, Run, RunState, VersionCommits

PATIENCE = 12  # looks at a deployer that does not answer or never heard of the order, before a person is asked
SETTLED = timedelta(minutes=10)  # an order unheard of for so long, with the old version running, never arrived
LONGEST = timedelta(minutes=30)  # a run that takes longer is looked at by a person
FIRST_WAIT, SLOWEST_WAIT = 0.5, 15.0  # seconds between two looks, growing
UNCERTAIN_WAIT = timedelta(seconds=30)  # an uncertain action is asked about for as long as it takes


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one look: the next status (None: look again later), one sentence for people, the vendor's run, the effect."""

    to: ActionStatus | None
    text: str = ""
    run: Run | None = None
    seen: Verification | None = None


def order_of(action: Action) -> Order:
    """What the deployer is asked to do; the action's id is the idempotency key."""
    commit = action.plan.target_commit if action.plan else ""
    return Order(action.service, action.environment, action.target, action.id, commit, action.run)


def wait_before(action: Action, look: int) -> timedelta:
    """How long to wait before this look."""
    if action.status is ActionStatus.UNCERTAIN:
        return UNCERTAIN_WAIT
    return timedelta(seconds=min(SLOWEST_WAIT, FIRST_WAIT * 1.4 ** min(look, 40)))


async def still_true(action: Action, deployer: Deployer) -> str:
    """Why the plan that people approved no longer fits the world, or ""; nothing was started yet. Raises Unavailable."""
    current = await deployer.current(action.service, action.environment)
    if current.version == action.target:
        return f"{action.target} runs in {action.environment} already. Nothing was started."
    if action.plan is not None and current.version != action.plan.current_version:
        return (
            f"Since the plan was made, {current.version} came in place of {action.plan.current_version}. "
            f"Nothing was started; ask again for a fresh plan."
        )
    meant = action.plan.target_commit if action.plan is not None else ""
    now = await deployer.commit_of(action.service, action.target) if meant and isinstance(deployer, VersionCommits) else ""
    if now and not (now.startswith(meant) or meant.startswith(now)):  # somebody moved its tag
        return (
            f"Since the plan was made, {action.target} became another commit: {now[:12]}, not {meant[:12]}. "
            f"Nothing was started; ask again for a fresh plan."
        )
    return ""


async def begin(action: Action, deployer: Deployer) -> Step:
    """The deployer is asked to start. Called only by whoever has just moved the action to `executing`."""
    try:
        run = await deployer.start(order_of(action))
    except Unavailable as error:
        return Step(None, f"The deployer did not confirm the start ({error.for_people}). It is asked what became of it.")
    except BotError as error:
        return Step(ActionStatus.FAILED, f"Nothing was started: {error.for_people}")
    return judge(action, run)


async def _begin_again(action: Action, deployer: Deployer) -> Step:
    """Asked once more under the same key. That this call was refused tells nothing of the first, which may be on its way."""
    step = await begin(action, deployer)
    heard_of = step.run is not None and step.run.id
    return Step(None, step.text) if step.to is ActionStatus.FAILED and not heard_of else step


async def follow(action: Action, deployer: Deployer, look: int, now: datetime) -> Step:
    """The deployer is asked what became of the order; `look` counts from 0, `action.updated_at` is when it began."""
    try:
        run = await deployer.status(order_of(action))
    except BotError as error:
        why = f"the deployer cannot be asked: {error.for_people.rstrip('.')}"
        return _uncertain(action, deployer, why) if look >= PATIENCE else Step(None)
    if run.state is not RunState.UNKNOWN:
        step = judge(action, run)
        late = step.to is None and now - action.updated_at > LONGEST
        minutes = int(LONGEST.total_seconds() // 60)
        return _uncertain(action, deployer, f"it still runs after {minutes} min", run) if late else step
    if action.run:  # it had a run and knows it no more: the key may be forgotten too, so starting again might run twice
        return _uncertain(action, deployer, f"the deployer no longer knows its run {action.run}")
    if deployer.idempotent and look < PATIENCE and action.cancel is None:  # what somebody wants stopped is not begun again
        return await _begin_again(action, deployer)
    if look < PATIENCE:
        return Step(None)
    return _uncertain(action, deployer, "the deployer never heard of it, or does not tell")


async def settle(action: Action, deployer: Deployer, now: datetime) -> Step:
    """An uncertain action becomes certain as soon as the deployer can tell; nothing is started."""
    try:
        run = await deployer.status(order_of(action))
        current = await deployer.current(action.service, action.environment)
    except BotError:
        return Step(None)
    if run.state is not RunState.UNKNOWN:
        return judge(action, run)
    if current.version == action.target:
        return Step(ActionStatus.VERIFYING, f"{action.target} runs after all; its effect is watched.")
    before = action.plan.current_version if action.plan else ""
    if now - action.updated_at <= SETTLED:
        return Step(None)
    if before and current.version != before:
        return Step(ActionStatus.FAILED, f"It was overtaken: {current.version} runs, and the deployer does not know it.")
    if not action.run and current.version == before:
        return Step(ActionStatus.FAILED, f"It never arrived: the deployer does not know it, and {before} still runs.")
    return Step(None)


def judge(action: Action, run: Run) -> Step:
    """The step that follows from what the deployer says of a run that it knows."""
    if run.state is RunState.SUCCEEDED:
        return Step(ActionStatus.VERIFYING, f"{action.target} was deployed; its effect is watched.", run)
    if run.state is RunState.FAILED:
        last = f": {run.output[-1]}" if run.output else ""
        return Step(ActionStatus.FAILED, f"The deployer says that it failed{last}", run)
    if run.state is RunState.CANCELLED:
        by = f" by {action.cancel.by}" if action.cancel else " at the deployer"
        return Step(ActionStatus.FAILED, f"It was cancelled{by}; what had been done by then is not undone.", run)
    return Step(None, "", run)


def finding_out(action: Action, deployer: Deployer) -> str:
    """What a person can do who is told that nobody knows, as a sentence."""
    return f"To find out, {deployer.how_to_ask(order_of(action))}."


def _uncertain(action: Action, deployer: Deployer, why: str, run: Run | None = None) -> Step:
    text = (
        f"Nobody knows whether {action.service} {action.target} was deployed: {why}. It is not tried again. "
        f"{finding_out(action, deployer)}"
    )
    return Step(ActionStatus.UNCERTAIN, text, run)
