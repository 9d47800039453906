"""Who was seen calling whom, by which source, since when; and what passed between services minute by minute."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Boolean, Column, Float, Index, Integer, Table, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.topology import CallMinute, KnownCall, SeenCall
from bot.ports import Transaction
from bot.storage.columns import Key, Short
from bot.storage.database import UtcDateTime, metadata, sql

MOST = 20_000  # calls that are read at once
MOST_MINUTES = 40_000
CHUNK = 400  # services that are asked for at once

calls = Table(
    "known_calls",
    metadata,
    Column("caller", Key(200), primary_key=True),
    Column("callee", Key(200), primary_key=True),
    Column("source", Short(40), primary_key=True),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("calls", Float, nullable=False),
    Column("errors", Float, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("external", Boolean, nullable=False),
)
Index("ix_known_calls_last_seen", calls.c.last_seen)
minutes = Table(
    "call_minutes",
    metadata,
    Column("at", UtcDateTime, primary_key=True),
    Column("caller", Key(200), primary_key=True),
    Column("callee", Key(200), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("total_ms", Float, nullable=False),
    Column("external", Boolean, nullable=False),
)
_COUNTS = ("calls", "errors", "total_ms")


class SqlTopologyStore:
    """ports.TopologyStore in SQL."""

    def saw(self, tx: Transaction, source: str, seen: Sequence[SeenCall], at: datetime) -> None:
        """A source saw these calls now; since when it knows each stays as it was."""
        rows = {
            (one.caller, one.callee): {
                "caller": one.caller, "callee": one.callee, "source": source, "first_seen": at, "last_seen": at,
                "calls": one.calls, "errors": one.errors, "latency_ms": one.latency_ms, "external": one.external,
            }
            for one in seen
        }  # fmt: skip
        insert = _inserting(tx, calls)
        news = {name: insert.excluded[name] for name in ("last_seen", "calls", "errors", "latency_ms", "external")}
        keep = insert.on_conflict_do_update(index_elements=["caller", "callee", "source"], set_=news)
        if rows:
            sql(tx).execute(keep, list(rows.values()))

    def known(self, tx: Transaction, since: datetime | None = None) -> tuple[KnownCall, ...]:
        """The calls that some source saw since a time, or ever; the latest first."""
        found = select(calls).order_by(calls.c.last_seen.desc(), calls.c.caller, calls.c.callee, calls.c.source).limit(MOST)
        if since is not None:
            found = found.where(calls.c.last_seen >= since)
        return tuple(KnownCall(**row) for row in sql(tx).execute(found).mappings())

    def add(self, tx: Transaction, counted: Sequence[CallMinute]) -> None:
        """Counts of minutes, added to what is there of them already: replicas and late spans tell of one minute several times."""
        rows: dict[tuple[datetime, str, str], CallMinute] = {}
        for one in counted:
            key = (one.at, one.caller, one.callee)
            rows[key] = _sum(rows[key], one) if key in rows else one
        insert = _inserting(tx, minutes)
        more = {name: minutes.c[name] + insert.excluded[name] for name in _COUNTS}
        keep = insert.on_conflict_do_update(
            index_elements=["at", "caller", "callee"], set_={**more, "external": insert.excluded.external}
        )
        if rows:
            sql(tx).execute(keep, [{name: getattr(one, name) for name in one.__slots__} for one in rows.values()])

    def minutes(self, tx: Transaction, start: datetime, end: datetime, services: Collection[str]) -> tuple[CallMinute, ...]:
        """What passed from and to these services in the minutes that begin from `start` to before `end`, oldest first."""
        named = list(services)[:CHUNK]
        near = or_(minutes.c.caller.in_(named), minutes.c.callee.in_(named))
        found = select(minutes).where(minutes.c.at >= start, minutes.c.at < end, near)
        found = found.order_by(minutes.c.at, minutes.c.caller, minutes.c.callee).limit(MOST_MINUTES)
        return tuple(CallMinute(**row) for row in sql(tx).execute(found).mappings())

    def totals(self, tx: Transaction, start: datetime, end: datetime) -> tuple[CallMinute, ...]:
        """What passed between all services in these minutes together, as if it were one minute at `start`."""
        counted = [func.sum(minutes.c[name]).label(name) for name in _COUNTS]
        outside = func.min(minutes.c.external.cast(Integer)).label("external")
        found = (
            select(minutes.c.caller, minutes.c.callee, *counted, outside)
            .where(minutes.c.at >= start, minutes.c.at < end)
            .group_by(minutes.c.caller, minutes.c.callee)
            .order_by(minutes.c.caller, minutes.c.callee)
            .limit(MOST)
        )
        return tuple(
            CallMinute(start, r.caller, r.callee, int(r.calls), int(r.errors), float(r.total_ms), bool(r.external))
            for r in sql(tx).execute(found)
        )

    def forget(self, tx: Transaction, before: datetime) -> int:
        """Calls that nobody saw since then are forgotten, and those that so many are newer than that they are never read.

        How many those were: names that change all the time do not fill a database.
        """
        oldest = sql(tx).execute(select(calls.c.last_seen).order_by(calls.c.last_seen.desc()).offset(MOST).limit(1)).scalar()
        unread = max(before, oldest) if oldest else before
        return sql(tx).execute(delete(calls).where(calls.c.last_seen < unread)).rowcount

    def forget_minutes(self, tx: Transaction, before: datetime) -> int:
        """Minutes before then are forgotten; how many rows those were."""
        return sql(tx).execute(delete(minutes).where(minutes.c.at < before)).rowcount


def _inserting(tx: Transaction, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if sql(tx).dialect.name == "postgresql" else sqlite.insert(table)


def _sum(a: CallMinute, b: CallMinute) -> CallMinute:
    return CallMinute(a.at, a.caller, a.callee, a.calls + b.calls, a.errors + b.errors, a.total_ms + b.total_ms, b.external)
