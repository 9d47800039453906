"""Did it help? What runs is asked and the alerts are looked at until it is known."""

from collections.abc import Mapping
from datetime import timedelta

from bot.actions import verify as verifying
from bot.actions.execute import Step
from bot.domain.action import ActionStatus
from bot.errors import IllegalMove
from bot.flows.acting.steps import current as running
from bot.flows.acting.steps import find, record, write
from bot.flows.acting.telling import BOT
from bot.flows.desk import Desk
from bot.flows.resolving import resolve
from bot.ports import Scalar, Transaction

SECOND = timedelta(seconds=1)  # vendors cut the fractions of their times


async def verify(args: Mapping[str, Scalar], desk: Desk) -> None:
    """What runs is asked and the alerts are looked at; the action ends, or is looked at again."""
    action = await find(args, desk)
    if action is None or action.status is not ActionStatus.VERIFYING:
        return
    look = int(args.get("look") or 0)
    current = await running(action, desk)

    def go(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
        firing = verifying.still_firing(action, incident, desk.incidents.live(tx))
        watch = timedelta() if incident else min(desk.limits.settle, desk.limits.verify)
        changes = desk.changes.between(tx, action.created_at - SECOND, action.updated_at)
        begun = verifying.begun_since(incident, verifying.in_effect(action, changes))
        step = verifying.judge(action, current, firing, desk.clock(), watch, desk.limits.verify, begun)
        ended = write(tx, action, step, look, desk)
        worked = ended is not None and ended.status is ActionStatus.SUCCEEDED
        if worked and incident is not None and incident.live and incident.ends_by_itself:
            latest = desk.incidents.get(tx, incident.id) or incident
            resolve(tx, latest, BOT, f"verified after {action.kind.value} to {action.target}", desk)

    try:
        await desk.db.write(go)
    except IllegalMove:  # the incident moved at the same moment and all of this was undone: look again
        await record(action, Step(None), look, desk)
