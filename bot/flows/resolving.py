"""An incident ends: it is resolved once, said everywhere, and the person on call is asked what the cause was."""

from bot.domain.handling import Deed, Handling
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.flows.announce import announce, want
from bot.flows.charting.soon import draw_soon
from bot.flows.desk import Desk
from bot.flows.reaching.carrying import tell_vendors
from bot.ports import Transaction


def resolve(tx: Transaction, incident: Incident, by: str, why: str, desk: Desk, *, come_from: Handling | None = None) -> Incident:
    """The incident is resolved: written, in the timeline and the audit, on the card; its cause is asked for.

    `by` is a Slack user id, a name or "tocsin"; `why` a few words for people. The vendors hear of it, except where it has
    `come_from`. Raises IllegalMove if it is not live.
    """
    now = desk.clock()
    done = desk.incidents.save(tx, incident.move(Status.RESOLVED, now, by=by if by != "tocsin" else why))
    desk.timeline.add(tx, [Entry(done.id, now, EntryKind.STATUS, f"resolved: {why}", by)])
    desk.ledger.append(tx, now, by, "resolved", done.id, {"incident": done.key, "why": why})
    tell_vendors(tx, done, Deed.RESOLVED, by, desk, note=why, come_from=come_from)
    announce(tx, done, desk)
    for pointer in desk.cards.like(tx, f"pointer:{done.id}:"):
        want(tx, pointer.key, desk)
    want(tx, f"confirm:{done.id}", desk)
    draw_soon(tx, done, "resolved", desk)
    return done
