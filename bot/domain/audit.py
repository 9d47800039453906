"""The audit trail as anybody can check it: its lines, and whether each fits the one before; pure, so that an export needs no bot.

Lines from before schema 0002 had the person under the hash itself. Each of them bears a `seal`, and the first newer line,
"sealed", has the hash of all seals as its subject; `bot/storage/ledger.py` tells why.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.chain import line_hash, part_digest

TAG = "audit"
SEALED = "sealed"
LEAST = 12  # hexadecimal digits of a hash that can stand for it
_HEAD = re.compile(r"(\d{1,12}):([0-9a-f]{12,64})")


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line with all that its hashes rest on. `actor` and `detail` (JSON text) with their salts are None once erased."""

    seq: int
    at: datetime
    deed: str
    subject: str
    actor: str | None
    actor_salt: str | None
    actor_digest: str
    detail: str | None
    detail_salt: str | None
    detail_digest: str
    previous: str
    hash: str
    seal: str = ""  # "" but for lines of the older form


@dataclass(frozen=True, slots=True)
class Head:
    """What somebody keeps outside: the line of this number has a hash that begins so."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


class Wrong(StrEnum):
    """What does not fit, for people; `{seq}` is the line's number."""

    MISSING = "line {seq} is missing"
    ORDER = "line {seq} stands a second time, or at the wrong place"
    LINK = "line {seq} does not follow the one before it: one of the two was replaced"
    ACTOR = "line {seq} names somebody else than was written down"
    DETAIL = "what line {seq} tells was changed"
    FACTS = "the time, the deed, the subject or the hash of line {seq} was changed"
    SEALS = "the old lines before line {seq} are not those that were sealed"
    REWRITTEN = "line {seq} has another hash than the head that was kept: it, or one before it, was written anew"
    CUT = "line {seq} was there when its head was kept, and is not there now: the end was cut off"


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first line that does not fit, and why."""

    seq: int
    wrong: Wrong

    def __str__(self) -> str:
        return self.wrong.value.format(seq=self.seq)


def read_head(text: str) -> Head:
    """The head that "120:3fa9c1d20b71" is. Raises ValueError that says how one is written."""
    match = _HEAD.fullmatch(text.strip().lower())
    if match is None or not int(match[1]):
        raise ValueError(
            f"{text[:80]!r} is no head; one is written NUMBER:HASH as the daily digest posts it, "
            f"with at least {LEAST} digits of the hash: 120:3fa9c1d20b71"
        )
    return Head(int(match[1]), match[2])


def facts_fit(line: AuditLine) -> bool:
    """The line's own hash, or its seal, is that of its facts; the persons and words in it by their digests."""
    if line.seal:
        named = line.actor is None or line.hash == _old_hash(line)
        return named and line.seal == seal(line)
    return line.hash == line_hash(
        [TAG, line.seq, line.at, line.actor_digest, line.deed, line.subject, line.detail_digest, line.previous]
    )


def _old_hash(line: AuditLine) -> str:
    return line_hash([line.seq, line.at, line.actor, line.deed, line.subject, line.detail_digest, line.previous])


def seal(line: AuditLine) -> str:
    """What stands for an old line for good: its facts, with the digest of its person, and its old hash."""
    facts = [line.seq, line.at, line.deed, line.subject, line.detail_digest, line.previous, line.hash]
    return line_hash(["audit seal", line.actor_digest, *facts])


@dataclass(slots=True)
class Check:
    """One pass over lines in their order, holding only the last: `next` judges a line, `end` what should still have come.

    The first line must be number 1, unless `part`: then the lines are a part of a chain, without gaps. With `picked` they are
    single lines, each of which is checked by itself; that none is missing cannot be said then. `heads` were kept outside.
    """

    heads: tuple[Head, ...] = ()
    part: bool = False
    picked: bool = False
    first: int = 0  # the number of the first line; 0: there was none
    last: AuditLine | None = None
    count: int = 0
    _old: int = 0  # lines with a seal, of which no line has told yet
    _seals: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def next(self, line: AuditLine) -> Misfit | None:
        """What does not fit about this line, or None."""
        wrong = self._place(line) or self._body(line) or self._head(line)
        if wrong is None:
            self.first = self.first or line.seq
            self.last, self.count = line, self.count + 1
            return None
        return Misfit(self._expected if wrong is Wrong.MISSING else line.seq, wrong)

    def end(self) -> Misfit | None:
        """What does not fit about the end of the lines, or None."""
        last = self.last.seq if self.last else 0
        if self._old and self._whole:
            return Misfit(last + 1, Wrong.SEALS)
        later = [head.seq for head in self.heads if head.seq > last]
        return Misfit(min(later), Wrong.CUT) if later else None

    @property
    def _whole(self) -> bool:
        return not (self.part or self.picked)

    @property
    def _expected(self) -> int:
        return self.last.seq + 1 if self.last else 1

    def _place(self, line: AuditLine) -> Wrong | None:
        begins = self.last is None
        if begins and not self._whole and line.seq > 1:
            return None
        if line.seq < self._expected:
            return Wrong.ORDER
        if line.seq > self._expected:
            return None if self.picked else Wrong.MISSING
        before = self.last.hash if self.last else ""
        return None if line.previous == before else Wrong.LINK

    def _body(self, line: AuditLine) -> Wrong | None:
        if _changed(line.actor, line.actor_salt, line.actor_digest):
            return Wrong.ACTOR
        if _changed(line.detail, line.detail_salt, line.detail_digest):
            return Wrong.DETAIL
        if line.seal:
            self._seals.update(line.seal.encode())
            self._old += 1
            if self.last is not None and not self.last.seal:
                return Wrong.SEALS  # an old line after a new one
        elif self._old:
            told = (line.deed, line.subject) == (SEALED, self._seals.hexdigest())
            self._old = 0
            if self._whole and not told:
                return Wrong.SEALS
        return None if facts_fit(line) else Wrong.FACTS

    def _head(self, line: AuditLine) -> Wrong | None:
        kept = (head for head in self.heads if head.seq == line.seq)
        return None if all(line.hash.startswith(head.hash) for head in kept) else Wrong.REWRITTEN


def _changed(told: str | None, salt: str | None, digest: str) -> bool:
    """A part that was erased, with its salt, is not changed."""
    if told is None and salt is None:
        return False
    return told is None or salt is None or part_digest(salt, told) != digest
