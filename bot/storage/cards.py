"""Which message of ours shows what, so that it is edited and never posted twice."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Index, Integer, Select, String, Table, Text, bindparam, func, select, text

from bot.domain.view import Place
from bot.ports import Card, Transaction
from bot.storage.columns import Key
from bot.storage.database import metadata, sql
from bot.storage.upsert import upsert

CARD_LOCKS = 0x70C519  # the seed of their hash, so that they are not those of something else
CHUNK = 400  # keys in one question

cards = Table(
    "cards",
    metadata,
    Column("key", Key(255), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("ts", String(32), nullable=False),
    Column("thread", String(32), nullable=False),
    Column("shown", Text, nullable=False),
    Column("pending", Text, nullable=False),
    Column("posts", Integer, nullable=False),
    Index("ix_cards_channel_ts", "channel", "ts"),
)
_GET = select(cards).where(cards.c.key == bindparam("key"))
_GET_ALL = select(cards).where(cards.c.key.in_(bindparam("keys", expanding=True)))
_LOCK_ALL = text("SELECT pg_advisory_xact_lock(hashtextextended(key, :seed)) FROM unnest(CAST(:keys AS text[])) AS wanted(key)")


class SqlCardStore:
    """ports.CardStore in SQL."""

    def get(self, tx: Transaction, key: str) -> Card | None:
        """The card of this key."""
        row = sql(tx).execute(_GET, {"key": key}).mappings().first()
        return _card(**{**row, "key": key}) if row is not None else None

    def hold(self, tx: Transaction, key: str) -> Card | None:
        """The card of this key, if there is one; nobody else holds it until this transaction ends."""
        if sql(tx).dialect.name == "postgresql":  # a lock by name: there is no row to lock before the first `put`
            sql(tx).execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, CARD_LOCKS))))
        return self.get(tx, key)

    def hold_all(self, tx: Transaction, keys: Collection[str]) -> dict[str, Card]:
        """`hold` for many keys, always in the same order, so that two never wait for each other."""
        wanted = sorted(set(keys))
        if wanted and sql(tx).dialect.name == "postgresql":
            sql(tx).execute(_LOCK_ALL, {"keys": wanted, "seed": CARD_LOCKS})
        found: dict[str, Card] = {}
        for first in range(0, len(wanted), CHUNK):
            for row in sql(tx).execute(_GET_ALL, {"keys": wanted[first : first + CHUNK]}).mappings():
                found[row["key"]] = _card(**row)
        return found

    def put(self, tx: Transaction, card: Card) -> None:
        """Insert or replace; of two at the same moment the later one stands."""
        self.put_all(tx, [card])

    def put_all(self, tx: Transaction, kept: Iterable[Card]) -> None:
        """`put` for many."""
        rows: list[dict[str, object]] = [
            {
                "key": card.key,
                "channel": card.place.channel,
                "ts": card.place.ts,
                "thread": card.place.thread,
                "shown": card.shown,
                "pending": card.pending,
                "posts": card.posts,
            }
            for card in kept
        ]
        upsert(tx, cards, rows)

    def like(self, tx: Transaction, prefix: str) -> tuple[Card, ...]:
        """All cards whose key begins so, by key."""
        return tuple(_card(**row) for row in sql(tx).execute(_begun(prefix)).mappings())

    def at(self, tx: Transaction, channel: str, ts: str) -> Card | None:
        """The card that stands at this message; a card that was never posted stands nowhere."""
        if not ts:
            return None
        here = select(cards).where(cards.c.channel == channel, cards.c.ts == ts).order_by(cards.c.key)
        row = sql(tx).execute(here).mappings().first()
        return _card(**row) if row is not None else None


@lru_cache(maxsize=16)
def _begun(prefix: str) -> Select[Any]:
    return select(cards).where(cards.c.key.startswith(prefix, autoescape=True)).order_by(cards.c.key)


def _card(*, key: str, channel: str, ts: str, thread: str, shown: str, pending: str, posts: int) -> Card:
    return Card(key, Place(channel, ts, thread), shown, pending, posts)
