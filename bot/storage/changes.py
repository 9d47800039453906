"""What was shipped; a later report of a change replaces an earlier one, never the other way round."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Column, String, Table, Text, insert, select, update

from bot.domain.change import Change, ChangeStatus
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key
from bot.storage.database import UtcDateTime, metadata, sql

PROGRESS = {ChangeStatus.PENDING: 0, ChangeStatus.RUNNING: 1, ChangeStatus.FAILED: 2, ChangeStatus.SUCCEEDED: 2}

changes = Table(
    "changes",
    metadata,
    Column("id", Key(300), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("body", Text, nullable=False),
)


class SqlChangeStore:
    """ports.ChangeStore in SQL."""

    def save(self, tx: Transaction, kept: Iterable[Change]) -> None:
        """Insert or replace by id; an older report never overwrites a newer status, nor an empty field a known one."""
        for change in kept:
            before = self.get(tx, change.id)
            if before is None:
                sql(tx).execute(insert(changes).values(id=change.id, **_columns(change)))
            elif (now := merged(before, change)) != before:
                sql(tx).execute(update(changes).where(changes.c.id == change.id).values(**_columns(now)))

    def between(self, tx: Transaction, start: datetime, end: datetime) -> tuple[Change, ...]:
        """The changes of a span of time, oldest first, both ends included."""
        found = select(changes.c.body).where(changes.c.at >= start, changes.c.at <= end).order_by(changes.c.at, changes.c.id)
        return tuple(load(Change, body) for body in sql(tx).execute(found).scalars())

    def get(self, tx: Transaction, id: str) -> Change | None:
        """One change."""
        body = sql(tx).execute(select(changes.c.body).where(changes.c.id == id)).scalar_one_or_none()
        return None if body is None else load(Change, body)


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
    )


def _columns(change: Change) -> dict[str, object]:
    return {"at": change.at, "kind": change.kind.value, "status": change.status.value, "body": dump(change)}
