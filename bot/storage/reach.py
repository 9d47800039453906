"""Who was to be reached about which incident, one row per attempt."""

from datetime import datetime

from sqlalchemy import Column, String, Table, bindparam, select

from bot.ports import Reached, Transaction
from bot.storage.columns import Key, Prose, Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

reached = Table(
    "reached",
    metadata,
    Column("key", Key(255), primary_key=True),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("how", Short(40), nullable=False),
    Column("target", Short(200), nullable=False),
    Column("state", String(10), nullable=False),
    Column("page", Key(255), nullable=False),
    Column("detail", Prose, nullable=False),
)
_OF = select(reached).where(reached.c.incident_id == bindparam("incident")).order_by(reached.c.at, reached.c.key)


class SqlReachStore:
    """ports.ReachStore in SQL."""

    def get(self, tx: Transaction, key: str) -> Reached | None:
        """One attempt."""
        row = sql(tx).execute(select(reached).where(reached.c.key == key)).mappings().first()
        return Reached(**{**row, "key": key}) if row is not None else None

    def put(self, tx: Transaction, one: Reached) -> None:
        """Insert or replace."""
        names = ("key", "incident_id", "at", "how", "target", "state", "page", "detail")
        upsert(tx, reached, [{name: getattr(one, name) for name in names}])

    def of(self, tx: Transaction, incident_id: str) -> tuple[Reached, ...]:
        """All about one incident, oldest first."""
        return tuple(Reached(**row) for row in sql(tx).execute(_OF, {"incident": incident_id}).mappings())

    def since(self, tx: Transaction, at: datetime) -> tuple[Reached, ...]:
        """All since a time, oldest first."""
        found = select(reached).where(reached.c.at >= at).order_by(reached.c.at, reached.c.key)
        return tuple(Reached(**row) for row in sql(tx).execute(found).mappings())
