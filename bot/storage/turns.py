"""Whose turn it is to do what one replica at a time should do, such as embedding."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, String, Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.ports import Transaction
from bot.storage.database import UtcDateTime, metadata, sql

turns = Table(
    "turns",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


class SqlTurnStore:
    """Turns by name; the database's clock counts on PostgreSQL, since those of replicas differ."""

    def take(self, tx: Transaction, name: str, holder: str, span: timedelta, now: datetime) -> bool:
        """It is the holder's turn for the span, unless it is another's who has not let it lapse."""
        if sql(tx).dialect.name == "postgresql":
            now = sql(tx).execute(select(func.clock_timestamp())).scalar_one()
        insert = postgresql.insert if sql(tx).dialect.name == "postgresql" else sqlite.insert
        sql(tx).execute(insert(turns).values(name=name, holder="", until=_BEFORE).on_conflict_do_nothing())
        free = turns.c.holder.in_(["", holder]) | (turns.c.until < now)
        mine = update(turns).where(turns.c.name == name, free).values(holder=holder, until=now + span)
        return sql(tx).execute(mine).rowcount == 1

    def end(self, tx: Transaction, name: str, holder: str) -> None:
        """It is nobody's turn, if it was the holder's."""
        mine = update(turns).where(turns.c.name == name, turns.c.holder == holder)
        sql(tx).execute(mine.values(holder="", until=_BEFORE))
