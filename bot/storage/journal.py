"""Every answer that the bot gave, and what people thought of it."""

import hashlib
from datetime import datetime

from sqlalchemy import Column, String, Table, Text, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError

from bot.domain.interaction import Feedback, Interaction, Spent
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql

interactions = Table(
    "interactions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("body", Text, nullable=False),
)
judgements = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("interaction_id", String(64), nullable=False, index=True),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("said", String(64), nullable=False, unique=True),
    Column("body", Text, nullable=False),
)


class SqlJournalStore:
    """ports.JournalStore in SQL."""

    def add(self, tx: Transaction, interaction: Interaction) -> None:
        """Keep an answer; the same one again changes nothing."""
        known = select(interactions.c.id).where(interactions.c.id == interaction.id)
        if sql(tx).execute(known).first() is not None:
            return
        sql(tx).execute(
            insert(interactions).values(
                id=interaction.id,
                at=interaction.at,
                incident_id=interaction.incident_id,
                body=dump(interaction),
            )
        )

    def judge(self, tx: Transaction, feedback: Feedback) -> bool:
        """Keep a judgement; False if the same person already said the same of the same thing."""
        try:
            with sql(tx).begin_nested():
                sql(tx).execute(
                    insert(judgements).values(
                        id=feedback.id,
                        at=feedback.at,
                        interaction_id=feedback.interaction_id,
                        incident_id=feedback.incident_id,
                        said=_said(feedback),
                        body=dump(feedback),
                    )
                )
        except IntegrityError:
            return False
        return True

    def get(self, tx: Transaction, id: str) -> Interaction | None:
        """One answer, by id or by a unique beginning of it."""
        whole = select(interactions.c.body).where(interactions.c.id == id)
        body = sql(tx).execute(whole).scalar_one_or_none()
        if body is not None:
            return load(Interaction, body)
        if not id:
            return None
        begun = select(interactions.c.body).where(interactions.c.id.startswith(id, autoescape=True)).limit(2)
        bodies = sql(tx).execute(begun).scalars().all()
        return load(Interaction, bodies[0]) if len(bodies) == 1 else None

    def recent(self, tx: Transaction, limit: int = 20, incident_id: str | None = None) -> tuple[Interaction, ...]:
        """The newest answers, newest first."""
        found = select(interactions.c.body).order_by(interactions.c.at.desc(), interactions.c.id.desc())
        if incident_id is not None:
            found = found.where(interactions.c.incident_id == incident_id)
        return tuple(load(Interaction, body) for body in sql(tx).execute(found.limit(limit)).scalars())

    def of_thread(self, tx: Transaction, thread: str, limit: int = 20) -> tuple[Interaction, ...]:
        """The newest answers of one thread, oldest of them first."""
        newest = [row for row in self.recent(tx, 1000) if thread and row.thread == thread][:limit]
        return tuple(reversed(newest))

    def feedback(
        self, tx: Transaction, interaction_id: str | None = None, incident_id: str | None = None
    ) -> tuple[Feedback, ...]:
        """The judgements of one answer or one incident, oldest first."""
        found = select(judgements.c.body).order_by(judgements.c.at, judgements.c.id)
        if interaction_id is not None:
            found = found.where(judgements.c.interaction_id == interaction_id)
        if incident_id is not None:
            found = found.where(judgements.c.incident_id == incident_id)
        return tuple(load(Feedback, body) for body in sql(tx).execute(found).scalars())

    def spent(self, tx: Transaction, since: datetime, incident_id: str | None = None) -> Spent:
        """What models cost since a time, for one incident or all."""
        found = select(interactions.c.body).where(interactions.c.at >= since)
        if incident_id is not None:
            found = found.where(interactions.c.incident_id == incident_id)
        rows = [load(Interaction, body) for body in sql(tx).execute(found).scalars()]
        unpriced = sum(row.calls for row in rows if not row.cost_known)
        return Spent(sum(row.calls for row in rows), sum(row.cost for row in rows), unpriced)


def _said(feedback: Feedback) -> str:
    """Equal for the same person saying the same of the same thing."""
    same = (feedback.user, feedback.opinion, feedback.interaction_id, feedback.incident_id, feedback.note)
    return hashlib.sha256("\n".join(same).encode()).hexdigest()


def prune(tx: Transaction, before: datetime) -> int:
    """Forget the answers given before a time and all that people said of them or before it; how many answers those were."""
    old = select(interactions.c.id).where(interactions.c.at < before)
    sql(tx).execute(delete(judgements).where(or_(judgements.c.interaction_id.in_(old), judgements.c.at < before)))
    return sql(tx).execute(delete(interactions).where(interactions.c.at < before)).rowcount
