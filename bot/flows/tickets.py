"""A ticket system told of a ticket: incidents that it belongs to hear of it."""

from collections.abc import Sequence

from bot.domain.incident import Entry, EntryKind
from bot.domain.ticket import Ticket
from bot.flows.desk import Desk
from bot.ports import Transaction
from bot.redact import clean, redact


def on_tickets(tx: Transaction, tickets: Sequence[Ticket], desk: Desk) -> None:
    """A ticket that names a live incident ("INC-42") is in its timeline."""
    live = desk.incidents.live(tx)
    for ticket in tickets:
        for incident in live:
            if incident.key in f"{ticket.title} {ticket.text}".split():
                text = redact(clean(f"ticket {ticket.ref} is {ticket.status.value}: {ticket.title}"))[:300]
                desk.timeline.add(tx, [Entry(incident.id, ticket.at, EntryKind.NOTE, text, ticket.connector)])
