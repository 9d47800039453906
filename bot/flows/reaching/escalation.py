"""Nobody takes an incident: one after the other is reached, by timers that survive restarts, until somebody does.

A timer is durable work whose id carries the moment at which it is due; what it makes of the incident it decides then, from
routing.yaml as it is then and from the rows of who was reached already. So a restart, an edit of the file or a second run of the
same timer reaches nobody twice.
"""

from collections.abc import Mapping
from datetime import datetime

from bot.domain.handling import page_key
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.flows.desk import Desk
from bot.flows.showing import quiet_for, route_of
from bot.incidents.routing import Step, Target
from bot.ports import Reached, Scalar, Transaction

OUT_OF_SLACK = ("person", "rota", "channel")  # the kinds that are reached in Slack


def since(incident: Incident) -> datetime:
    """Since when nobody has it."""
    return incident.waiting_since or incident.opened_at


def begin(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """The timers of an incident that nobody has yet run; asking again changes nothing."""
    if incident.status is not Status.OPEN:
        return
    _be_quiet(tx, incident, desk)
    if left := _left(tx, incident, desk):
        _look_at(tx, incident, since(incident) + left[0].after, desk)
    outlet = desk.routing().second_outlet
    if outlet.to and incident.severity in outlet.severity and desk.cards.get(tx, f"card:{incident.id}") is None:
        args = {"incident_id": incident.id}
        due = desk.clock() + outlet.after
        desk.work.start(tx, "reach", "second_outlet", f"outlet:{incident.id}", args, partition=incident.id, not_before=due)


async def escalate(args: Mapping[str, Scalar], desk: Desk) -> None:
    """Whoever is due is reached, and the next timer set; nothing more once somebody has it, and nothing while it is silenced."""

    def go(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, str(args["incident_id"]))
        if incident is None or incident.status is not Status.OPEN:
            return
        now, left = desk.clock(), _left(tx, incident, desk)
        if left and (held := _held(incident, desk)) is not None:
            _look_at(tx, incident, held, desk)
            return
        for step in left:
            if since(incident) + step.after > now:
                _look_at(tx, incident, since(incident) + step.after, desk)
                return
            reach_for(tx, incident, step.to, _key(incident, step), f"not acknowledged for {_minutes(incident, now)}", desk)

    await desk.db.write(go)


async def second_outlet(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The chat did not take the card in time: people are told some other way, once per incident."""

    def go(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, str(args["incident_id"]))
        card = desk.cards.get(tx, f"card:{args['incident_id']}")
        if incident is None or incident.status is not Status.OPEN or (card is not None and card.place.ts):
            return
        if (held := _held(incident, desk)) is not None:
            again = f"outlet:{incident.id}:{held.timestamp():.0f}"
            about = {"incident_id": incident.id}
            desk.work.start(tx, "reach", "second_outlet", again, about, partition=incident.id, not_before=held)
            return
        for target in desk.routing().second_outlet.to:
            reach_for(tx, incident, target, f"{incident.id}:outlet:{target}", "Slack did not take its card", desk)

    await desk.db.write(go)


def reach_for(tx: Transaction, incident: Incident, target: Target, key: str, why: str, desk: Desk) -> None:
    """Somebody is to be reached, once for this key; the sending is work of its own, so that a slow pager delays nobody else."""
    if desk.reach.get(tx, key) is not None:
        return
    now = desk.clock()
    page = "" if target.kind in OUT_OF_SLACK else page_key(incident.id, target.name)
    desk.reach.put(tx, Reached(key, incident.id, now, target.kind, target.name, "due", page, why))
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.NOTE, f"{why}: {target} is called")])
    desk.work.start(tx, "reach", "reach", f"reach:{key}", {"key": key}, partition=f"{target}:{incident.id}")


def _left(tx: Transaction, incident: Incident, desk: Desk) -> list[Step]:
    """The steps that were not taken yet in this round, the earliest first."""
    steps = desk.routing().steps(route_of(incident, incident.service, desk), incident.severity)
    return [step for step in steps if desk.reach.get(tx, _key(incident, step)) is None]


def _key(incident: Incident, step: Step) -> str:
    return f"{incident.id}:{since(incident).timestamp():.0f}:{step.to}"


def _held(incident: Incident, desk: Desk) -> datetime | None:
    """Until when nobody is reached about it: it is silenced, or it is quiet now."""
    now = desk.clock()
    quiet = quiet_for(incident, desk)
    ends = [incident.silenced_until, quiet.until if quiet else None]
    return max((end for end in ends if end is not None and end > now), default=None)


def _look_at(tx: Transaction, incident: Incident, due: datetime, desk: Desk) -> None:
    id = f"escalate:{incident.id}:{since(incident).timestamp():.0f}:{due.timestamp():.0f}"
    args = {"incident_id": incident.id}
    desk.work.start(tx, "reach", "escalate", id, args, partition=incident.id, not_before=due)


def _minutes(incident: Incident, now: datetime) -> str:
    return f"{(now - since(incident)).total_seconds() / 60:.0f} min"


def _be_quiet(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """An incident of the quiet hours is told of when they end."""
    quiet = quiet_for(incident, desk)
    key = f"{incident.id}:quiet"
    if quiet is None or desk.reach.get(tx, key) is not None:
        return
    channel, until = route_of(incident, incident.service, desk).channel, quiet.until.isoformat()
    desk.reach.put(tx, Reached(key, incident.id, desk.clock(), "quiet", channel, "done", "", until))
    said = f"nobody is disturbed before {quiet.until:%Y-%m-%d %H:%M} UTC: {quiet.reason}"
    desk.timeline.add(tx, [Entry(incident.id, desk.clock(), EntryKind.NOTE, said)])
    args = {"channel": channel, "until": until}
    desk.work.start(tx, "reach", "morning", f"morning:{channel}:{until}", args, partition=channel, not_before=quiet.until)
