"""Switches that people turn while the bot runs."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Column, Select, String, Table, select

from bot.ports import Transaction
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

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
        upsert(tx, switches, [{"name": name, "position": position, "turned_by": by, "turned_at": at}])

    def like(self, tx: Transaction, prefix: str) -> Mapping[str, str]:
        """The positions of all switches whose name begins so."""
        return {name: position for name, position in sql(tx).execute(_begun(prefix))}


@lru_cache(maxsize=16)
def _begun(prefix: str) -> Select[str, str]:
    return select(switches.c.name, switches.c.position).where(switches.c.name.startswith(prefix, autoescape=True))
