"""An approved action is carried out, watched and ended; every step is in the audit, the timeline and the action's message.

The handlers run as durable work, at least once each: whatever they find already done, they leave.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.actions import execute as executing
from bot.actions import verify as verifying
from bot.actions.approvals import NotYours
from bot.actions.execute import Step
from bot.actions.policy import Moment, decide
from bot.domain.action import Action, ActionStatus, expired
from bot.domain.change import Version
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.view import NoteView, Place
from bot.errors import BotError, IllegalMove
from bot.flows.announce import announce, show_action
from bot.flows.desk import Desk
from bot.flows.locking.guarding import involved, memberships, world_of
from bot.flows.resolving import resolve
from bot.flows.showing import route_of
from bot.ports import Deployer, Scalar, Transaction
from bot.redact import clean, redact

BOT = "tocsin"
STUCK = {  # nothing was heard of an action for this long, although its work says something at least that often
    ActionStatus.APPROVED: timedelta(minutes=15),
    ActionStatus.EXECUTING: timedelta(minutes=45),
    ActionStatus.VERIFYING: timedelta(minutes=15),
}
SECOND = timedelta(seconds=1)  # vendors cut the fractions of their times
UNDER_WAY = (ActionStatus.APPROVED, ActionStatus.EXECUTING, ActionStatus.UNCERTAIN)


async def execute(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The approved action is started once, or followed if that was tried already, until it is known what became of it."""
    action = await _find(args, desk)
    if action is None or action.status not in UNDER_WAY:
        return
    look = int(args.get("look") or 0)
    deployer = desk.deployers.get(action.deployer)
    if deployer is None:
        gone = f"There is no deployer {action.deployer!r} in tocsin.toml any more."
        gave_up = {ActionStatus.APPROVED: ActionStatus.REFUSED, ActionStatus.EXECUTING: ActionStatus.UNCERTAIN}
        await _record(action, Step(gave_up.get(action.status), gone), look, desk)
    elif action.status is ActionStatus.APPROVED:
        await _start(action, deployer, look, desk)
    elif action.status is ActionStatus.UNCERTAIN:
        await _record(action, await executing.settle(action, deployer, desk.clock()), look, desk)
    else:
        await _record(action, await executing.follow(action, deployer, look, desk.clock()), look, desk)


async def _start(action: Action, deployer: Deployer, look: int, desk: Desk) -> None:
    try:
        moved_on = await executing.still_true(action, deployer)
    except BotError as error:
        gave_up = Step(ActionStatus.REFUSED, f"Nothing was started: {error.for_people}")
        again = error.retry and look < executing.PATIENCE
        await _record(action, Step(None) if again else gave_up, look, desk)
        return
    if moved_on:
        await _record(action, Step(ActionStatus.REFUSED, moved_on), look, desk)
        return

    groups = await memberships(involved(action), desk)

    def claim(tx: Transaction) -> Action | None:
        now = desk.clock()
        ruling = decide(action, BOT, Moment.START, world_of(tx, desk.catalogue().get(action.service), groups, desk))
        if not ruling.allowed:
            refused = action.move(ActionStatus.REFUSED, now, f"Nothing was started: {NotYours(ruling).for_people}")
            if (ended := desk.actions.move(tx, action, refused)) is not None:
                tell(tx, ended, BOT, "refused", desk)
            return None
        mine = desk.actions.move(tx, action, action.move(ActionStatus.EXECUTING, now))
        if mine is not None:
            tell(tx, mine, BOT, "executing", desk)
        return mine

    mine = await desk.db.write(claim)
    if mine is not None:
        await _record(mine, await executing.begin(mine, deployer), look, desk)


