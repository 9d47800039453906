"""What was learned from confirmed causes: every attempt by its number, and which weights are in force."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Column, Index, Integer, Table, Text, delete, select

from bot.domain.learning import SHIPPED, Learned
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

KEPT = 200  # attempts
AS_SHIPPED = 0  # the number of the weights that come with the bot

learned = Table(
    "learned_weights",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("chosen_at", UtcDateTime, nullable=True),  # the latest one is in force
    Column("body", Text, nullable=False),
)
Index("ix_learned_weights_chosen_at", learned.c.chosen_at)


class SqlWeightStore:
    """ports.WeightStore in SQL."""

    def current(self, tx: Transaction) -> Learned | None:
        """The one in force, or None as long as the shipped weights were never replaced."""
        chosen = learned.c.chosen_at.is_not(None)
        newest = select(learned.c.body).where(chosen).order_by(learned.c.chosen_at.desc(), learned.c.number.desc())
        body = sql(tx).execute(newest.limit(1)).scalar_one_or_none()
        return None if body is None else load(Learned, body)

    def history(self, tx: Transaction) -> tuple[Learned, ...]:
        """Every attempt, the newest first."""
        every = select(learned.c.body).where(learned.c.number > AS_SHIPPED).order_by(learned.c.number.desc())
        return tuple(load(Learned, body) for body in sql(tx).execute(every).scalars())

    def keep(self, tx: Transaction, attempt: Learned) -> None:
        """Add an attempt; it is in force from its time on if it was adopted. Old ones that never were are dropped."""
        _put(tx, attempt, attempt.at if attempt.adopted else None)
        unused = learned.c.chosen_at.is_(None) & (learned.c.number <= attempt.number - KEPT)
        sql(tx).execute(delete(learned).where(unused))

    def use(self, tx: Transaction, number: int, at: datetime, *, pinned: bool) -> Learned | None:
        """Attempt `number`, or 0 for the shipped weights, is in force from now on; None if there is no such attempt."""
        body = sql(tx).execute(select(learned.c.body).where(learned.c.number == number)).scalar_one_or_none()
        if body is None and number != AS_SHIPPED:
            return None
        known = load(Learned, body) if body is not None else Learned(AS_SHIPPED, at, SHIPPED, 0, True, "as shipped")
        chosen = replace(known, pinned=pinned)
        _put(tx, chosen, at)
        return chosen


def _put(tx: Transaction, attempt: Learned, chosen_at: datetime | None) -> None:
    upsert(tx, learned, [{"number": attempt.number, "at": attempt.at, "chosen_at": chosen_at, "body": dump(attempt)}])
