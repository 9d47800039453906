"""Locks on services and environments; every write is compare-and-set, and one whose time is over is as good as none."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Integer, String, Table, Text, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.lock import Lock
from bot.ports import Transaction
from bot.storage.database import UtcDateTime, metadata, sql

locks = Table(
    "locks",
    metadata,
    Column("service", String(200), primary_key=True),
    Column("environment", String(100), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
)


class SqlLockStore:
    """ports.LockStore in SQL."""

    def get(self, tx: Transaction, service: str, environment: str) -> Lock | None:
        """The lock that stands there, also one whose time is over."""
        there = (locks.c.service == service) & (locks.c.environment == environment)
        row = sql(tx).execute(select(locks).where(there)).mappings().first()
        return None if row is None else Lock(**row)

    def held(self, tx: Transaction, now: datetime) -> tuple[Lock, ...]:
        """All that have not ended, by environment and service."""
        query = select(locks).where(locks.c.until > now).order_by(locks.c.environment, locks.c.service)
        return tuple(Lock(**row) for row in sql(tx).execute(query).mappings())

    def put(self, tx: Transaction, before: Lock | None, after: Lock) -> Lock | None:
        """`after` in place of `before` (None: of nothing) if nobody was faster; else None."""
        kept = replace(after, version=before.version + 1 if before else 1)
        values = {name: getattr(kept, name) for name in kept.__slots__}
        if before is not None:
            done = sql(tx).execute(update(locks).where(_unchanged(before)).values(**values))
            return kept if done.rowcount == 1 else None
        try:
            with sql(tx).begin_nested():
                sql(tx).execute(insert(locks).values(**values))
        except IntegrityError:
            return None
        return kept

    def drop(self, tx: Transaction, lock: Lock) -> bool:
        """The lock is gone; False if it was changed meanwhile."""
        return sql(tx).execute(delete(locks).where(_unchanged(lock))).rowcount == 1


def _unchanged(lock: Lock) -> ColumnElement[bool]:
    return (locks.c.service == lock.service) & (locks.c.environment == lock.environment) & (locks.c.version == lock.version)
