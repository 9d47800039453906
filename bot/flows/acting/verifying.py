"""Did it help? What runs is asked, the alerts and metrics that motivated it are looked at until it is known."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.actions import verify as verifying
from bot.actions.effect import Alerts, said, weigh
from bot.actions.execute import Step, finding_out
from bot.actions.sequence import follows
from bot.domain.action import Action, ActionStatus
from bot.domain.change import Version
from bot.domain.incident import Incident
from bot.domain.verification import Verification
from bot.errors import IllegalMove
from bot.flows.acting.measuring import effective_since, measure
from bot.flows.acting.steps import current as running
from bot.flows.acting.steps import find, record, write
from bot.flows.acting.taking_back import after_the_end
from bot.flows.acting.telling import BOT
from bot.flows.desk import Desk
from bot.flows.resolving import resolve
from bot.ports import Scalar, Transaction


async def verify(args: Mapping[str, Scalar], desk: Desk) -> None:
    """What runs is asked, alerts and metrics are looked at; the action ends, or is looked at again."""
    action = await find(args, desk)
    if action is None or action.status is not ActionStatus.VERIFYING:
        return
    look = int(args.get("look") or 0)
    current = await running(action, desk)
    seen = await measure(action, desk)
    try:
        await desk.db.write(lambda tx: _judge(tx, action, current, seen, look, desk))
    except IllegalMove:  # the incident moved at the same moment and all of this was undone: look again
        await record(action, Step(None), look, desk)


def _alerts(
    action: Action, incident: Incident | None, live: tuple[Incident, ...], since: datetime
) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """What fires, what of that began after the action, and how many the incident had before.

    What began on the service itself counts also where it opened an incident of its own.
    """
    firing = verifying.still_firing(action, incident, live)
    if incident is None:
        return firing, verifying.begun_here(action, live, since), 0
    mine = verifying.begun_since(incident, since)
    elsewhere = verifying.begun_here(action, tuple(i for i in live if i.id != incident.id), since)
    known = sum(not verifying.of_the_old(m, action) for m in incident.members)
    return (*firing, *elsewhere), (*mine, *elsewhere), known - len(mine)


def _judge(tx: Transaction, action: Action, current: Version | None, seen: Verification, look: int, desk: Desk) -> None:
    incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
    firing, begun, known = _alerts(action, incident, desk.incidents.live(tx), effective_since(tx, action, desk))
    effect = weigh(seen, Alerts(known, len(firing) - len(begun), len(begun)))
    more = bool(action.batch) and bool(follows(action, desk.actions.of_batch(tx, action.batch)))
    watch = timedelta() if incident and known and not more else min(desk.limits.settle, desk.limits.verify)
    held = begun if more else firing  # what the parts to come are to mend does not count against this one
    step = verifying.judge(action, current, held, desk.clock(), watch, desk.limits.verify, begun, effect)
    if more and step.to is ActionStatus.SUCCEEDED:
        step = replace(step, text=f"Verified: {action.target} runs and nothing got worse; {said(effect, action)}.")
    deployer = desk.deployers.get(action.deployer)
    if step.to is ActionStatus.UNCERTAIN and deployer is not None:
        step = replace(step, text=f"{step.text} {finding_out(action, deployer)}")
    ended = write(tx, action, replace(step, seen=effect), look, desk)
    if ended is None or not ended.ended:
        return
    after_the_end(tx, ended, desk)
    worked = ended.status is ActionStatus.SUCCEEDED and not firing and not more
    if worked and incident is not None and incident.live and incident.ends_by_itself:
        latest = desk.incidents.get(tx, incident.id) or incident
        resolve(tx, latest, BOT, f"verified after {action.kind.value} to {action.target}", desk)
