"""A database for replays: the caller's own thread, one connection, and nothing that a crash would leave whole."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from bot.ports import Transaction
from bot.storage.inbox import received

T = TypeVar("T")

_PRAGMAS = ("journal_mode=MEMORY", "synchronous=OFF", "locking_mode=EXCLUSIVE", "foreign_keys=ON", "temp_store=MEMORY")


class OneThread:
    """ports.Database on a SQLite file whose schema is up to date and that nobody else has open.

    Everything runs where it is asked for, without a thread between: that is most of the time of a small transaction.
    """

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0)
        event.listen(self._engine, "connect", _connected)
        received.create_all(self._engine)  # the inbox, which elsewhere is a file of its own
        self._connection = self._engine.connect()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run it in one transaction and commit; roll back if it raises."""
        with self._connection.begin():
            return work(self._connection)

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        """`write`."""
        return await self.write(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run it in a transaction."""
        with self._connection.begin():
            return work(self._connection)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
        self._engine.dispose()


def _connected(raw: object, _entry: ConnectionPoolEntry) -> None:
    connection = cast(sqlite3.Connection, raw)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
