"""Copies of documents that lie elsewhere, and how their sources are doing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Column, Integer, String, Table, Text, delete, select, update

from bot.domain.copy import Copy, Mark, SourceState
from bot.domain.document import Document
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Prose
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

CHUNK = 400  # values in one IN list

copies = Table(
    "copies",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("key", Key(255), primary_key=True),
    Column("ref", Prose, nullable=False),
    Column("version", Key(255), nullable=False),
    Column("slug", Prose, nullable=False),
    Column("size", Integer, nullable=False),
    Column("document", Prose, nullable=False),
    Column("used_at", UtcDateTime),
)
sources = Table(
    "sources",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("mark", String(100), nullable=False),
    Column("tried_at", UtcDateTime),
    Column("synced_at", UtcDateTime),
    Column("trouble", Text, nullable=False),
    Column("brought", Text, nullable=False),
)


class SqlCopyStore:
    """ports.CopyStore in SQL."""

    def marks(self, tx: Transaction, source: str) -> Mapping[str, Mark]:
        """What is kept of a source, by ref."""
        c = copies.c
        rows = sql(tx).execute(select(c.ref, c.version, c.slug, c.size).where(c.source == source))
        return {row.ref: Mark(row.version, row.slug, row.size) for row in rows}

    def documents(self, tx: Transaction, source: str) -> tuple[Document, ...]:
        """The documents of a source, each with its slug as its id, in the order of their slugs."""
        rows = sql(tx).execute(select(copies.c.document).where(copies.c.source == source).order_by(copies.c.slug, copies.c.key))
        return tuple(load(Document, row.document) for row in rows)

    def put(self, tx: Transaction, kept: Iterable[Copy]) -> None:
        """Insert or replace."""
        upsert(tx, copies, [_row(copy) for copy in kept])

    def used(self, tx: Transaction, source: str, ref: str, at: datetime) -> None:
        """Somebody linked to this copy now."""
        sql(tx).execute(update(copies).where(copies.c.source == source, copies.c.key == ref).values(used_at=at))

    def least_used(self, tx: Transaction, source: str) -> str | None:
        """The copy that nobody linked to for the longest time, by its ref; None if there is no copy."""
        mine = select(copies.c.ref).where(copies.c.source == source)
        return sql(tx).execute(mine.order_by(copies.c.used_at.is_not(None), copies.c.used_at, copies.c.key).limit(1)).scalar()

    def drop(self, tx: Transaction, source: str, refs: Collection[str]) -> None:
        """Forget these."""
        left = sorted(refs)
        for start in range(0, len(left), CHUNK):
            mine = (copies.c.source == source, copies.c.key.in_(left[start : start + CHUNK]))
            sql(tx).execute(delete(copies).where(*mine))

    def states(self, tx: Transaction) -> Mapping[str, SourceState]:
        """How each source is doing, by name."""
        rows = sql(tx).execute(select(sources)).mappings()
        return {row["name"]: SourceState(**row) for row in rows}

    def note(self, tx: Transaction, state: SourceState) -> None:
        """Insert or replace."""
        upsert(tx, sources, [{f.name: getattr(state, f.name) for f in fields(state)}])

    def only(self, tx: Transaction, names: Sequence[str]) -> None:
        """Forget every source but these, with its documents."""
        sql(tx).execute(delete(copies).where(copies.c.source.not_in(names)))
        sql(tx).execute(delete(sources).where(sources.c.name.not_in(names)))


def _row(copy: Copy) -> dict[str, object]:
    return {
        "source": copy.source,
        "key": copy.ref,
        "ref": copy.ref,
        "version": copy.version,
        "slug": copy.slug,
        "size": len(copy.document.text),
        "document": dump(copy.document),
    }
