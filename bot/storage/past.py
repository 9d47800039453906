"""Past incidents that were imported, and what lay around our own while they happened."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, Index, String, Table, Text, delete, func, select

from bot.domain.past import PastIncident, Surroundings
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

imported = Table(
    "imported_incidents",
    metadata,
    Column("id", Key(255), primary_key=True),
    Column("origin", Short(80), nullable=False),
    Column("imported_at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_imported_incidents_origin", imported.c.origin)
surroundings = Table(
    "incident_surroundings",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("body", Text, nullable=False),
)


class SqlPastStore:
    """ports.PastStore in SQL."""

    def keep(self, tx: Transaction, incidents: Sequence[PastIncident], at: datetime) -> None:
        """Insert or replace by origin and ref."""
        rows: dict[str, dict[str, object]] = {}
        for one in incidents:
            id = f"{one.origin}:{one.ref}"
            rows[id] = {"id": id, "origin": one.origin, "imported_at": at, "body": dump(one)}
        upsert(tx, imported, list(rows.values()))

    def known(self, tx: Transaction, origin: str = "") -> tuple[PastIncident, ...]:
        """All that were imported, or those of one origin."""
        found = select(imported.c.body).order_by(imported.c.id)
        if origin:
            found = found.where(imported.c.origin == origin)
        return tuple(load(PastIncident, body) for body in sql(tx).execute(found).scalars())

    def counts(self, tx: Transaction) -> Mapping[str, int]:
        """How many came from where."""
        found = select(imported.c.origin, func.count().label("n")).group_by(imported.c.origin).order_by(imported.c.origin)
        return {row.origin: row.n for row in sql(tx).execute(found)}

    def drop(self, tx: Transaction, origin: str, ref: str = "") -> int:
        """Forget those of one origin, or one of them; how many there were."""
        which = imported.c.id == f"{origin}:{ref}" if ref else imported.c.origin == origin
        return sql(tx).execute(delete(imported).where(which)).rowcount

    def note(self, tx: Transaction, incident_id: str, around: Surroundings) -> None:
        """Keep what lay around an incident of ours."""
        upsert(tx, surroundings, [{"incident_id": incident_id, "body": dump(around)}])

    def around(self, tx: Transaction, incident_id: str = "") -> Mapping[str, Surroundings]:
        """What lay around our incidents, or one of them, by their id."""
        found = select(surroundings.c.incident_id, surroundings.c.body)
        if incident_id:
            found = found.where(surroundings.c.incident_id == incident_id)
        return {row.incident_id: load(Surroundings, row.body) for row in sql(tx).execute(found)}
