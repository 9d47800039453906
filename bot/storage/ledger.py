"""The audit trail: append-only, every line chained to the one before by its hash.

What a line tells in detail stands apart, salted and hashed into the line, so that it can be erased later without breaking the
chain. A cut-off end does not show from inside; the head (`entries()[-1].hash`) must be kept elsewhere for that.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Column, ForeignKey, Integer, Row, String, Table, Text, insert, select, text

from bot.domain.interaction import LedgerEntry
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql

lines = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("deed", String(100), nullable=False),
    Column("subject", String(64), nullable=False, index=True),
    Column("content", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
contents = Table(
    "ledger_content",
    metadata,
    Column("seq", Integer, ForeignKey("ledger.seq"), primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
    Column("detail", Text, nullable=False),
)
ONE_WRITER = 7_417_001  # the advisory lock under which replicas append on PostgreSQL; any constant of ours will do


def _random_salt() -> str:
    return secrets.token_hex(16)


class SqlLedger:
    """ports.Ledger in SQL; one writer at a time over all replicas."""

    def __init__(self, salt: Callable[[], str] = _random_salt) -> None:
        self._salt = salt

    def append(self, tx: Transaction, at: datetime, actor: str, deed: str, subject: str, detail: Mapping[str, str]) -> None:
        """Write one line."""
        connection = sql(tx)
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_WRITER})
        last = connection.execute(select(lines.c.seq, lines.c.hash).order_by(lines.c.seq.desc()).limit(1)).first()
        seq, previous = (last.seq + 1, last.hash) if last else (1, "")
        salt, body = self._salt(), dump(dict(detail))
        content = _content_hash(salt, body)
        digest = _line_hash(seq, at, actor, deed, subject, content, previous)
        connection.execute(
            insert(lines).values(
                seq=seq,
                at=at,
                actor=actor,
                deed=deed,
                subject=subject,
                content=content,
                previous=previous,
                hash=digest,
            )
        )
        connection.execute(insert(contents).values(seq=seq, salt=salt, detail=body))

    def entries(self, tx: Transaction, subject: str | None = None) -> tuple[LedgerEntry, ...]:
        """The lines of one subject, or all, oldest first; an erased detail is empty."""
        found = select(lines, contents.c.detail).outerjoin(contents).order_by(lines.c.seq)
        if subject is not None:
            found = found.where(lines.c.subject == subject)
        return tuple(
            LedgerEntry(
                seq=row.seq,
                at=row.at,
                actor=row.actor,
                deed=row.deed,
                subject=row.subject,
                detail=load(dict[str, str], row.detail) if row.detail is not None else {},
                previous=row.previous,
                hash=row.hash,
            )
            for row in sql(tx).execute(found)
        )

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line whose hash does not fit, or None if the chain is whole.

        A missing line is reported as the seq that is missing.
        """
        found = select(lines, contents.c.salt, contents.c.detail).outerjoin(contents).order_by(lines.c.seq)
        expected, previous = 1, ""
        for row in sql(tx).execute(found):
            if row.seq != expected:
                return expected
            if not _fits(row, previous):
                return expected
            expected, previous = row.seq + 1, row.hash
        return None


def _fits(row: Row[tuple[object, ...]], previous: str) -> bool:
    line = _line_hash(row.seq, row.at, row.actor, row.deed, row.subject, row.content, row.previous)
    told = row.detail is None or _content_hash(row.salt, row.detail) == row.content
    return bool(told and row.previous == previous and row.hash == line)


def _content_hash(salt: str, body: str) -> str:
    return hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()


def _line_hash(seq: int, at: datetime, actor: str, deed: str, subject: str, content: str, previous: str) -> str:
    when = at.astimezone(UTC).isoformat(timespec="microseconds")
    parts = [seq, when, actor, deed, subject, content, previous]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
