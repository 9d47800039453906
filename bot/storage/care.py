"""What of the runbooks was tried and how it went, since when each is known, and drafts that wait for a person."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table, delete, select

from bot.domain.care import Check, Draft, DraftState, Health, Tried
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Prose
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

CHUNK = 400  # values in one IN list

checks = Table(
    "runbook_checks",
    metadata,
    Column("document", Key(255), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("name", Prose, nullable=False),  # the document's id, whole
    Column("text", Prose, nullable=False),
    Column("health", String(20), nullable=False),
    Column("reason", Prose, nullable=False),
    Column("checked_at", UtcDateTime),
    Column("good_at", UtcDateTime),
    PrimaryKeyConstraint("document", "kind", "digest", name="pk_runbook_checks"),
)
known = Table(
    "runbooks_known",
    metadata,
    Column("document", Key(255), primary_key=True),
    Column("name", Prose, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
drafts = Table(
    "runbook_drafts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("incident_id", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("body", Prose, nullable=False),
)
Index("ix_runbook_drafts_incident_id", drafts.c.incident_id)


class SqlCheckStore:
    """ports.CheckStore in SQL."""

    def all(self, tx: Transaction) -> tuple[Check, ...]:
        """Every check."""
        found = select(checks).order_by(checks.c.document, checks.c.kind, checks.c.digest)
        return tuple(
            Check(r.name, Tried(r.kind), r.text, Health(r.health), r.reason, r.checked_at, r.good_at)
            for r in sql(tx).execute(found)
        )

    def put(self, tx: Transaction, kept: Sequence[Check]) -> None:
        """Insert or replace by document, kind and text."""
        rows: list[dict[str, object]] = [
            {
                "document": c.document,
                "kind": c.kind.value,
                "digest": _digest(c),
                "name": c.document,
                "text": c.text,
                "health": c.health.value,
                "reason": c.reason,
                "checked_at": c.at,
                "good_at": c.good_at,
            }
            for c in kept
        ]
        upsert(tx, checks, rows)

    def drop(self, tx: Transaction, gone: Sequence[Check]) -> None:
        """Forget these."""
        for c in gone:
            this = (checks.c.document == c.document) & (checks.c.kind == c.kind.value) & (checks.c.digest == _digest(c))
            sql(tx).execute(delete(checks).where(this))

    def since(self, tx: Transaction) -> Mapping[str, datetime]:
        """Since when each runbook is known, by its id."""
        return {r.name: r.since for r in sql(tx).execute(select(known.c.name, known.c.since))}

    def meet(self, tx: Transaction, documents: Collection[str], at: datetime) -> None:
        """These are all the runbooks there are; those that are new are known since now, the others are forgotten."""
        before = self.since(tx)
        upsert(tx, known, [{"document": d, "name": d, "since": at} for d in documents if d not in before])
        gone = [d for d in before if d not in set(documents)]
        for start in range(0, len(gone), CHUNK):
            sql(tx).execute(delete(known).where(known.c.document.in_(gone[start : start + CHUNK])))


class SqlDraftStore:
    """ports.DraftStore in SQL."""

    def get(self, tx: Transaction, id: str) -> Draft | None:
        """One draft."""
        body = sql(tx).execute(select(drafts.c.body).where(drafts.c.id == id)).scalar()
        return None if body is None else load(Draft, body)

    def put(self, tx: Transaction, draft: Draft) -> None:
        """Insert or replace."""
        row: dict[str, object] = {
            "id": draft.id,
            "incident_id": draft.incident_id,
            "state": draft.state.value,
            "made_at": draft.at,
            "body": dump(draft),
        }
        upsert(tx, drafts, [row])

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[Draft, ...]:
        """The drafts of one incident, the newest first."""
        mine = select(drafts.c.body).where(drafts.c.incident_id == incident_id)
        found = mine.order_by(drafts.c.made_at.desc(), drafts.c.id.desc())
        return tuple(load(Draft, body) for body in sql(tx).execute(found).scalars())

    def waiting(self, tx: Transaction) -> tuple[Draft, ...]:
        """Those that nobody has decided on, the oldest first."""
        found = select(drafts.c.body).where(drafts.c.state == DraftState.DRAFT.value).order_by(drafts.c.made_at, drafts.c.id)
        return tuple(load(Draft, body) for body in sql(tx).execute(found).scalars())


def _digest(check: Check) -> str:
    plain = check.text.replace("\x00", "\ufffd")  # as the column keeps it
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()
