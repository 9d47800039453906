"""Errands between the bot and its executors: one row each, changed by compare-and-set on the version."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from bot.domain.errand import QUESTION, Errand, ErrandKind, ErrandState, Presence
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

MOST_SEEN = 50
errands = Table(
    "errands",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("deployer", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("signature", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("taken_by", String(200), nullable=False),
    Column("taken_until", UtcDateTime),
    Column("answer", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "state", "created_at"),
    Index(None, "created_at"),
)
executors = Table(
    "executors",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("deployers", Text, nullable=False),
)


class SqlErrandStore:
    """ports.ErrandStore in SQL."""

    def post(self, tx: Transaction, errand: Errand) -> Errand:
        """What stands under its id: this one, or the one that was there before."""
        if (there := self.get(tx, errand.id)) is not None:
            return there
        try:
            with sql(tx).begin_nested():
                sql(tx).execute(insert(errands).values(**_values(errand)))
        except IntegrityError:
            return self.get(tx, errand.id) or errand
        return errand

    def get(self, tx: Transaction, id: str) -> Errand | None:
        """One errand."""
        row = sql(tx).execute(select(errands).where(errands.c.id == id)).mappings().first()
        return None if row is None else _errand(row)

    def free(self, tx: Transaction, now: datetime, deployers: Collection[str]) -> Errand | None:
        """The oldest for one of these deployers that an executor may take."""
        query = select(errands).where(_free(now), errands.c.deployer.in_(deployers)).order_by(errands.c.created_at).limit(1)
        row = sql(tx).execute(query).mappings().first()
        return None if row is None else _errand(row)

    def move(self, tx: Transaction, before: Errand, after: Errand) -> Errand | None:
        """`after` in place of `before`; None if somebody was faster."""
        unchanged = (errands.c.id == before.id) & (errands.c.version == before.version)
        done = sql(tx).execute(update(errands).where(unchanged).values(**_values(after)))
        return after if done.rowcount == 1 else None

    def drop(self, tx: Transaction, id: str) -> None:
        """A question that nobody waits for any more is gone; a start stays."""
        sql(tx).execute(delete(errands).where((errands.c.id == id) & errands.c.id.startswith(QUESTION, autoescape=True)))

    def see(self, tx: Transaction, presence: Presence) -> None:
        """An executor is there."""
        upsert(tx, executors, [{"name": presence.name, "seen_at": presence.seen_at, "deployers": dump(presence.deployers)}])

    def presences(self, tx: Transaction) -> tuple[Presence, ...]:
        """The executors that were heard of last, the latest first."""
        rows = sql(tx).execute(select(executors).order_by(executors.c.seen_at.desc()).limit(MOST_SEEN)).mappings()
        return tuple(Presence(r["name"], r["seen_at"], load(tuple[str, ...], r["deployers"])) for r in rows)

    def forget(self, tx: Transaction, before: datetime) -> int:
        """What is older is gone, executors that were not heard of since then too."""
        sql(tx).execute(delete(executors).where(executors.c.seen_at < before))
        return sql(tx).execute(delete(errands).where(errands.c.created_at < before)).rowcount

    def forget_questions(self, tx: Transaction, before: datetime) -> int:
        """Questions that are older are gone: whoever asked them is."""
        old = (errands.c.created_at < before) & errands.c.id.startswith(QUESTION, autoescape=True)
        return sql(tx).execute(delete(errands).where(old)).rowcount


def _free(now: datetime) -> ColumnElement[bool]:
    """Errand.free, in SQL."""
    unheld = or_(errands.c.taken_until.is_(None), errands.c.taken_until <= now)
    in_time = and_(errands.c.state.in_([ErrandState.WAITING.value, ErrandState.TAKEN.value]), errands.c.expires_at > now)
    return and_(unheld, or_(in_time, errands.c.state == ErrandState.BEGUN.value))


def _values(errand: Errand) -> dict[str, object]:
    return {name: getattr(errand, name) for name in errand.__slots__} | {"kind": errand.kind.value, "state": errand.state.value}


def _errand(row: RowMapping) -> Errand:
    return Errand(**{**row, "kind": ErrandKind(row["kind"]), "state": ErrandState(row["state"])})
