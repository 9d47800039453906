"""One step of an action that is under way is kept together with the work that it causes."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from bot.actions import execute as executing
from bot.actions import verify as verifying
from bot.actions.cancel import settled
from bot.actions.execute import Step
from bot.domain.action import Action, ActionStatus
from bot.domain.change import Version
from bot.errors import BotError
from bot.flows.acting.telling import BOT, ended_alone, tell
from bot.flows.announce import show_progress
from bot.flows.desk import Desk
from bot.ports import Scalar, Transaction
from bot.redact import clean, redact

LONGEST_LINK, LONGEST_WORDS = 1000, 1500


async def find(args: Mapping[str, Scalar], desk: Desk) -> Action | None:
    return await desk.db.read(lambda tx: desk.actions.get(tx, str(args["action"])))


async def record(action: Action, step: Step, look: int, desk: Desk) -> None:
    await desk.db.write(lambda tx: write(tx, action, step, look, desk))


def write(tx: Transaction, action: Action, step: Step, look: int, desk: Desk) -> Action | None:
    """The step is kept with the work that it causes; None if somebody else has moved the action meanwhile."""
    step = replace(step, text=redact(clean(step.text))[:LONGEST_WORDS])  # it may quote the vendor
    latest = _wished(tx, action, desk)
    kept = _write(tx, latest, step, look, desk)
    while kept is None and (wished := _wished(tx, latest, desk)) != latest:  # uttered between our reading and our writing
        latest = wished
        kept = _write(tx, latest, step, look, desk)
    return kept


def _write(tx: Transaction, action: Action, step: Step, look: int, desk: Desk) -> Action | None:
    now, known = desk.clock(), _with_run(action, step)
    if step.to is None:
        again = known if known == action else desk.actions.move(tx, action, known)
        if again is not None:
            look_again(tx, again, look + 1, desk)
            if again is not action or again.status is not ActionStatus.UNCERTAIN:  # whose message counts no minutes
                show_progress(tx, again, desk)
        return again
    moved = desk.actions.move(tx, action, known.move(step.to, now, step.text))
    if moved is None:
        return None
    tell(tx, moved, BOT, moved.status.value, desk)
    if not moved.ended:
        look_again(tx, moved, 0, desk)
    ended_alone(tx, moved, desk)
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


def set_going(tx: Transaction, action: Action, desk: Desk) -> None:
    """An approved action is started as soon as its service has its turn; asking again changes nothing.

    A part of a batch waits for those before it: `batches.turn` does this for it.
    """
    args: Mapping[str, Scalar] = {"action": action.id, "look": 0}
    desk.work.start(tx, "actions", "execute", f"action:{action.id}", args, partition=partition_of(action))


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


def _wished(tx: Transaction, action: Action, desk: Desk) -> Action:
    """The action, with the wish to stop it where somebody uttered one while the deployer was asked: that moves nothing yet."""
    latest = desk.actions.get(tx, action.id)
    if latest is None or replace(latest, cancel=action.cancel, version=action.version) != action:
        return action
    return latest


def _with_run(action: Action, step: Step) -> Action:
    """The action with what the deployer said of its run, fit to be shown."""
    known = replace(action, outcome=step.text or action.outcome, cancel=settled(action, step.to, step.run))
    known = replace(known, verification=step.seen or action.verification)
    if step.run is None:
        return known
    lines = tuple(redact(clean(line))[:500] for line in step.run.output[-20:])
    run, link = redact(clean(step.run.id))[:200], page_of(step.run.link)
    return replace(known, run=run or action.run, link=link or action.link, output=lines or action.output)


def page_of(url: str) -> str:
    """The address of a run as people are shown it; "" where it is no https address, names a user or holds a secret."""
    found = url.strip()
    try:
        parts = urlsplit(found)
        plain = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    fit = plain and len(found) <= LONGEST_LINK and found == clean(found) and not any(c.isspace() for c in found)
    return found if fit and redact(found) == found else ""
