"""The audit trail: append-only, every line chained to the one before by its hash (see `chain`).

Who did it and what a line tells in detail stand apart from the line, each salted and hashed into it, so that a person can be
erased later and the chain still verifies: the rest of the line (when, which deed, which subject) stays under the hash.

Lines that were written before the schema 0002 had the person's id under the hash itself, so without the id that hash cannot
be computed again. When the schema was upgraded, each of them got a `seal`: a hash over its facts with a salted digest in
place of the person, and over its old hash. One line, "sealed", then took the hash of all seals as its subject. So an old line
is checked in three ways: its old hash by the person as long as the person is known, its seal by its facts for good, and all
seals by the line "sealed", which is chained like any other. Old hashes, and heads that were posted, stay what they were.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Column, ForeignKey, Integer, RowMapping, String, Table, Text, func, select

from bot.domain.audit import TAG, AuditLine, Check, Head, Misfit
from bot.domain.interaction import LedgerEntry
from bot.ports import Transaction
from bot.storage.chain import Chain, Part, random_salt
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
CHAIN = Chain(
    lines,
    facts=("seq", "at", "actor", "deed", "subject", "content", "previous"),
    parts=(Part(actors, "name", "actor"), Part(contents, "detail", "content")),
    tag=TAG,
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

    def lines(self, tx: Transaction, first: int = 1, last: int | None = None) -> Iterator[AuditLine]:
        """The lines from one number to another, oldest first, a batch in memory at a time."""
        return map(_line, CHAIN.walk(sql(tx), first, last))

    def about(self, tx: Transaction, subject: str) -> tuple[AuditLine, ...]:
        """The lines of one subject, oldest first."""
        return tuple(map(_line, sql(tx).execute(CHAIN.everything().where(lines.c.subject == subject)).mappings()))

    def span(self, tx: Transaction, since: datetime | None = None, until: datetime | None = None) -> tuple[int, int]:
        """The first and the last line of a span of time, `until` excluded; what was written between them lies between.

        (1, 0) where there is none.
        """
        found = select(func.min(lines.c.seq), func.max(lines.c.seq))
        found = found if since is None else found.where(lines.c.at >= since)
        found = found if until is None else found.where(lines.c.at < until)
        first, last = sql(tx).execute(found).one()
        return (first, last) if first is not None else (1, 0)

    def done(self, tx: Transaction, deed: str, since: datetime) -> Iterator[tuple[str, datetime]]:
        """The subjects of a deed and when it was done, since a time, oldest first."""
        mine = select(lines.c.subject, lines.c.at).where(lines.c.deed == deed, lines.c.at >= since).order_by(lines.c.seq)
        return ((row.subject, row.at) for row in sql(tx).execute(mine))

    def misfit(self, tx: Transaction, heads: tuple[Head, ...] = ()) -> Misfit | None:
        """The first line that does not fit, also not with the heads that were kept outside; None if the chain is whole."""
        check = Check(heads)
        for line in self.lines(tx):
            if (found := check.next(line)) is not None:
                return found
        return check.end()

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line that does not fit, or None if the chain is whole.

        A missing line is reported as the seq that is missing.
        """
        found = self.misfit(tx)
        return found.seq if found else None


def _line(row: RowMapping) -> AuditLine:
    return AuditLine(
        seq=row["seq"],
        at=row["at"],
        deed=row["deed"],
        subject=row["subject"],
        actor=row["actor_told"],
        actor_salt=row["actor_salt"],
        actor_digest=row["actor"],
        detail=row["content_told"],
        detail_salt=row["content_salt"],
        detail_digest=row["content"],
        previous=row["previous"],
        hash=row["hash"],
        seal=row["seal"],
    )
