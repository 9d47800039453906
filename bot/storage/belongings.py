"""What people said of which problems belong together, and what they merged and split."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Boolean, Column, Index, Select, String, Table, Text, delete, or_, select, update

from bot.domain.belonging import Belonging, Regrouping
from bot.ports import Transaction
from bot.storage.alerts import alerts, problems
from bot.storage.bulk import DIALECTS, among, listed
from bot.storage.codec import dump, load
from bot.storage.columns import Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

CHUNK = 400  # values in one IN list

belongings = Table(
    "belongings",
    metadata,
    Column("first", String(16), primary_key=True),
    Column("second", String(16), primary_key=True, index=True),
    Column("deed", String(64), primary_key=True, index=True),
    Column("related", Boolean, nullable=False),
    Column("by", Short(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
regroupings = Table(
    "regroupings",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source_id", String(64), nullable=False),
    Column("target_id", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
    Column("body", Text, nullable=False),
)
Index("ix_regroupings_source_id", regroupings.c.source_id)
Index("ix_regroupings_target_id", regroupings.c.target_id)


def _said(dialect: str) -> Select[Any]:
    mine = (among("mine", one, dialect) for one in (belongings.c.first, belongings.c.second))
    return select(belongings).where(or_(*mine))


_SAID = {dialect: _said(dialect) for dialect in DIALECTS}


class SqlBelongingStore:
    """ports.BelongingStore in SQL."""

    def said(self, tx: Transaction, fingerprints: Collection[str]) -> tuple[Belonging, ...]:
        """All that was said of any of these problems, oldest first."""
        found: dict[tuple[str, str, str], Belonging] = {}
        for row in sql(tx).execute(_SAID[sql(tx).dialect.name], {"mine": listed(fingerprints)}):
            word = Belonging(row.first, row.second, row.related, row.by, row.at, row.deed)
            found[row.first, row.second, row.deed] = word
        return tuple(sorted(found.values(), key=lambda word: (word.at, word.first, word.second)))

    def say(self, tx: Transaction, words: Iterable[Belonging]) -> None:
        """Keep what was said."""
        names = ("first", "second", "deed", "related", "by", "at")
        upsert(tx, belongings, [{name: getattr(word, name) for name in names} for word in words])

    def take_back(self, tx: Transaction, deed: str) -> None:
        """Forget what was said by this deed."""
        sql(tx).execute(delete(belongings).where(belongings.c.deed == deed))

    def keep(self, tx: Transaction, regrouping: Regrouping) -> None:
        """Insert or replace."""
        row = {
            "id": regrouping.id,
            "source_id": regrouping.source_before.id,
            "target_id": regrouping.target_id,
            "at": regrouping.at,
            "undone_at": regrouping.undone_at,
            "body": dump(regrouping),
        }
        upsert(tx, regroupings, [row])

    def latest(self, tx: Transaction, incident_id: str) -> Regrouping | None:
        """The newest that this incident gave or took problems by, undone ones left out."""
        mine = or_(regroupings.c.source_id == incident_id, regroupings.c.target_id == incident_id)
        standing = select(regroupings.c.body).where(mine, regroupings.c.undone_at.is_(None))
        body = sql(tx).execute(standing.order_by(regroupings.c.at.desc(), regroupings.c.id.desc()).limit(1)).scalar()
        return None if body is None else load(Regrouping, body)

    def rehome(self, tx: Transaction, fingerprints: Collection[str], source: str, target: str) -> None:
        """Problems of one incident, and the alert events that told of them there, belong to another from now on."""
        for some in _chunks(fingerprints):
            for table in (problems, alerts):
                theirs = (table.c.fingerprint.in_(some), table.c.incident_id == source)
                sql(tx).execute(update(table).where(*theirs).values(incident_id=target))


def _chunks(values: Collection[str]) -> Iterator[list[str]]:
    left = iter(sorted(values))
    while some := list(islice(left, CHUNK)):
        yield some
