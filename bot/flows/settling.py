"""Incidents end by themselves: resolved once their alerts stayed clear, closed once nothing can reopen them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.domain.incident import Incident, Status
from bot.flows.desk import Desk
from bot.flows.resolving import resolve
from bot.incidents.membership import all_clear, clear_since, out_of_reach, settled
from bot.ports import Scalar, Transaction

EVER = datetime(1970, 1, 1, tzinfo=UTC)
AGAIN = timedelta(seconds=5)


def settle_later(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """Once its alerts have been clear for `settle`, it is looked at whether they still are."""
    desk.work.start(
        tx,
        "housekeeping",
        "settle",
        f"settle:{incident.id}:{incident.version}",
        {"incident_id": incident.id},
        partition=incident.id,
        not_before=desk.clock() + desk.limits.settle,
    )


def _settle_still(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """It came too early: an alert fired and cleared meanwhile, or two clocks differ."""
    due = max(clear_since(incident) + desk.limits.settle, desk.clock() + AGAIN)
    work = f"settle:{incident.id}:at:{due.timestamp():.0f}"
    args = {"incident_id": incident.id}
    desk.work.start(tx, "housekeeping", "settle", work, args, partition=incident.id, not_before=due)


async def settle(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The incident is resolved if its alerts stayed clear; not for long enough yet, it is looked at again. Twice is once."""

    def go(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, str(args["incident_id"]))
        if incident is None or not incident.live or not incident.ends_by_itself or not all_clear(incident):
            return
        if settled(incident, desk.clock(), desk.limits.settle):
            resolve(tx, incident, "tocsin", "alerts cleared", desk)
        elif incident.members:
            _settle_still(tx, incident, desk)

    await desk.db.write(go)


def close_old(tx: Transaction, desk: Desk) -> None:
    """Incidents that were resolved longer than the reopen window ago are closed; nothing joins them any more."""
    now = desk.clock()
    for incident in desk.incidents.live(tx, resolved_since=EVER):
        if out_of_reach(incident, now, desk.limits.reopen):
            desk.incidents.save(tx, incident.move(Status.CLOSED, now))
