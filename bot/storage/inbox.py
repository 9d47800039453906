"""ports.InboxStore: raw deliveries between 202 and done, and the memory that makes a second delivery harmless."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from bot.ports import Delivery, Parcel, Transaction
from bot.storage.bulk import execute_many
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Prose
from bot.storage.database import UtcDateTime, alone, metadata, sql

SAME_BODY = timedelta(seconds=60)  # without a vendor's id: later the same body is a repeat, not a second delivery
MOST_BYTES = 8 * 1024 * 1024  # of bodies that one take holds in memory
INBOX_LOCK = 0x70C516
ARRIVED = "tocsin_inbox"  # what waits again is told to all replicas; a new delivery wakes the one whose door it came through

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("connector", String(80), nullable=False),
    Column("delivery_id", Key(200)),
    Column("digest", String(32), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("headers", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Prose, nullable=False),
    Column("outcome", Prose, nullable=False),
    sqlite_autoincrement=True,
)
Index("uq_inbox_delivery", inbox.c.connector, inbox.c.delivery_id, unique=True)
Index("ix_inbox_digest", inbox.c.digest, inbox.c.received_at)
_WAITING = text("state = 'waiting'")
Index("ix_inbox_waiting", inbox.c.id, inbox.c.size, sqlite_where=_WAITING, postgresql_where=_WAITING)
Index("ix_inbox_received", inbox.c.received_at)


class SqlInboxStore:
    """ports.InboxStore on one table. On PostgreSQL both ends lock, so that replicas neither keep nor take a thing twice."""

    def add(self, tx: Transaction, deliveries: Sequence[tuple[Delivery, str]]) -> list[bool]:
        """Keep deliveries with their vendor's delivery ids; False for one that is known already."""
        alone(tx, INBOX_LOCK)
        digests = [hashlib.sha256(d.body).hexdigest()[:32] for d, _ in deliveries]
        ids = _known_ids(tx, deliveries)
        bodies = _known_bodies(tx, deliveries, digests)
        verdicts, rows = [], []
        for (delivery, vendor_id), digest in zip(deliveries, digests, strict=True):
            vendor_id, body = vendor_id[:200], (delivery.connector, digest)
            if vendor_id:
                new = (delivery.connector, vendor_id) not in ids
                ids.add((delivery.connector, vendor_id))
            else:
                before = bodies.get(body)
                new = before is None or abs(delivery.received_at - before) > SAME_BODY
                bodies[body] = delivery.received_at if new or before is None else before
            verdicts.append(new)
            if new:
                rows.append(_row(delivery, vendor_id or None, digest))
        execute_many(tx, _INSERT, rows)
        return verdicts

    def take(self, tx: Transaction, most: int) -> list[Parcel]:
        """The oldest waiting parcels, held until this transaction ends: at most `most`, and not more than memory bears.

        Empty while another replica holds some.
        """
        if not _free(tx, INBOX_LOCK + 1):
            return []
        line = sql(tx).execute(_LINE, {"most": most})
        total, last, count = 0, 0, 0
        for id, size in line:
            total += size
            if count and total > MOST_BYTES:
                break
            last, count = id, count + 1
        if not count:
            return []
        query = select(inbox).where(_WAITING, inbox.c.id <= last).order_by(inbox.c.id)
        return [_parcel(row) for row in sql(tx).execute(query).mappings()]

    def finish(self, tx: Transaction, parcels: Sequence[Parcel]) -> None:
        """Store their new state, error and outcome."""
        if parcels:
            rows = [
                {
                    "parcel": p.id,
                    "new_state": p.state,
                    "new_attempts": p.attempts,
                    "new_error": p.error,
                    "new_outcome": p.outcome,
                }
                for p in parcels
            ]
            execute_many(tx, _FINISH, rows)
            if sql(tx).dialect.name == "postgresql" and any(p.state == "waiting" for p in parcels):
                sql(tx).execute(text(f"SELECT pg_notify('{ARRIVED}', '')"))

    def waiting(self, tx: Transaction) -> int:
        """How many wait."""
        return sql(tx).execute(select(func.count()).select_from(inbox).where(_WAITING)).scalar_one()

    def recent(self, tx: Transaction, *, state: str | None, limit: int) -> list[Parcel]:
        """The newest parcels, of one state or all."""
        query = select(inbox).order_by(inbox.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(inbox.c.state == state)
        return [_parcel(row) for row in sql(tx).execute(query).mappings()]

    def last(self, tx: Transaction) -> dict[str, datetime]:
        """When the newest delivery that is still kept came, by connector."""
        newest = select(inbox.c.connector, func.max(inbox.c.received_at)).group_by(inbox.c.connector)
        return {connector: at for connector, at in sql(tx).execute(newest)}

    def get(self, tx: Transaction, id: int) -> Parcel | None:
        """One parcel."""
        row = sql(tx).execute(select(inbox).where(inbox.c.id == id)).mappings().first()
        return None if row is None else _parcel(row)


def prune(tx: Transaction, before: datetime) -> int:
    """Forget what came in before a time and does not wait any more, raw bodies included; how many those were."""
    return sql(tx).execute(delete(inbox).where(inbox.c.received_at < before, inbox.c.state != "waiting")).rowcount


_INSERT = insert(inbox)
_KNOWN_IDS = select(inbox.c.connector, inbox.c.delivery_id).where(inbox.c.delivery_id.in_(bindparam("ids", expanding=True)))
_KNOWN_BODIES = (
    select(inbox.c.connector, inbox.c.digest, func.max(inbox.c.received_at, type_=UtcDateTime))
    .where(inbox.c.digest.in_(bindparam("digests", expanding=True)), inbox.c.received_at >= bindparam("since"))
    .group_by(inbox.c.connector, inbox.c.digest)
)
_LINE = select(inbox.c.id, inbox.c.size).where(_WAITING).order_by(inbox.c.id).limit(bindparam("most"))
_FINISH = (
    update(inbox)
    .where(inbox.c.id == bindparam("parcel"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        error=bindparam("new_error"),
        outcome=bindparam("new_outcome"),
    )
)


def _known_ids(tx: Transaction, deliveries: Iterable[tuple[Delivery, str]]) -> set[tuple[str, str]]:
    wanted = {vendor_id[:200] for _, vendor_id in deliveries if vendor_id}
    if not wanted:
        return set()
    return {(connector, found) for connector, found in sql(tx).execute(_KNOWN_IDS, {"ids": sorted(wanted)})}


def _known_bodies(
    tx: Transaction, deliveries: Sequence[tuple[Delivery, str]], digests: Sequence[str]
) -> dict[tuple[str, str], datetime]:
    """When each body last came in, for the deliveries that carry no id."""
    bare = [(d.received_at, digest) for (d, vendor_id), digest in zip(deliveries, digests, strict=True) if not vendor_id]
    if not bare:
        return {}
    since = min(at for at, _ in bare) - SAME_BODY
    wanted = {"digests": sorted({digest for _, digest in bare}), "since": since}
    found = sql(tx).execute(_KNOWN_BODIES, wanted)
    return {(connector, digest): at for connector, digest, at in found}


def _row(delivery: Delivery, vendor_id: str | None, digest: str) -> dict[str, object]:
    return {
        "connector": delivery.connector,
        "delivery_id": vendor_id,
        "digest": digest,
        "received_at": delivery.received_at,
        "headers": dump(delivery.headers),
        "query": dump(delivery.query),
        "size": len(delivery.body),
        "body": delivery.body,
        "state": "waiting",
        "attempts": 0,
        "error": "",
        "outcome": "",
    }


def _parcel(row: RowMapping) -> Parcel:
    delivery = Delivery(
        connector=row["connector"],
        headers=load(dict[str, str], row["headers"]),
        body=bytes(row["body"]),
        received_at=row["received_at"],
        query=load(dict[str, str], row["query"]),
    )
    return Parcel(row["id"], delivery, row["state"], row["attempts"], row["error"], row["outcome"])


def _free(tx: Transaction, key: int) -> bool:
    """True if no other replica has the line; then it is ours until the transaction ends. SQLite has one writer anyway."""
    if sql(tx).dialect.name != "postgresql":
        return True
    return bool(sql(tx).execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}).scalar_one())
