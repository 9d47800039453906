"""Every answer that the bot gave, chained like the audit (see `chain`), and what people thought of it.

A line holds what is counted and asked for; what was said, shown and sent stands apart in `journal_content`, so that it can be
erased or pruned and the chain still verifies. `person` is beside the hash and goes with the content.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from bot.domain.interaction import Feature, Feedback, Interaction, Spent
from bot.ports import Transaction
from bot.storage.chain import Chain, Part
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql

lines = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("feature", String(20), nullable=False),
    Column("engine", String(200), nullable=False),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("thread", String(64), nullable=False, index=True),
    Column("calls", Integer, nullable=False),
    Column("cost", Float(53), nullable=False),
    Column("cost_known", Boolean, nullable=False),
    Column("latency_ms", Float(53), nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("content", String(64), nullable=False),  # the digest of `journal_content.body`
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("person", String(64), nullable=False, index=True),
)
contents = Table(
    "journal_content",
    metadata,
    Column("seq", Integer, ForeignKey("journal.seq"), primary_key=True, autoincrement=False),
    Column("salt", String(64), nullable=False),
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
COUNTED = ("id", "at", "feature", "engine", "incident_id", "thread", "calls", "cost", "cost_known", "latency_ms")
CHAIN = Chain(
    lines,
    facts=("seq", *COUNTED, "failed", "content", "previous"),
    parts=(Part(contents, "body", "content"),),
    tag="journal",
)
BATCH = 200  # answers read at once when all are read


class SqlJournalStore:
    """ports.JournalStore in SQL."""

    def add(self, tx: Transaction, interaction: Interaction) -> None:
        """Keep an answer; the same one again changes nothing."""
        connection = sql(tx)
        CHAIN.lock(connection)  # before the look: two replicas may have the same answer
        if connection.execute(select(lines.c.seq).where(lines.c.id == interaction.id)).first() is not None:
            return
        facts = {name: getattr(interaction, name) for name in COUNTED} | {
            "feature": interaction.feature.value,
            "cost": float(interaction.cost),  # as the database gives it back, for the hash
            "latency_ms": float(interaction.latency_ms),
        }
        CHAIN.append(
            connection,
            {**facts, "failed": bool(interaction.error)},
            {"content": dump(interaction)},
            unchained={"person": interaction.user[:64]},
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
        if not id:
            return None
        found = _read(tx, lines.c.id == id, limit=1)
        begun = found or _read(tx, lines.c.id.startswith(id, autoescape=True), limit=2)
        return begun[0] if len(begun) == 1 else None

    def recent(
        self,
        tx: Transaction,
        limit: int = 20,
        incident_id: str | None = None,
        *,
        engine: str | None = None,
        failed: bool | None = None,
        since: datetime | None = None,
    ) -> tuple[Interaction, ...]:
        """The newest answers, newest first; of an erased or pruned one only the line is left."""
        wanted: list[ColumnElement[bool]] = []
        if incident_id is not None:
            wanted.append(lines.c.incident_id == incident_id)
        if engine is not None:
            wanted.append(lines.c.engine == engine)
        if failed is not None:
            wanted.append(lines.c.failed.is_(failed))
        if since is not None:
            wanted.append(lines.c.at >= since)
        return _read(tx, *wanted, limit=limit)

    def of_thread(self, tx: Transaction, thread: str, limit: int = 20) -> tuple[Interaction, ...]:
        """The newest answers of one thread that still say something, oldest of them first."""
        if not thread:
            return ()
        return _read(tx, lines.c.thread == thread, contents.c.body.is_not(None), limit=limit)[::-1]

    def every(self, tx: Transaction, since: datetime | None = None) -> Iterator[Interaction]:
        """All answers in the order of the chain, a batch in memory at a time."""
        after = 0
        wanted = () if since is None else (lines.c.at >= since,)
        while True:
            query = select(lines, contents.c.body).outerjoin(contents).where(lines.c.seq > after, *wanted)
            rows = sql(tx).execute(query.order_by(lines.c.seq).limit(BATCH)).mappings().all()
            yield from map(_interaction, rows)
            if len(rows) < BATCH:
                return
            after = rows[-1]["seq"]

    def feedback(
        self, tx: Transaction, interaction_id: str | None = None, incident_id: str | None = None
    ) -> tuple[Feedback, ...]:
        """The judgements of one answer or one incident, oldest first; all without either."""
        found = select(judgements.c.body).order_by(judgements.c.at, judgements.c.id)
        if interaction_id is not None:
            found = found.where(judgements.c.interaction_id == interaction_id)
        if incident_id is not None:
            found = found.where(judgements.c.incident_id == incident_id)
        return tuple(load(Feedback, body) for body in sql(tx).execute(found).scalars())

    def spent(self, tx: Transaction, since: datetime, incident_id: str | None = None) -> Spent:
        """What models cost since a time, for one incident or all."""
        unpriced = case((lines.c.cost_known.is_(False), lines.c.calls), else_=0)
        sums = select(func.sum(lines.c.calls), func.sum(lines.c.cost), func.sum(unpriced)).where(lines.c.at >= since)
        if incident_id is not None:
            sums = sums.where(lines.c.incident_id == incident_id)
        calls, cost, without = sql(tx).execute(sums).one()
        return Spent(int(calls or 0), float(cost or 0.0), int(without or 0))

    def head(self, tx: Transaction) -> tuple[int, str]:
        """How many answers there are, and the hash of the last one."""
        return CHAIN.head(sql(tx))

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line that does not fit, or None if the chain is whole."""
        return CHAIN.broken_at(sql(tx))


def _read(tx: Transaction, *wanted: ColumnElement[bool], limit: int) -> tuple[Interaction, ...]:
    newest = select(lines, contents.c.body).outerjoin(contents).where(*wanted).order_by(lines.c.at.desc(), lines.c.seq.desc())
    return tuple(_interaction(row) for row in sql(tx).execute(newest.limit(limit)).mappings())


def _interaction(row: RowMapping) -> Interaction:
    chained = {"previous": row["previous"], "hash": row["hash"]}
    if row["body"] is None:
        counted = {name: row[name] for name in COUNTED} | {"feature": Feature(row["feature"])}
        return Interaction(**counted, **chained, erased=True)
    return replace(load(Interaction, row["body"]), **chained)


def _said(feedback: Feedback) -> str:
    """Equal for the same person saying the same of the same thing."""
    same = [feedback.user, feedback.opinion, feedback.interaction_id, feedback.incident_id, feedback.note]
    same += [feedback.document] if feedback.document else []
    return hashlib.sha256("\n".join(same).encode()).hexdigest()


def prune(tx: Transaction, before: datetime) -> int:
    """Forget what the answers given before a time said, and all that people said of them or before it; how many answers.

    Their lines stay, so that the chain verifies and costs can be summed.
    """
    old = lines.c.at < before
    said = select(contents.c.seq).join(lines).where(old)
    judged = select(lines.c.id).join(judgements, judgements.c.interaction_id == lines.c.id).where(old)
    sql(tx).execute(delete(judgements).where(or_(judgements.c.interaction_id.in_(judged), judgements.c.at < before)))
    sql(tx).execute(update(lines).where(old, lines.c.person != "").values(person=""))
    return sql(tx).execute(delete(contents).where(contents.c.seq.in_(said))).rowcount
