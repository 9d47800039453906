"""What was shipped; a later report of a change replaces an earlier one, never the other way round."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Column, String, Table, Text, bindparam, insert, select, update

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key
from bot.storage.database import UtcDateTime, metadata, sql

PROGRESS = {ChangeStatus.PENDING: 0, ChangeStatus.RUNNING: 1, ChangeStatus.FAILED: 2, ChangeStatus.SUCCEEDED: 2}
MOST_SHAS = 500  # in one question to the database

changes = Table(
    "changes",
    metadata,
    Column("id", Key(300), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("sha", String(64), index=True),  # of its commit; of changes before 3/6 nobody wrote it down
)
_WITHIN = (changes.c.at >= bindparam("start"), changes.c.at <= bindparam("end"))
_BETWEEN = select(changes.c.body).where(*_WITHIN).order_by(changes.c.at, changes.c.id)


class SqlChangeStore:
    """ports.ChangeStore in SQL."""

    def save(self, tx: Transaction, kept: Iterable[Change]) -> None:
        """Insert or replace by id; an older report never overwrites a newer status, nor an empty field a known one."""
        for change in kept:
            before = _kept(tx, change.id)
            if before is None:
                sql(tx).execute(insert(changes).values(id=change.id, **_columns(change)))
            elif (now := merged(before, change)) != before:
                sql(tx).execute(update(changes).where(changes.c.id == change.id).values(**_columns(now)))

    def between(self, tx: Transaction, start: datetime, end: datetime) -> tuple[Change, ...]:
        """The changes of a span of time, oldest first, both ends included."""
        found = sql(tx).execute(_BETWEEN, {"start": start, "end": end}).scalars()
        return _checked(tx, [load(Change, body) for body in found])

    def shipments(self, tx: Transaction, start: datetime, end: datetime) -> tuple[Change, ...]:
        """The changes of a span that are neither commits nor builds, oldest first; nothing is told of their checks."""
        found = _BETWEEN.where(changes.c.kind.not_in((ChangeKind.COMMIT.value, ChangeKind.BUILD.value)))
        return tuple(load(Change, body) for body in sql(tx).execute(found, {"start": start, "end": end}).scalars())

    def commits(self, tx: Transaction, shas: Iterable[str]) -> tuple[Change, ...]:
        """What repositories told of these commits, by their whole SHA."""
        wanted, found = sorted({sha[:64] for sha in shas if sha}), []
        for start in range(0, len(wanted), MOST_SHAS):
            pushed = select(changes.c.body).where(
                changes.c.sha.in_(wanted[start : start + MOST_SHAS]), changes.c.kind == ChangeKind.COMMIT.value
            )
            found += [load(Change, body) for body in sql(tx).execute(pushed.order_by(changes.c.at, changes.c.id)).scalars()]
        return tuple(found)

    def get(self, tx: Transaction, id: str) -> Change | None:
        """One change."""
        kept = _kept(tx, id)
        return _checked(tx, [kept])[0] if kept else None


def _kept(tx: Transaction, id: str) -> Change | None:
    body = sql(tx).execute(select(changes.c.body).where(changes.c.id == id)).scalar_one_or_none()
    return None if body is None else load(Change, body)


def _checked(tx: Transaction, found: Sequence[Change]) -> tuple[Change, ...]:
    """The changes, those that shipped a commit with what is known of its checks; of one check the last result counts."""
    shas = sorted({c.commit[:64] for c in found if c.commit and c.kind is not ChangeKind.BUILD})
    results: dict[str, dict[str, bool]] = {}
    for start in range(0, len(shas), MOST_SHAS):
        builds = select(changes.c.body).where(
            changes.c.sha.in_(shas[start : start + MOST_SHAS]), changes.c.kind == ChangeKind.BUILD.value
        )
        for body in sql(tx).execute(builds.order_by(changes.c.at, changes.c.id)).scalars():
            build = load(Change, body)
            results.setdefault(_which(build), {}).update(build.checks)
    return tuple(
        replace(c, checks=results[_which(c)]) if c.kind is not ChangeKind.BUILD and _which(c) in results else c for c in found
    )


def _which(change: Change) -> str:
    """Its commit: a whole SHA is the same commit whatever a vendor calls the repository."""
    return change.commit if len(change.commit) >= 40 else f"{change.repository}@{change.commit}"


def merged(before: Change, report: Change) -> Change:
    """What is known of a change after one more report of it, in whatever order the reports come."""
    newer = (PROGRESS[report.status], report.at) >= (PROGRESS[before.status], before.at)
    first, second = (report, before) if newer else (before, report)
    return replace(
        first,
        services=first.services or second.services,
        environment=first.environment or second.environment,
        version=first.version or second.version,
        commit=first.commit or second.commit,
        repository=first.repository or second.repository,
        author=first.author or second.author,
        url=first.url or second.url,
        files=first.files or second.files,
        checks=first.checks or second.checks,
    )


def _columns(change: Change) -> dict[str, object]:
    return {
        "at": change.at,
        "kind": change.kind.value,
        "status": change.status.value,
        "sha": change.commit[:64],
        "body": dump(change),
    }
