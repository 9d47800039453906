"""Insert or replace, which SQLite and PostgreSQL say alike but SQLAlchemy does not."""

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from bot.ports import Transaction
from bot.storage.bulk import execute_many
from bot.storage.database import sql


def upsert(tx: Transaction, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Each row stands under its primary key, whoever else writes it at this moment; the last one wins whole."""
    execute_many(tx, _statement(table, sql(tx).dialect.name), rows)


@lru_cache(maxsize=64)
def _statement(table: Table, dialect: str) -> Insert:
    new = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    key = [column.name for column in table.primary_key]
    return new.on_conflict_do_update(
        index_elements=key, set_={c.name: new.excluded[c.name] for c in table.columns if c.name not in key}
    )
