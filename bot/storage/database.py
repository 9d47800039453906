"""The database: plain functions of an open transaction, run in threads; one writer on SQLite, a small pool on PostgreSQL.

A transaction is a SQLAlchemy connection; stores get at it with `sql(tx)`. Every store defines its tables on `metadata`.
"""

import asyncio
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, TypeDecorator, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import BadSettings, Outrun, Unavailable
from bot.ports import Transaction, fence
from bot.storage.box import address, box_of, connect, number_on, prepare
from bot.storage.lockfile import Lockfile
from bot.storage.straight import Straight

T = TypeVar("T")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

READERS = 4
TRIES = 5  # of a transaction that another replica outran
_COLLISIONS = ("40P01", "40001")  # PostgreSQL: deadlock detected, serialization failure
POSTGRES_THREADS = 8
POSTGRES_NETWORK = {  # a server that is gone without a word is noticed within ten seconds
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
POSTGRES_TIMEOUTS = "-c statement_timeout=10000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=5000 -c timezone=UTC"


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, UTC: timezone-aware in and out on both databases; text order is time order on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy passes it
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no timezone; times are UTC and say so.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy passes it
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def alone(tx: Transaction, key: int) -> None:
    """Of all replicas' transactions that ask for this key, one at a time goes on; SQLite has one writer anyway."""
    if sql(tx).dialect.name == "postgresql":
        sql(tx).execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def sql(tx: Transaction) -> Connection:
    """The SQLAlchemy connection that a transaction is."""
    return cast(Connection, tx)


class SqlDatabase:
    """ports.Database on SQLite or PostgreSQL.

    `write`, `keep` and `read` are for the event loop, `write_now`, `keep_now` and `read_now` for commands. A cancelled
    `write` may still commit: its thread is never interrupted. On SQLite a lock file keeps a second process away, unless that
    one opens with `beside=True` (the door, short commands beside a running server; such a process never migrates).
    """

    def __init__(self, url: str, *, connections: int = POSTGRES_THREADS) -> None:
        self._url = make_url(url)
        self._connections = connections  # on PostgreSQL, at most
        self.postgres = self._url.get_backend_name() == "postgresql"
        if not self.postgres and self._url.get_backend_name() != "sqlite":
            raise BadSettings(f"The database {self} is of no kind that Tocsin knows; {_GOOD}.")
        self._lock: Lockfile | None = None
        self._engines: tuple[Engine, Engine, Engine] | None = None  # that write, read, keep
        self._threads: tuple[Executor, Executor, Executor] | None = None
        self._straight: Straight | None = None  # on SQLite, made when something is kept for the first time
        self._closing = threading.Lock()

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def open(self, *, migrate: bool = True, beside: bool = False) -> None:
        """Connect, keep others away, bring the schema up to date. Raises BadSettings saying what is in the way."""
        if self.postgres:
            self._open_postgres()
        else:
            self._open_sqlite(beside=beside)
        try:
            if migrate:
                self._bring_up_to_date(beside=beside)
        except Unavailable as error:
            self.close()
            raise Unavailable(
                f"The database {self} cannot be reached. Start Tocsin again once it can, or set another."
            ) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Finish what runs, disconnect, let others in. Closing twice is closing once."""
        with self._closing:
            threads, self._threads = self._threads, None
            for executor in threads or ():
                executor.shutdown(wait=True)
            straight, self._straight = self._straight, None
            if straight is not None:
                straight.close()
            engines, self._engines = self._engines, None
            for engine in engines or ():
                engine.dispose()
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.release()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run it in one transaction and commit; roll back if it raises."""
        guard = fence.get()
        if guard is not None:
            work = partial(_guarded, guard, work)
        return await asyncio.get_running_loop().run_in_executor(self._executor(0), self._run, 0, work)

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        """`write` into the inbox: on SQLite a file of its own, where no other writer is waited for."""
        executor = self._executor(2)
        if self.postgres:
            return await asyncio.get_running_loop().run_in_executor(executor, self._run, 2, work)
        return await asyncio.get_running_loop().run_in_executor(executor, self._keep, work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run it in a read transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._executor(1), self._run, 1, work)

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """`write` for code without an event loop; blocks."""
        return self._executor(0).submit(self._run, 0, work).result()

    def keep_now(self, work: Callable[[Transaction], T]) -> T:
        """`keep` for code without an event loop; blocks. Here the transaction is SQLAlchemy's in any case."""
        return self._executor(2).submit(self._run, 2, work).result()

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """`read` for code without an event loop; blocks."""
        return self._executor(1).submit(self._run, 1, work).result()

    def upgrade_now(self) -> tuple[str | None, str | None]:
        """Bring the schema up to date; its step before and after. Raises BadSettings if it is newer than this code."""
        from bot.storage.migrations import current, upgrade  # slow, see below

        def go(tx: Transaction) -> tuple[str | None, str | None]:
            before = current(sql(tx), str(self))
            upgrade(sql(tx), str(self))
            return before, current(sql(tx), str(self))

        return self.write_now(go)

    async def listen(self, wakes: Mapping[str, Callable[[], None]], heard: Callable[[bool], None]) -> None:
        """PostgreSQL: call what is named for each channel at every notification, until cancelled.

        `heard` is told when that begins and when it is interrupted; at each beginning everything is woken once, for what
        was missed.
        """
        from bot.storage.listener import listen  # nine megabytes that only PostgreSQL needs

        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        await listen(url, POSTGRES_NETWORK, wakes, heard)

    def _keep(self, work: Callable[[Transaction], T]) -> T:
        try:
            if self._straight is None:
                assert self._url.database is not None  # noqa: S101  it was opened
                self._straight = Straight(box_of(Path(self._url.database)), _PRAGMAS)
            return self._straight.run(work)
        except sqlite3.OperationalError as error:
            if _passes(error):
                raise self._away(error) from error
            raise

    def _away(self, why: object) -> Unavailable:
        return Unavailable(
            f"The database {self} did not answer ({why}). Tocsin tries again by itself.",
            for_people="My database does not answer right now. Please try again in a minute.",
        )

    def _executor(self, which: int) -> Executor:
        if self._threads is None:
            raise RuntimeError(f"The database {self} is not open.")
        return self._threads[which]

    def _begin(self, which: int) -> AbstractContextManager[Connection]:
        assert self._engines is not None  # noqa: S101  threads exist only while engines do
        return self._engines[which].begin()

    def _run(self, which: int, work: Callable[[Transaction], T]) -> T:
        """Replicas may outrun each other, and a transaction is a function that reads anew: it is simply done again."""
        for left in reversed(range(TRIES if self.postgres else 1)):
            try:
                return self._once(which, work)
            except Outrun:
                if not left:
                    raise
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  only so that two do not meet again
        raise AssertionError("the last try returns or raises")

    def _once(self, which: int, work: Callable[[Transaction], T]) -> T:
        try:
            with self._begin(which) as connection:
                return work(connection)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in _COLLISIONS:
                raise Outrun("Somebody else changed the same things at this moment. Please try again.") from error
            if error.connection_invalidated or (isinstance(error, OperationalError) and (self.postgres or _passes(error.orig))):
                raise self._away(type(error.orig).__name__ if self.postgres else error.orig) from error
            raise

    def _open_sqlite(self, *, beside: bool) -> None:
        if not self._url.database or self._url.database == ":memory:":
            raise BadSettings(f"The database {self} is not a file; {_GOOD}.")
        path = Path(self._url.database)
        if beside and not path.exists():
            raise BadSettings(f"There is no database at {path} yet. Start the server once, or name its folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not beside:
            self._lock = Lockfile(path.with_name(path.name + ".lock"))
            self._lock.take()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite would ask the umask only
            prepare(box_of(path))
        self._engines = (
            _sqlite(path, box_of(path)),
            _sqlite(path, box_of(path), readers=READERS),
            _sqlite(box_of(path), None),
        )
        self._threads = (
            ThreadPoolExecutor(1, thread_name_prefix="db-writer"),
            ThreadPoolExecutor(READERS, thread_name_prefix="db-reader"),
            ThreadPoolExecutor(1, thread_name_prefix="inbox-writer"),
        )

    def _open_postgres(self) -> None:
        engine = create_engine(
            self._url,
            pool_size=self._connections,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"options": POSTGRES_TIMEOUTS, **POSTGRES_NETWORK},
        )
        threads = ThreadPoolExecutor(self._connections, thread_name_prefix="db")
        self._engines, self._threads = (engine, engine, engine), (threads, threads, threads)

    def _bring_up_to_date(self, *, beside: bool) -> None:
        # Alembic takes a quarter of a second to import, which commands that open nothing should not pay.
        from bot.storage.migrations import check

        if beside:
            self.read_now(lambda tx: check(sql(tx), str(self)))
        else:
            self.upgrade_now()
            if self._url.database and not self.postgres:
                number_on(box_of(Path(self._url.database)), Path(self._url.database))


def _guarded(guard: Callable[[Transaction], None], work: Callable[[Transaction], T], tx: Transaction) -> T:
    guard(tx)
    return work(tx)


def _passes(error: BaseException | None) -> bool:
    """SQLite could not, for now: somebody else writes, the disk is full or does not answer."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_GOOD = "a good value is sqlite:////var/lib/tocsin/tocsin.db or postgresql+psycopg://tocsin@localhost/tocsin"


def _sqlite(path: Path, box: Path | None, *, readers: int = 0) -> Engine:
    """An engine of one writing connection (`readers` 0) or of some reading ones; they read the box too, if there is one."""
    engine = create_engine(f"sqlite:///{path}", pool_size=max(1, readers), max_overflow=0, creator=partial(connect, path))
    begin = "BEGIN" if readers else "BEGIN IMMEDIATE"

    def connected(raw: object, _entry: ConnectionPoolEntry) -> None:
        connection = cast(sqlite3.Connection, raw)
        for pragma in _PRAGMAS if not readers else (*_PRAGMAS, "query_only=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if box is not None and box.exists():  # after the pragmas, which are about all files
            connection.execute("ATTACH DATABASE ? AS box", (address(box, only_read=True),))

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


_PRAGMAS = (
    "busy_timeout=10000",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
)
