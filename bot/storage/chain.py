"""Append-only lines, each chained to the one before by its hash; what is told of a person stands apart and can be erased.

A line holds facts and, for each part that is told apart, the salted digest of that part. The parts lie in tables of their
own, one row per line: delete the row, salt included, and nobody can find out what stood there, not even by guessing, while
the line and so the whole chain still verify. The audit (`ledger`) and the journal are two chains of this code.

The format is for good, because heads of chains are kept outside: a line's hash is sha256 over the compact JSON list of a
tag and the line's facts in the order of `Chain.facts`, times as UTC ISO 8601 with microseconds; a part's digest is sha256
over salt, newline, text. A cut-off end does not show from inside; for that the head (`head`) must be kept elsewhere.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Column, Connection, RowMapping, Select, Table, insert, select

from bot.domain.chain import line_hash, part_digest
from bot.ports import Transaction
from bot.storage.database import alone

__all__ = ["Chain", "Part", "line_hash", "part_digest", "random_salt"]

ONE_WRITER = 7_417_001  # the advisory lock under which replicas append to any chain on PostgreSQL; any constant of ours will do

BATCH = 500  # lines read at once when all are checked


def random_salt() -> str:
    """128 bits that nobody can guess."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is told apart: a table of `seq`, `salt` and the text; the line holds its digest in `digest`."""

    table: Table
    told: str  # the column of the text in `table`
    digest: str  # the column of the digest in the lines


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain. `lines` has `seq`, `previous`, `hash`, the facts and a digest for each part; `facts` are what is hashed."""

    lines: Table
    facts: tuple[str, ...]
    parts: tuple[Part, ...]
    tag: str

    def lock(self, connection: Connection) -> None:
        """From here to the end of the transaction nobody else appends to any chain."""
        alone(cast(Transaction, connection), ONE_WRITER)

    def append(
        self,
        connection: Connection,
        facts: Mapping[str, object],
        told: Mapping[str, str],
        *,
        unchained: Mapping[str, object] | None = None,
        salt: Callable[[], str] = random_salt,
    ) -> int:
        """Write one line and its parts (by the name of their digest); returns its seq. `unchained` columns are not hashed."""
        self.lock(connection)
        count, previous = self.head(connection)
        salts = {part.digest: salt() for part in self.parts}
        digests = {name: part_digest(salts[name], told[name]) for name in salts}
        line: dict[str, object] = {**facts, **digests, "seq": count + 1, "previous": previous}
        digest = line_hash([self.tag, *(line[name] for name in self.facts)])
        connection.execute(insert(self.lines).values(**line, **(unchained or {}), hash=digest))
        for part in self.parts:
            row = {"seq": count + 1, "salt": salts[part.digest], part.told: told[part.digest]}
            connection.execute(insert(part.table).values(row))
        return count + 1

    def head(self, connection: Connection) -> tuple[int, str]:
        """How many lines there are and the hash of the last one; (0, "") for none."""
        newest = select(self.lines.c.seq, self.lines.c.hash).order_by(self.lines.c.seq.desc()).limit(1)
        last = connection.execute(newest).first()
        return (last.seq, last.hash) if last else (0, "")

    def broken_at(self, connection: Connection) -> int | None:
        """The seq of the first line that does not fit, or None if the chain is whole. A missing line is the seq that is missing.

        A part that was erased fits; one that was changed does not.
        """
        expected, previous = 1, ""
        for row in self.walk(connection):
            linked = row["seq"] == expected and row["previous"] == previous
            if not (linked and self._parts_fit(row) and self._hash_fits(row)):
                return expected
            expected, previous = expected + 1, row["hash"]
        return None

    def walk(self, connection: Connection, first: int = 1, last: int | None = None) -> Iterator[RowMapping]:
        """All lines in order, or those from `first` to `last`; a batch in memory at a time."""
        wanted, after = self.everything(), first - 1
        if last is not None:
            wanted = wanted.where(self.lines.c.seq <= last)
        while rows := connection.execute(wanted.where(self.lines.c.seq > after).limit(BATCH)).mappings().all():
            yield from rows
            after = rows[-1]["seq"]

    def _hash_fits(self, row: RowMapping) -> bool:
        """The line's hash is that of its facts."""
        return bool(row["hash"] == line_hash([self.tag, *(row[name] for name in self.facts)]))

    def everything(self) -> "Select[*tuple[Any, ...]]":
        """All lines in order, with `<digest>_salt` and `<digest>_told` for each part: None where it was erased."""
        columns: list[Column[Any]] = [*self.lines.c]
        source = self.lines.outerjoin(self.parts[0].table, self.lines.c.seq == self.parts[0].table.c.seq)
        for part in self.parts[1:]:
            source = source.outerjoin(part.table, self.lines.c.seq == part.table.c.seq)
        told = [
            column.label(f"{part.digest}_{name}")
            for part in self.parts
            for name, column in (("salt", part.table.c.salt), ("told", part.table.c[part.told]))
        ]
        return select(*columns, *told).select_from(source).order_by(self.lines.c.seq)

    def _parts_fit(self, row: RowMapping) -> bool:
        for part in self.parts:
            salt, told = row[f"{part.digest}_salt"], row[f"{part.digest}_told"]
            if told is not None and part_digest(salt, told) != row[part.digest]:
                return False
        return True
