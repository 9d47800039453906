"""Insert or replace, which SQLite and PostgreSQL say alike but SQLAlchemy does not."""

from collections.abc import Sequence

from sqlalchemy import Table

from bot.ports import Transaction
from bot.storage.bulk import put_many


def upsert(tx: Transaction, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Each row stands under its primary key, whoever else writes it at this moment; the last one wins whole."""
    put_many(tx, table, rows, replace=True)
