"""An action is told: in the audit, the timeline and on its message; to people by name when nobody knows what became of it."""

from collections.abc import Mapping
from dataclasses import replace

from bot.actions.told import detail
from bot.domain.action import UNDECIDED, Action, ActionStatus, expired
from bot.domain.incident import Entry, EntryKind
from bot.domain.view import Place
from bot.flows.acting.calling import call
from bot.flows.announce import announce, show_action
from bot.flows.desk import Desk
from bot.ports import Scalar, Transaction

BOT = "tocsin"
BADLY = {ActionStatus.FAILED: "failed", ActionStatus.REFUSED: "was refused", ActionStatus.EXPIRED: "expired"}


def tell(tx: Transaction, action: Action, actor: str, deed: str, desk: Desk, place: Place | None = None) -> None:
    """One step of an action: in the audit, in its incident's timeline, on its message and on the card."""
    now = desk.clock()
    desk.ledger.append(tx, now, actor, deed, action.id, detail(action, deed))
    show_action(tx, action, desk, place)
    if action.batch:
        args: Mapping[str, Scalar] = {"batch": action.batch}
        turn = f"turn:{action.id}:{action.version}"
        desk.work.start(tx, "actions", "batch_turn", turn, args, partition=f"batch:{action.batch}")
    incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
    if incident is None:
        return
    said = f"{action.kind.value} of {action.service} to {action.target}: {deed}"
    text = f"{said}. {action.outcome}" if action.outcome else said
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.ACTION, text, actor)])
    announce(tx, incident, desk)


async def expire(args: Mapping[str, Scalar], desk: Desk) -> None:
    """An action that nobody decided in time ends."""

    def go(tx: Transaction) -> None:
        action = desk.actions.get(tx, str(args["action"]))
        if action is None or action.expires_at is None or action.status not in UNDECIDED:
            return
        if not expired(action, desk.clock()):
            when_due(tx, action, int(args.get("look") or 0) + 1, desk)
            return
        done = action.move(ActionStatus.EXPIRED, desk.clock(), "Nobody decided in time; ask again for a fresh plan.")
        moved = desk.actions.move(tx, action, done)
        if moved is not None:
            tell(tx, moved, BOT, "expired", desk)

    await desk.db.write(go)


def when_due(tx: Transaction, action: Action, look: int, desk: Desk) -> None:
    """The action is looked at again when its time is over."""
    args: Mapping[str, Scalar] = {"action": action.id, "look": look}
    desk.work.start(tx, "actions", "expire_action", f"expire:{action.id}:{look}", args, not_before=action.expires_at)


def ended_alone(tx: Transaction, ended: Action, desk: Desk) -> None:
    """Where what nobody but a rule or a step approved came to nothing, people are called; what it was to take back says so."""
    if not _came_to_nothing(ended):
        return
    desk.work.start(tx, "slack", "call_for_help", f"help:{ended.id}:{ended.version}", {"action": ended.id})
    done = desk.actions.get(tx, ended.undoes) if ended.undoes else None
    if done is None or done.status is not ActionStatus.FAILED:
        return
    said = f"{done.outcome} The way back to {ended.target} {BADLY[ended.status]}; its message says why."
    if (kept := desk.actions.move(tx, done, replace(done, outcome=said.strip()))) is not None:
        tell(tx, kept, BOT, "way back", desk)


def _came_to_nothing(action: Action) -> bool:
    return action.stand_in is not None and action.status in BADLY and action.cancel is None


async def call_for_help(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The people concerned are addressed by name: nobody knows what became of an action, or it was the bot's own and failed."""

    def read(tx: Transaction) -> Action | None:
        action = desk.actions.get(tx, str(args["action"]))
        wanted = action is not None and (action.status is ActionStatus.UNCERTAIN or _came_to_nothing(action))
        return action if wanted else None

    found = await desk.db.read(read)
    if found is not None:
        text = _what_now(found) if _came_to_nothing(found) else found.outcome
        await call(found, f"help:{found.id}:{found.version}", text, desk)


def _what_now(action: Action) -> str:
    """What the bot began by itself and did not bring to a good end; what never ran, people may ask for."""
    order = f"{action.service} {action.target} {action.environment}"
    by_hand = "" if action.since(ActionStatus.VERIFYING) else f" By hand: `/{action.kind.value} {order}`"
    what = f"The {action.kind.value} of {action.service} to {action.target}, which the bot took by itself,"
    return f"{what} {BADLY[action.status]}. {action.outcome}{by_hand}"
