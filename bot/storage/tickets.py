"""Tickets that trackers told of or that we opened, and the incidents that they belong to."""

from datetime import datetime

from sqlalchemy import Column, Index, RowMapping, String, Table, Text, bindparam, func, select

from bot.domain.ticket import TicketStatus
from bot.ports import KeptTicket, Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

tickets = Table(
    "tickets",
    metadata,
    Column("connector", String(80), primary_key=True),
    Column("ref", String(200), primary_key=True),
    Column("incident_id", String(64), nullable=False),
    Column("service", Short(200), nullable=False),
    Column("title", Short(300), nullable=False),
    Column("status", String(20), nullable=False),
    Column("url", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("status_at", UtcDateTime, nullable=False),
    Column("told", Text, nullable=False),
)
Index("ix_tickets_incident_id", tickets.c.incident_id)
Index("ix_tickets_service_opened_at", tickets.c.service, tickets.c.opened_at)
_OF = select(tickets).where(tickets.c.incident_id == bindparam("incident")).order_by(tickets.c.opened_at, tickets.c.ref)


class SqlTicketStore:
    """ports.TicketStore in SQL."""

    def get(self, tx: Transaction, connector: str, ref: str) -> KeptTicket | None:
        """One ticket, or None."""
        query = select(tickets).where(tickets.c.connector == connector, tickets.c.ref == ref)
        row = sql(tx).execute(query).mappings().first()
        return None if row is None else _kept(row)

    def save(self, tx: Transaction, ticket: KeptTicket) -> None:
        """Insert or replace."""
        row = {
            name: getattr(ticket, name)
            for name in ("connector", "ref", "incident_id", "service", "title", "url", "opened_at", "status_at")
        }
        upsert(tx, tickets, [{**row, "status": ticket.status.value, "told": dump(ticket.told)}])

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[KeptTicket, ...]:
        """The tickets of one incident, oldest first."""
        return tuple(_kept(row) for row in sql(tx).execute(_OF, {"incident": incident_id}).mappings())

    def reports(self, tx: Transaction, service: str, since: datetime) -> int:
        """How many tickets about a service were opened since a time and belong to no incident."""
        free = (tickets.c.service == service) & (tickets.c.incident_id == "") & (tickets.c.opened_at >= since)
        return sql(tx).execute(select(func.count()).select_from(tickets).where(free)).scalar_one()


def _kept(row: RowMapping) -> KeptTicket:
    return KeptTicket(
        connector=row["connector"],
        ref=row["ref"],
        title=row["title"],
        status=TicketStatus(row["status"]),
        opened_at=row["opened_at"],
        status_at=row["status_at"],
        service=row["service"],
        incident_id=row["incident_id"],
        url=row["url"],
        told=load(tuple[str, ...], row["told"]),
    )
