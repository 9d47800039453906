"""What people said of the documents that they were shown; see `bot.domain.suggestion`."""

from collections.abc import Collection

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table, Text, delete, or_, select

from bot.domain.interaction import Opinion
from bot.domain.suggestion import Judgement, Subject
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

MOST = 2_000  # words read at once about one problem and its neighbours

judged = Table(
    "suggestion_opinions",
    metadata,
    Column("problem", Key(200), nullable=False),
    Column("service", Key(200), nullable=False),
    Column("document", Key(255), nullable=False),
    Column("said_by", String(64), nullable=False),
    Column("opinion", String(20), nullable=False),
    Column("incident_id", String(64), nullable=False),
    Column("said_at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("problem", "service", "document", "said_by", "opinion", "incident_id", name="pk_suggestion_opinions"),
)
Index("ix_suggestion_opinions_service", judged.c.service)
_OPPOSITE = {Opinion.USEFUL: Opinion.NOT_USEFUL, Opinion.NOT_USEFUL: Opinion.USEFUL}


class SqlSuggestionStore:
    """ports.SuggestionStore in SQL."""

    def say(self, tx: Transaction, judgement: Judgement) -> bool:
        """Keep it in place of the opposite that the same person said; False if it was said already."""
        columns = ("problem", "service", "document", "said_by", "opinion", "incident_id")
        row: dict[str, object] = dict(zip(columns, judgement.key, strict=True))
        known = select(judged.c.said_at).where(*(judged.c[name] == value for name, value in row.items()))
        if sql(tx).execute(known).first() is not None:
            return False
        opposite = _OPPOSITE.get(judgement.opinion)
        if opposite is not None:
            other = {**row, "opinion": opposite.value}
            sql(tx).execute(delete(judged).where(*(judged.c[name] == value for name, value in other.items())))
        upsert(tx, judged, [{**row, "said_at": judgement.at, "body": dump(judgement)}])
        return True

    def about(self, tx: Transaction, problem: str, services: Collection[str]) -> tuple[Judgement, ...]:
        """All that was said of this problem on any service, and of any problem on these services; the latest first."""
        near = or_(judged.c.problem == problem, judged.c.service.in_([s for s in services if s]))
        found = select(judged.c.body).where(near).order_by(judged.c.said_at.desc()).limit(MOST)
        return tuple(load(Judgement, body) for body in sql(tx).execute(found).scalars())

    def links(self, tx: Transaction) -> tuple[Judgement, ...]:
        """Every link, the latest first."""
        mine = select(judged.c.body).where(judged.c.opinion == Opinion.LINKED.value)
        found = mine.order_by(judged.c.said_at.desc(), judged.c.problem, judged.c.service, judged.c.document)
        return tuple(load(Judgement, body) for body in sql(tx).execute(found).scalars())

    def unlink(self, tx: Transaction, subject: Subject, document: str) -> tuple[Judgement, ...]:
        """Take back every link between a problem and a document; those there were."""
        this = (
            (judged.c.problem == subject.problem)
            & (judged.c.service == subject.service)
            & (judged.c.document == document)
            & (judged.c.opinion == Opinion.LINKED.value)
        )
        gone = tuple(load(Judgement, body) for body in sql(tx).execute(select(judged.c.body).where(this)).scalars())
        sql(tx).execute(delete(judged).where(this))
        return gone
