"""Switches that people turn while the bot runs."""

from datetime import datetime

from sqlalchemy import Column, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.ports import Transaction
from bot.storage.database import UtcDateTime, metadata, sql

switches = Table(
    "switches",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("position", String(64), nullable=False),
    Column("turned_by", String(64), nullable=False),
    Column("turned_at", UtcDateTime, nullable=False),
)


class SqlSwitchStore:
    """ports.SwitchStore in SQL."""

    def get(self, tx: Transaction, name: str) -> str:
        """The position of a switch, "" if nobody ever turned it."""
        position: str | None = sql(tx).execute(select(switches.c.position).where(switches.c.name == name)).scalar_one_or_none()
        return position or ""

    def turn(self, tx: Transaction, name: str, position: str, by: str, at: datetime) -> None:
        """Turn it; of two at the same moment one wins whole."""
        row = {"name": name, "position": position, "turned_by": by, "turned_at": at}
        sql(tx).execute(_TURN[sql(tx).dialect.name], row)


_SQLITE, _POSTGRES = sqlite.insert(switches), postgresql.insert(switches)
_FIELDS = ("position", "turned_by", "turned_at")
_TURN = {
    "sqlite": _SQLITE.on_conflict_do_update(index_elements=["name"], set_={f: _SQLITE.excluded[f] for f in _FIELDS}),
    "postgresql": _POSTGRES.on_conflict_do_update(index_elements=["name"], set_={f: _POSTGRES.excluded[f] for f in _FIELDS}),
}
