"""Starting work, and looking after it: ports.Work on the work table."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, bindparam, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.durable.queues import DEFAULTS, Queue
from bot.durable.table import DEAD, DONE, READY, RUNNING, metadata, work
from bot.errors import NotFound
from bot.ports import Scalar, Start, Transaction

__all__ = ["DurableWork", "Item", "connection", "metadata", "now"]

log = logging.getLogger(__name__)

CHANNEL = "tocsin_work"  # of LISTEN and NOTIFY
LONGEST = 200  # characters of an id or a partition
MOST_ASKED = 400  # ids in one question


def connection(tx: Transaction) -> Connection:
    """The SQLAlchemy connection that storage's transactions are."""
    return cast(Connection, tx)


def now(tx: Transaction, clock: Callable[[], float]) -> float:
    """Seconds since 1970: the database's own on PostgreSQL, where many clocks would differ, else the given clock's."""
    if connection(tx).dialect.name == "postgresql":
        return float(connection(tx).execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    return clock()


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work as it stands in the table; times in seconds since 1970, `error` with its traceback."""

    id: str
    queue: str
    name: str
    args: Mapping[str, Scalar]
    partition: str | None
    state: str  # ready | running | done | dead
    attempts: int
    crashes: int
    run_at: float
    created_at: float
    started_at: float | None
    finished_at: float | None
    owner: str | None
    error: str


class DurableWork:
    """ports.Work on the work table, with what people need to look after it."""

    def __init__(self, queues: Mapping[str, Queue] = DEFAULTS, clock: Callable[[], float] = time.time) -> None:
        self.queues = queues
        self.clock = clock
        self.notified = False  # somebody listens for what commits, ours included, and wakes the worker
        self._wake: list[Callable[[], None]] = []

    def on_start(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called, in whatever thread, when work is started; returns how to stop that."""
        self._wake.append(wake)
        return lambda: self._wake.remove(wake)

    def start(
        self,
        tx: Transaction,
        queue: str,
        name: str,
        id: str,
        args: Mapping[str, Scalar],
        *,
        partition: str | None = None,
        not_before: datetime | None = None,
    ) -> bool:
        """Have `name` run with `args` once this transaction commits; False if this id is known already."""
        row = self._row(Start(queue, name, id, args, partition, not_before), now(tx, self.clock))
        done = connection(tx).execute(_INSERT[connection(tx).dialect.name], row).first() is not None
        if done:
            self.notify(tx)
        return done

    def start_all(self, tx: Transaction, starts: Sequence[Start]) -> list[bool]:
        """`start` for each of many. Most of what a busy batch asks for is known already, so that is asked first."""
        if not starts:
            return []
        at = now(tx, self.clock)
        rows = [self._row(one, at) for one in starts]
        known: set[str] = set()
        for first in range(0, len(rows), MOST_ASKED):
            asked = [row["id"] for row in rows[first : first + MOST_ASKED]]
            known.update(connection(tx).execute(_KNOWN, {"ids": asked}).scalars())
        fresh: dict[object, dict[str, object]] = {}
        for row in rows:
            if row["id"] not in known:
                fresh.setdefault(row["id"], row)
        if not fresh:
            return [False] * len(rows)
        done: set[object] = set(connection(tx).execute(_INSERT_ALL[connection(tx).dialect.name], list(fresh.values())).scalars())
        if done:
            self.notify(tx)
        first_of = {id(row) for row in fresh.values()}
        return [row["id"] in done and id(row) in first_of for row in rows]

    def _row(self, one: Start, at: float) -> dict[str, object]:
        if one.queue not in self.queues:
            raise NotFound(f"There is no queue {one.queue!r}; there are {', '.join(self.queues)}.")
        return {
            "id": _fit(one.id),
            "queue": one.queue,
            "name": one.name,
            "args": json.dumps(one.args, separators=(",", ":")),
            "partition": None if one.partition is None else _fit(one.partition),
            "state": READY,
            # A wait by the caller's clock, counted by the database's: the two may differ.
            "run_at": at + max(0.0, one.not_before.timestamp() - self.clock()) if one.not_before else at,
            "created_at": at,
        }

    def list(self, tx: Transaction, *, state: str | None = None, queue: str | None = None, limit: int = 50) -> list[Item]:
        """The newest items, of one state or queue if given."""
        query = select(work).order_by(work.c.seq.desc()).limit(limit)
        if state is not None:
            query = query.where(work.c.state == state)
        if queue is not None:
            query = query.where(work.c.queue == queue)
        columns = [name for name in Item.__dataclass_fields__ if name != "args"]
        return [
            Item(args=json.loads(row["args"]), **{name: row[name] for name in columns})
            for row in connection(tx).execute(query).mappings()
        ]

    def revive(self, tx: Transaction, id: str) -> bool:
        """Give a dead item all its tries again; False if there is no dead item of this id."""
        fresh = {"state": READY, "attempts": 0, "crashes": 0, "run_at": now(tx, self.clock), "finished_at": None}
        # Its patience begins anew too, hence created_at.
        fresh["created_at"] = fresh["run_at"]
        done = connection(tx).execute(update(work).where(work.c.id == _fit(id), work.c.state == DEAD).values(fresh))
        self.notify(tx)
        return done.rowcount == 1

    def purge(self, tx: Transaction, before: datetime) -> int:
        """Forget what was done before a time; dead, ready and running items stay. An id forgotten may run again."""
        query = delete(work).where(work.c.state == DONE, work.c.finished_at < before.timestamp())
        return connection(tx).execute(query).rowcount

    def counts(self, tx: Transaction) -> dict[tuple[str, str], int]:
        """How many items by (queue, state), done ones left out."""
        query = (
            select(work.c.queue, work.c.state, func.count())
            .where(work.c.state.in_((READY, RUNNING, DEAD)))
            .group_by(work.c.queue, work.c.state)
        )
        return {(queue, state): count for queue, state, count in connection(tx).execute(query)}

    def overdue(self, tx: Transaction) -> float:
        """Seconds that the most overdue ready item has waited past its time; 0 when none is due."""
        oldest = connection(tx).execute(select(func.min(work.c.run_at)).where(work.c.state == READY)).scalar_one()
        return 0.0 if oldest is None else max(0.0, now(tx, self.clock) - float(oldest))

    def notify(self, tx: Transaction) -> None:
        """Workers look for work: those of all replicas at the commit, on SQLite the one of this process now."""
        if connection(tx).dialect.name == "postgresql":
            connection(tx).execute(text(f"SELECT pg_notify('{CHANNEL}', '')"))
            if self.notified:
                return
        self.wake()  # before the commit, which is right on SQLite: the claim waits for the one writer, hence for this commit

    def wake(self) -> None:
        """Workers of this process look for work."""
        for wake in tuple(self._wake):
            wake()


def _fit(name: str) -> str:
    """A name that every database keeps: of bounded length, and still different where the whole name is."""
    plain = name.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 33]}~{hashlib.sha256(plain.encode()).hexdigest()[:32]}"


# Not `rowcount`: on PostgreSQL it says nothing about an insert whose key the database makes.
_INSERT = {
    "sqlite": sqlite.insert(work).on_conflict_do_nothing(index_elements=["id"]).returning(work.c.seq),
    "postgresql": postgresql.insert(work).on_conflict_do_nothing(index_elements=["id"]).returning(work.c.seq),
}
_INSERT_ALL = {
    "sqlite": sqlite.insert(work).on_conflict_do_nothing(index_elements=["id"]).returning(work.c.id),
    "postgresql": postgresql.insert(work).on_conflict_do_nothing(index_elements=["id"]).returning(work.c.id),
}
_KNOWN = select(work.c.id).where(work.c.id.in_(bindparam("ids", expanding=True)))
