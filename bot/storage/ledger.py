"""The audit trail: append-only, every line chained to the one before by its hash (see `chain`).

Who did it and what a line tells in detail stand apart from the line, each salted and hashed into it, so that a person can be
erased later and the chain still verifies: the rest of the line (when, which deed, which subject) stays under the hash.

Lines that were written before the schema 0002 had the person's id under the hash itself, so without the id that hash cannot
be computed again. When the schema was upgraded, each of them got a `seal`: a hash over its facts with a salted digest in
place of the person, and over its old hash. One line, "sealed", then took the hash of all seals as its subject. So an old line
is checked in three ways: its old hash by the person as long as the person is known, its seal by its facts for good, and all
seals by the line "sealed", which is chained like any other. Old hashes, and heads that were posted, stay what they were.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Column, ForeignKey, Integer, RowMapping, String, Table, Text

from bot.domain.interaction import LedgerEntry
from bot.ports import Transaction
from bot.storage.chain import Chain, Part, line_hash, random_salt
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql

lines = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),  # the digest of `ledger_actor.name`
    Column("deed", String(100), nullable=False),
    Column("subject", String(64), nullable=False, index=True),
    Column("content", String(64), nullable=False),  # the digest of `ledger_content.detail`
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("seal", String(64), nullable=False),  # "" but for lines of the older form
)
contents = Table(
    "ledger_content",
    metadata,
    Column("seq", Integer, ForeignKey("ledger.seq"), primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
    Column("detail", Text, nullable=False),
)
actors = Table(
    "ledger_actor",
    metadata,
    Column("seq", Integer, ForeignKey("ledger.seq"), primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
    Column("name", String(200), nullable=False, index=True),
)
ERASED = "[erased]"  # stands in an entry for a person who was
SEALED = "sealed"
CHAIN = Chain(
    lines,
    facts=("seq", "at", "actor", "deed", "subject", "content", "previous"),
    parts=(Part(actors, "name", "actor"), Part(contents, "detail", "content")),
    tag="audit",
)


class SqlLedger:
    """ports.Ledger in SQL; one writer at a time over all replicas."""

    def __init__(self, salt: Callable[[], str] = random_salt) -> None:
        self._salt = salt

    def append(self, tx: Transaction, at: datetime, actor: str, deed: str, subject: str, detail: Mapping[str, str]) -> None:
        """Write one line."""
        CHAIN.append(
            sql(tx),
            {"at": at, "deed": deed, "subject": subject},
            {"actor": actor, "content": dump(dict(detail))},
            unchained={"seal": ""},
            salt=self._salt,
        )

    def entries(self, tx: Transaction, subject: str | None = None) -> tuple[LedgerEntry, ...]:
        """The lines of one subject, or all, oldest first; an erased detail is empty, an erased person is ERASED."""
        found = CHAIN.everything()
        if subject is not None:
            found = found.where(lines.c.subject == subject)
        return tuple(
            LedgerEntry(
                seq=row["seq"],
                at=row["at"],
                actor=ERASED if row["actor_told"] is None else row["actor_told"],
                deed=row["deed"],
                subject=row["subject"],
                detail=load(dict[str, str], row["content_told"]) if row["content_told"] is not None else {},
                previous=row["previous"],
                hash=row["hash"],
            )
            for row in sql(tx).execute(found).mappings()
        )

    def head(self, tx: Transaction) -> tuple[int, str]:
        """How many lines there are, and the hash of the last one."""
        return CHAIN.head(sql(tx))

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line whose hash does not fit, or None if the chain is whole.

        A missing line is reported as the seq that is missing.
        """
        reading = _Reading()
        broken = CHAIN.broken_at(sql(tx), reading.fits)
        return self.head(tx)[0] + 1 if broken is None and reading.unsealed else broken


def seal(row: Mapping[str, object], actor: str) -> str:
    """What stands for an old line for good: its facts, with the digest of its person, and its old hash."""
    names = ("seq", "at", "deed", "subject", "content", "previous", "hash")
    return line_hash(["audit seal", actor, *(row[name] for name in names)])


class _Reading:
    """One pass through the lines: old ones come first, then the line that sealed them, then only new ones."""

    def __init__(self) -> None:
        self._seals = hashlib.sha256()
        self._sealed = False
        self.unsealed = 0

    def fits(self, row: RowMapping) -> bool:
        if row["seal"]:
            self._seals.update(row["seal"].encode())
            self.unsealed += 1
            return not self._sealed and self._old_line_fits(row)
        if self.unsealed and (row["deed"], row["subject"]) != (SEALED, self._seals.hexdigest()):
            return False
        self._sealed, self.unsealed = True, 0
        return CHAIN.hash_fits(row)

    @staticmethod
    def _old_line_fits(row: RowMapping) -> bool:
        if row["seal"] != seal(dict(row), row["actor"]):
            return False
        names = ("seq", "at", "actor_told", "deed", "subject", "content", "previous")
        return row["actor_told"] is None or row["hash"] == line_hash([row[name] for name in names])
