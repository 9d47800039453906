"""Incidents, written by compare-and-set on their version, and their timelines."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.errors import Outrun
from bot.ports import Transaction
from bot.storage.bulk import execute_many
from bot.storage.codec import dump, load
from bot.storage.columns import Prose, Short
from bot.storage.database import UtcDateTime, metadata, sql

MOST_KNOWN = 256  # incidents that need not be read from their JSON again ...
SMALL = 8_000  # ... each of at most so many characters
LIVE = (Status.OPEN.value, Status.ACKNOWLEDGED.value)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("status", String(20), nullable=False, index=True),
    Column("service", Short(200), nullable=False),
    Column("environment", Short(100), nullable=False),
    Column("severity", String(4), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
)
timeline = Table(
    "timeline",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("incident_id", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("text", Prose, nullable=False),
    Column("by", Short(100), nullable=False),
)
Index("ix_timeline_incident_id_at", timeline.c.incident_id, timeline.c.at, timeline.c.id)
_INSERT = insert(timeline)


class SqlIncidentStore:
    """ports.IncidentStore in SQL."""

    def save(self, tx: Transaction, incident: Incident) -> Incident:
        """Insert (version 0) or replace; returns it with the next version. Raises Outrun if somebody was faster."""
        return self.save_all(tx, [incident])[0]

    def save_all(self, tx: Transaction, kept: Sequence[Incident]) -> tuple[Incident, ...]:
        """`save` for each of many, which are different ones."""
        saved = tuple(replace(incident, version=incident.version + 1) for incident in kept)
        fresh = [{"id": one.id, "number": one.number, **_columns(one)} for one in saved if one.version == 1]
        again = [{**_columns(one), "this": one.id, "seen": one.version - 1} for one in saved if one.version > 1]
        try:
            execute_many(tx, _NEW, fresh)
        except IntegrityError as error:
            raise Outrun(f"{_keys(saved, new=True)} exists already; read it again and retry.") from error
        if execute_many(tx, _REPLACE, again) != len(again):
            changed = _keys(saved, new=False)
            raise Outrun(f"{changed} was changed by somebody else just now; look at it again and retry.")
        return saved

    def get(self, tx: Transaction, id: str) -> Incident | None:
        """By internal id, or by people's "INC-42"."""
        digits = id[4:] if id[:4].upper() == "INC-" else ""
        by_number = digits.isascii() and digits.isdigit() and len(digits) < 10
        found = sql(tx).execute(_NUMBERED, {"number": int(digits)}) if by_number else sql(tx).execute(_CALLED, {"id": id})
        body = found.scalar_one_or_none()
        return None if body is None else _read(body)

    def live(self, tx: Transaction, resolved_since: datetime | None = None, *, hold: bool = False) -> tuple[Incident, ...]:
        """Open and acknowledged ones, oldest first, with those resolved since a time if given (never closed ones).

        With `hold` nobody else changes them until this transaction ends: a large batch would be outrun for ever otherwise.
        """
        wanted = _LIVE[resolved_since is not None, hold]
        values = {} if resolved_since is None else {"since": resolved_since}
        return tuple(_read(body) for body in sql(tx).execute(wanted, values).scalars())

    def recent(self, tx: Transaction, limit: int = 20) -> tuple[Incident, ...]:
        """The newest, whatever their status."""
        found = select(incidents.c.body).order_by(incidents.c.number.desc()).limit(limit)
        return tuple(_read(body) for body in sql(tx).execute(found).scalars())

    def next_number(self, tx: Transaction) -> int:
        """One more than the highest number so far."""
        return (sql(tx).execute(select(func.max(incidents.c.number))).scalar() or 0) + 1


_CALLED = select(incidents.c.body).where(incidents.c.id == bindparam("id"))
_NUMBERED = select(incidents.c.body).where(incidents.c.number == bindparam("number"))
_OPEN = or_(*[incidents.c.status == status for status in LIVE])
_JUST_RESOLVED = (incidents.c.status == Status.RESOLVED.value) & (incidents.c.resolved_at >= bindparam("since"))


def _live(*, since: bool, hold: bool) -> Select[str]:
    wanted = or_(_OPEN, _JUST_RESOLVED) if since else _OPEN
    found = select(incidents.c.body).where(wanted).order_by(incidents.c.opened_at, incidents.c.number)
    return found.with_for_update() if hold else found


_LIVE = {(since, hold): _live(since=since, hold=hold) for since in (False, True) for hold in (False, True)}
_NEW = insert(incidents)
_REPLACE = update(incidents).where(incidents.c.id == bindparam("this"), incidents.c.version == bindparam("seen"))


def _read(body: str) -> Incident:
    return _known(body) if len(body) <= SMALL else load(Incident, body)


@lru_cache(maxsize=MOST_KNOWN)
def _known(body: str) -> Incident:
    """Every batch of alerts reads all incidents that are open, and most of them did not change since the last one."""
    return load(Incident, body)


def _keys(saved: Iterable[Incident], *, new: bool) -> str:
    return " or ".join(one.key for one in saved if (one.version == 1) is new)


def _columns(incident: Incident) -> dict[str, object]:
    return {
        "status": incident.status.value,
        "service": incident.service,
        "environment": incident.environment,
        "severity": incident.severity.value,
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "version": incident.version,
        "body": dump(incident),
    }


class SqlTimelineStore:
    """ports.TimelineStore in SQL."""

    def add(self, tx: Transaction, entries: Iterable[Entry]) -> None:
        """Keep entries."""
        rows = [{"incident_id": e.incident_id, "at": e.at, "kind": e.kind.value, "text": e.text, "by": e.by} for e in entries]
        execute_many(tx, _INSERT, rows)

    def of(self, tx: Transaction, incident_id: str) -> tuple[Entry, ...]:
        """The entries of one incident, oldest first."""
        mine = select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.at, timeline.c.id)
        return tuple(Entry(r.incident_id, r.at, EntryKind(r.kind), r.text, r.by) for r in sql(tx).execute(mine))