async def verify(args: Mapping[str, Scalar], desk: Desk) -> None:
    """What runs is asked and the alerts are looked at; the action ends, or is looked at again."""
    action = await _find(args, desk)
    if action is None or action.status is not ActionStatus.VERIFYING:
        return
    look = int(args.get("look") or 0)
    current = await _current(action, desk)

    def go(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
        firing = verifying.still_firing(action, incident, desk.incidents.live(tx))
        watch = timedelta() if incident else min(desk.limits.settle, desk.limits.verify)
        changes = desk.changes.between(tx, action.created_at - SECOND, action.updated_at)
        begun = verifying.begun_since(incident, verifying.in_effect(action, changes))
        step = verifying.judge(action, current, firing, desk.clock(), watch, desk.limits.verify, begun)
        ended = _write(tx, action, step, look, desk)
        worked = ended is not None and ended.status is ActionStatus.SUCCEEDED
        if worked and incident is not None and incident.live and incident.ends_by_itself:
            latest = desk.incidents.get(tx, incident.id) or incident
            resolve(tx, latest, BOT, f"verified after {action.kind.value} to {action.target}", desk)

    try:
        await desk.db.write(go)
    except IllegalMove:  # the incident moved at the same moment and all of this was undone: look again
        await _record(action, Step(None), look, desk)


async def expire(args: Mapping[str, Scalar], desk: Desk) -> None:
    """An action that nobody decided in time ends."""

    def go(tx: Transaction) -> None:
        action = desk.actions.get(tx, str(args["action"]))
        if action is None or action.expires_at is None or action.status not in (ActionStatus.PROPOSED, ActionStatus.AWAITING):
            return
        if not expired(action, desk.clock()):
            when_due(tx, action, int(args.get("look") or 0) + 1, desk)
            return
        done = action.move(ActionStatus.EXPIRED, desk.clock(), "Nobody decided in time; ask again for a fresh plan.")
        moved = desk.actions.move(tx, action, done)
        if moved is not None:
            tell(tx, moved, BOT, "expired", desk)

    await desk.db.write(go)


async def call_for_help(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The people concerned are addressed by name about an action of which nobody knows what became."""

    def read(tx: Transaction) -> tuple[Action, Incident | None, Place] | None:
        action = desk.actions.get(tx, str(args["action"]))
        if action is None or action.status is not ActionStatus.UNCERTAIN:
            return None
        incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
        card = desk.cards.get(tx, f"action:{action.id}")
        return action, incident, card.place if card else Place("")

    found = await desk.db.read(read)
    if found is None:
        return
    action, incident, place = found
    if not place.channel:
        route = route_of(incident, action.service, desk) if incident else desk.routing().default
        place = Place(await desk.channel.channel_id(route.channel))
    key = f"help:{action.id}:{action.version}"
    where = Place(place.channel, "", place.thread or place.ts)
    if await desk.channel.find(where.channel, key, thread=where.thread) is None:
        await desk.channel.post(where, NoteView(action.outcome, _concerned(action, incident, desk)), key=key)


def tell(tx: Transaction, action: Action, actor: str, deed: str, desk: Desk, place: Place | None = None) -> None:
    """One step of an action: in the audit, in its incident's timeline, on its message and on the card."""
    now = desk.clock()
    detail = {
        "kind": action.kind.value,
        "service": action.service,
        "environment": action.environment,
        "target": action.target,
        "plan": action.plan.hash if action.plan else "",
        "rule": action.policy,
        "run": action.run,
        "outcome": action.outcome,
        "claim": action.claim.value,
        "claim_reason": action.claim_reason,
    }
    desk.ledger.append(tx, now, actor, deed, action.id, {k: v for k, v in detail.items() if v})
    show_action(tx, action, desk, place)
    incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
    if incident is None:
        return
    said = f"{action.kind.value} of {action.service} to {action.target}: {deed}"
    text = f"{said}. {action.outcome}" if action.outcome else said
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.ACTION, text, actor)])
    announce(tx, incident, desk)


def rescue(tx: Transaction, desk: Desk) -> None:
    """An action whose work died is looked at again, once an hour, until it is known what became of it."""
    now = desk.clock()
    for action in desk.actions.unfinished(tx):
        span = STUCK.get(action.status)
        if span is None or now - action.updated_at < span + desk.limits.verify:
            continue
        verifies = action.status is ActionStatus.VERIFYING
        desk.work.start(
            tx,
            "actions",
            "verify_action" if verifies else "execute",
            f"action:{action.id}:{action.version}:rescue:{now:%Y-%m-%dT%H}",
            {"action": action.id, "look": executing.PATIENCE},
            partition=partition_of(action),
        )


def partition_of(action: Action) -> str:
    """Work on one service and environment happens one after the other."""
    return f"{action.service}/{action.environment}"


def when_due(tx: Transaction, action: Action, look: int, desk: Desk) -> None:
    """The action is looked at again when its time is over."""
    args: Mapping[str, Scalar] = {"action": action.id, "look": look}
    desk.work.start(tx, "actions", "expire_action", f"expire:{action.id}:{look}", args, not_before=action.expires_at)


async def _find(args: Mapping[str, Scalar], desk: Desk) -> Action | None:
    return await desk.db.read(lambda tx: desk.actions.get(tx, str(args["action"])))


async def _current(action: Action, desk: Desk) -> Version | None:
    deployer = desk.deployers.get(action.deployer)
    if deployer is None:
        return None
    try:
        return await deployer.current(action.service, action.environment)
    except BotError:
        return None


async def _record(action: Action, step: Step, look: int, desk: Desk) -> None:
    await desk.db.write(lambda tx: _write(tx, action, step, look, desk))


def _write(tx: Transaction, action: Action, step: Step, look: int, desk: Desk) -> Action | None:
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


def _with_run(action: Action, step: Step) -> Action:
    """The action with what the deployer said of its run, fit to be shown."""
    known = replace(action, outcome=step.text or action.outcome)
    if step.run is None:
        return known
    lines = tuple(redact(clean(line))[:500] for line in step.run.output[-20:])
    return replace(known, run=redact(clean(step.run.id))[:200] or action.run, output=lines or action.output)


def _concerned(action: Action, incident: Incident | None, desk: Desk) -> tuple[str, ...]:
    on_call = incident.on_call if incident else desk.routing().default.on_call
    people = (*on_call, action.requested_by, *(d.by for d in action.decisions if d.approved))
    return tuple(p for p in dict.fromkeys(people) if p and p != BOT)
