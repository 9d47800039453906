"""Somebody handled an alert in a vendor's own tool: the incident that holds it follows."""

from collections.abc import Sequence

from bot.domain.handling import Deed, Handling
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.resolving import resolve
from bot.ports import Transaction


def on_handlings(tx: Transaction, handlings: Sequence[Handling], desk: Desk) -> None:
    """Each live incident that a deed is about is acknowledged or resolved as it was there; what is about none is passed over."""
    for handling in handlings:
        for incident in desk.incidents.live(tx):
            if _about(handling, incident):
                _follow(tx, handling, incident, desk)


def _about(handling: Handling, incident: Incident) -> bool:
    if handling.key:
        return handling.key == incident.id
    return bool(handling.ref) and any((m.connector, m.ref) == (handling.connector, handling.ref) for m in incident.members)


def _follow(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    who = handling.by or handling.connector
    if handling.deed is Deed.ACKNOWLEDGED and incident.status is Status.OPEN:
        now = desk.clock()
        taken = desk.incidents.save(tx, incident.move(Status.ACKNOWLEDGED, now, by=who))
        desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.STATUS, f"acknowledged in {handling.connector}", who)])
        announce(tx, taken, desk)
    elif handling.deed is Deed.RESOLVED and len(incident.members) == 1:
        resolve(tx, incident, who, f"resolved in {handling.connector}", desk)
