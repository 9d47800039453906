"""Transactions on one SQLite file without SQLAlchemy between: of the small commits of the door that would be most of the time."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from bot.ports import Transaction
from bot.storage.box import connect

T = TypeVar("T")
DIALECT = SQLiteDialect_pysqlite()


class Straight:
    """One connection, for one thread at a time."""

    def __init__(self, file: Path, pragmas: Sequence[str]) -> None:
        self._connection = connect(file)
        for pragma in pragmas:
            self._connection.execute(f"PRAGMA {pragma}")

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run it in one transaction and commit; roll back if it raises. Raises what sqlite3 does."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(cast(Transaction, _Plain(self._connection)))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return result

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


class _Plain:
    """As much of a SQLAlchemy connection as statements in SQLite's own words need."""

    dialect = DIALECT

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def exec_driver_sql(
        self, text: str, parameters: Any = ()
    ) -> sqlite3.Cursor:  # Any: one row or a list of them, as SQLAlchemy has it
        """Run it, once per row if there is a list of them."""
        if isinstance(parameters, list):
            return self._connection.executemany(text, parameters)
        return self._connection.execute(text, parameters)
