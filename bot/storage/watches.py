"""What is remembered of watched metrics, what was warned of, and deployments that settle in."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Boolean, Column, Index, String, Table, Text, delete, func, select

from bot.domain.watch import Bake, Warned, Watched
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

MOST = 1000  # warnings or bakes that are read at once

series = Table(
    "watched_series",
    metadata,
    Column("service", Key(200), primary_key=True),
    Column("metric", Key(255), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("body", Text, nullable=False),
)
warned = Table(
    "warnings",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_warnings_at", warned.c.at)
Index("ix_warnings_open", warned.c.id, sqlite_where=warned.c.open, postgresql_where=warned.c.open)
baking = Table(
    "bakes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_bakes_began_at", baking.c.began_at)
Index("ix_bakes_active", baking.c.id, sqlite_where=baking.c.active, postgresql_where=baking.c.active)


class SqlWatchStore:
    """ports.WatchStore in SQL."""

    def states(self, tx: Transaction, services: Collection[str] = ()) -> tuple[Watched, ...]:
        """The series of these services, or all, by service and metric."""
        query = select(series.c.body).order_by(series.c.service, series.c.metric)
        if services:
            query = query.where(series.c.service.in_(sorted(services)))
        return tuple(load(Watched, body) for body in sql(tx).execute(query).scalars())

    def keep(self, tx: Transaction, watched: Iterable[Watched]) -> None:
        """Insert or replace."""
        rows = [{"service": w.service, "metric": w.metric, "at": w.at, "body": dump(w)} for w in watched]
        upsert(tx, series, rows)

    def count(self, tx: Transaction) -> int:
        """How many series are watched."""
        return int(sql(tx).execute(select(func.count()).select_from(series)).scalar_one())

    def reset(self, tx: Transaction, service: str = "", metric: str = "") -> int:
        """Forget what was learned: of one series, one service, or all. How many series."""
        unwanted = delete(series)
        if service:
            unwanted = unwanted.where(series.c.service == service)
        if metric:
            unwanted = unwanted.where(series.c.metric == metric)
        return sql(tx).execute(unwanted).rowcount

    def warn(self, tx: Transaction, warned_of: Iterable[Warned]) -> None:
        """Insert or replace by id."""
        upsert(tx, warned, [{"id": w.id, "at": w.at, "open": w.ended_at is None, "body": dump(w)} for w in warned_of])

    def warnings(self, tx: Transaction, since: datetime | None = None) -> tuple[Warned, ...]:
        """Those that are not over, or with `since` those that began since then, the newest first."""
        query = select(warned.c.body).order_by(warned.c.at.desc(), warned.c.id.desc()).limit(MOST)
        query = query.where(warned.c.open) if since is None else query.where(warned.c.at >= since)
        return tuple(load(Warned, body) for body in sql(tx).execute(query).scalars())

    def bake(self, tx: Transaction, bakes: Iterable[Bake]) -> None:
        """Insert or replace by id."""
        upsert(tx, baking, [{"id": b.id, "began_at": b.began_at, "active": b.active, "body": dump(b)} for b in bakes])

    def bakes(self, tx: Transaction, since: datetime | None = None) -> tuple[Bake, ...]:
        """Those that are still looked at, or with `since` those that began since then, the newest first."""
        query = select(baking.c.body).order_by(baking.c.began_at.desc(), baking.c.id.desc()).limit(MOST)
        query = query.where(baking.c.active) if since is None else query.where(baking.c.began_at >= since)
        return tuple(load(Bake, body) for body in sql(tx).execute(query).scalars())

    def forget(self, tx: Transaction, before: datetime) -> int:
        """Delete series without a point since then, and warnings and bakes that were over before it. How many series."""
        gone = sql(tx).execute(delete(series).where(series.c.at < before)).rowcount
        sql(tx).execute(delete(warned).where(warned.c.at < before, ~warned.c.open))
        sql(tx).execute(delete(baking).where(baking.c.began_at < before, ~baking.c.active))
        return gone
