"""ports.InboxStore: raw deliveries between 202 and done, and the memory that makes a second delivery harmless.

What came in is only ever added, by whoever `Database.keep`s it; on SQLite it lies in a file of its own (see `box`). What
became of it is written in the transaction of what it caused. A delivery waits while its outcome says so or it has none.
Numbers are given in the order of commits, and the line is worked on in order: all up to `through` have an outcome.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
)

from bot.ports import Delivery, Parcel, Transaction
from bot.storage.bulk import execute_many
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Prose
from bot.storage.database import UtcDateTime, alone, metadata, sql
from bot.storage.straight import DIALECT
from bot.storage.upsert import upsert

SAME_BODY = timedelta(seconds=60)  # without a vendor's id: later the same body is a repeat, not a second delivery
MOST_BYTES = 8 * 1024 * 1024  # of bodies that one take holds in memory
INBOX_LOCK = 0x70C516
ARRIVED = "tocsin_inbox"  # what waits again is told to all replicas; a new delivery wakes the one whose door it came through

AT_ONCE = 500  # deliveries that are forgotten in one transaction; the door waits for it

received = MetaData(naming_convention=metadata.naming_convention)  # what lies in the box on SQLite
inbox = Table(
    "inbox",
    received,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("connector", String(80), nullable=False),
    Column("delivery_id", Key(200)),
    Column("digest", String(32), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("headers", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_NAMED = inbox.c.delivery_id.is_not(None)
Index(
    "uq_inbox_delivery",
    inbox.c.connector,
    inbox.c.delivery_id,
    unique=True,
    sqlite_where=_NAMED,
    postgresql_where=_NAMED,
)
Index("ix_inbox_digest", inbox.c.digest, inbox.c.received_at)

outcomes = Table(
    "outcomes",
    metadata,
    Column("parcel_id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Prose, nullable=False),
    Column("outcome", Prose, nullable=False),
)
_AGAIN = text("state = 'waiting'")
Index("ix_outcomes_waiting", outcomes.c.parcel_id, sqlite_where=_AGAIN, postgresql_where=_AGAIN)

settled = Table(
    "inbox_settled",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("through", BigInteger, nullable=False),
)


Named = tuple[Delivery, str, str]  # with its vendor's id, if any, and the digest of its body


class SqlInboxStore:
    """ports.InboxStore. On PostgreSQL both ends lock, so that replicas neither keep nor take a thing twice."""

    def add(self, tx: Transaction, deliveries: Sequence[tuple[Delivery, str]]) -> list[bool]:
        """Keep deliveries with their vendor's delivery ids; False for one that is known already."""
        alone(tx, INBOX_LOCK)
        named = [(d, _as_kept(id) if id else "", hashlib.sha256(d.body).hexdigest()[:32]) for d, id in deliveries]
        ids, bodies = _known_ids(tx, named), _known_bodies(tx, named)
        verdicts, rows = [], []
        for delivery, id, digest in named:
            if id:
                new = (delivery.connector, id) not in ids
                ids.add((delivery.connector, id))
            else:
                body = (delivery.connector, digest)
                before = bodies.get(body)
                new = before is None or abs(delivery.received_at - before) > SAME_BODY
                bodies[body] = delivery.received_at if new or before is None else before
            verdicts.append(new)
            if new:
                rows.append(_row(delivery, id or None, digest))
        execute_many(tx, _INSERT, rows)
        return verdicts

    def take(self, tx: Transaction, most: int) -> list[Parcel]:
        """The oldest waiting parcels, held until this transaction ends: at most `most`, and not more than memory bears.

        Empty while another replica holds some.
        """
        if not _free(tx, INBOX_LOCK + 1):
            return []
        through = _through(tx)
        again = sql(tx).execute(_AGAIN_LINE, {"most": most, "through": through}).all()
        line = [*again, *sql(tx).execute(_LINE, {"most": most - len(again), "through": through})]
        total, taken = 0, list[int]()
        for id, size in line:
            total += size
            if taken and total > MOST_BYTES:
                break
            taken.append(id)
        if not taken:
            return []
        replayed = set(taken[: len(again)])
        query = _WHOLE.where(or_(inbox.c.id.in_(replayed), and_(inbox.c.id > through, inbox.c.id <= taken[-1])))
        return [_parcel(row) for row in sql(tx).execute(query.order_by(inbox.c.id)).mappings()]

    def finish(self, tx: Transaction, parcels: Sequence[Parcel]) -> None:
        """Store their new state, error and outcome."""
        if not parcels:
            return
        rows: list[dict[str, object]] = [
            {"parcel_id": p.id, "state": p.state, "attempts": p.attempts, "error": p.error, "outcome": p.outcome} for p in parcels
        ]
        upsert(tx, outcomes, rows)
        _settle(tx, {p.id for p in parcels if p.state != "waiting"})
        if sql(tx).dialect.name == "postgresql" and any(p.state == "waiting" for p in parcels):
            sql(tx).execute(text(f"SELECT pg_notify('{ARRIVED}', '')"))

    def waiting(self, tx: Transaction) -> int:
        """How many wait. On SQLite one number follows the other, so that none is counted."""
        beyond = _BEYOND_COUNTED if sql(tx).dialect.name == "postgresql" else _BEYOND
        through = {"through": _through(tx)}
        first: int = max(0, sql(tx).execute(beyond, through).scalar_one())
        again: int = sql(tx).execute(_AGAIN_COUNT, through).scalar_one()
        return first + again

    def recent(self, tx: Transaction, *, state: str | None, limit: int) -> list[Parcel]:
        """The newest parcels, of one state or all."""
        query = _WHOLE.order_by(inbox.c.id.desc()).limit(limit)
        if state == "waiting":
            query = query.where(_waits(_through(tx)))
        elif state is not None:
            query = query.where(outcomes.c.state == state)
        return [_parcel(row) for row in sql(tx).execute(query).mappings()]

    def last(self, tx: Transaction) -> dict[str, datetime]:
        """When the newest delivery that is still kept came, by connector."""
        newest = select(inbox.c.connector, func.max(inbox.c.received_at)).group_by(inbox.c.connector)
        return {connector: at for connector, at in sql(tx).execute(newest)}

    def get(self, tx: Transaction, id: int) -> Parcel | None:
        """One parcel."""
        row = sql(tx).execute(_WHOLE.where(inbox.c.id == id)).mappings().first()
        return None if row is None else _parcel(row)

    def old(self, tx: Transaction, before: datetime, after: int = 0) -> tuple[list[int], int | None]:
        """Numbers above `after` of what came in before a time and waits no more, some at once; where to go on, if anywhere."""
        through = _through(tx)
        looked = sql(tx).execute(_OLDEST, {"after": after, "through": through, "most": AT_ONCE}).all()
        again = set(sql(tx).execute(select(outcomes.c.parcel_id).where(_AGAIN)).scalars())
        old = [id for id, at in looked if at < before and id not in again]
        more = len(looked) == AT_ONCE and looked[-1][1] < before
        return old, looked[-1][0] if more else None

    def forget(self, tx: Transaction, ids: Sequence[int]) -> None:
        """These deliveries were never here, raw bodies included; for `Database.keep`."""
        execute_many(tx, _FORGET, [{"forgotten": id} for id in ids])

    def forget_outcomes(self, tx: Transaction) -> None:
        """What became of deliveries that are older than all that are kept is not told any more."""
        oldest = sql(tx).execute(select(func.min(inbox.c.id))).scalar_one()
        first = _through(tx) + 1 if oldest is None else oldest
        sql(tx).execute(delete(outcomes).where(outcomes.c.parcel_id < first))


_INSERT = insert(inbox)
_KNOWN_IDS = select(inbox.c.connector, inbox.c.delivery_id).where(inbox.c.delivery_id.in_(bindparam("ids", expanding=True)))
_KNOWN_BODIES = (
    select(inbox.c.connector, inbox.c.digest, func.max(inbox.c.received_at, type_=UtcDateTime))
    .where(inbox.c.digest.in_(bindparam("digests", expanding=True)), inbox.c.received_at >= bindparam("since"))
    .group_by(inbox.c.connector, inbox.c.digest)
)
# In SQLite's own words, for `Database.keep`.
_KNOWN_IDS_HERE = "SELECT connector, delivery_id FROM inbox WHERE delivery_id IN (SELECT value FROM json_each(?))"
_KNOWN_HERE = """SELECT connector, digest, max(received_at) FROM inbox
    WHERE digest IN (SELECT value FROM json_each(?)) AND received_at >= ? GROUP BY connector, digest"""
_WHOLE: Select[tuple[object, ...]] = select(
    inbox, outcomes.c.state, outcomes.c.attempts, outcomes.c.error, outcomes.c.outcome
).join_from(inbox, outcomes, outcomes.c.parcel_id == inbox.c.id, isouter=True)
_LINE = select(inbox.c.id, inbox.c.size).where(inbox.c.id > bindparam("through")).order_by(inbox.c.id).limit(bindparam("most"))
_AGAIN_LINE = (
    select(inbox.c.id, inbox.c.size)
    .join_from(outcomes, inbox, outcomes.c.parcel_id == inbox.c.id)
    .where(_AGAIN, outcomes.c.parcel_id <= bindparam("through"))
    .order_by(inbox.c.id)
    .limit(bindparam("most"))
)
_AGAIN_COUNT = select(func.count()).select_from(outcomes).where(_AGAIN, outcomes.c.parcel_id <= bindparam("through"))
_BEYOND = select(func.coalesce(func.max(inbox.c.id), 0) - bindparam("through", type_=BigInteger))
_BEYOND_COUNTED = select(func.count()).select_from(inbox).where(inbox.c.id > bindparam("through"))
_BETWEEN = select(inbox.c.id).where(inbox.c.id > bindparam("through"), inbox.c.id <= bindparam("until"))
_OLDEST = (
    select(inbox.c.id, inbox.c.received_at)
    .where(inbox.c.id > bindparam("after"), inbox.c.id <= bindparam("through"))
    .order_by(inbox.c.id)
    .limit(bindparam("most"))
)
_FORGET = delete(inbox).where(inbox.c.id == bindparam("forgotten"))


def _through(tx: Transaction) -> int:
    return sql(tx).execute(_THROUGH).scalar() or 0


_THROUGH = select(settled.c.through)


def _waits(through: int) -> ColumnElement[bool]:
    return or_(inbox.c.id > through, inbox.c.id.in_(select(outcomes.c.parcel_id).where(_AGAIN)))


def _settle(tx: Transaction, done: set[int]) -> None:
    """All up to the last of them have an outcome: who was left out of line on the way waits by its own."""
    through, until = _through(tx), max(done, default=0)
    if until <= through:
        return
    left = set(sql(tx).execute(_BETWEEN, {"through": through, "until": until}).scalars()) - done
    upsert(tx, outcomes, [{"parcel_id": id, "state": "waiting", "attempts": 0, "error": "", "outcome": ""} for id in left])
    upsert(tx, settled, [{"id": 1, "through": until}])


def _as_kept(id: str) -> str:
    """A vendor's id as its column holds it."""
    return _ID.process_bind_param(id[:200], DIALECT) or ""


_ID = Key(200)


def _known_ids(tx: Transaction, named: Sequence[Named]) -> set[tuple[str, str]]:
    wanted = sorted({id for _, id, _ in named if id})
    if not wanted:
        return set()
    if sql(tx).dialect.name == "postgresql":
        return {(connector, found) for connector, found in sql(tx).execute(_KNOWN_IDS, {"ids": wanted})}
    return {(connector, found) for connector, found in sql(tx).exec_driver_sql(_KNOWN_IDS_HERE, (dump(wanted),))}


def _known_bodies(tx: Transaction, named: Sequence[Named]) -> dict[tuple[str, str], datetime]:
    """When each body last came in, for the deliveries that carry no id."""
    bare = [(d.received_at, digest) for d, id, digest in named if not id]
    if not bare:
        return {}
    since = min(at for at, _ in bare) - SAME_BODY
    wanted = sorted({digest for _, digest in bare})
    if sql(tx).dialect.name == "postgresql":
        found = sql(tx).execute(_KNOWN_BODIES, {"digests": wanted, "since": since})
        return {(connector, digest): at for connector, digest, at in found}
    rows = sql(tx).exec_driver_sql(_KNOWN_HERE, (dump(wanted), f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"))
    return {(connector, digest): datetime.fromisoformat(at).replace(tzinfo=UTC) for connector, digest, at in rows}


def _row(delivery: Delivery, vendor_id: str | None, digest: str) -> dict[str, object]:
    return {
        "connector": delivery.connector,
        "delivery_id": vendor_id,
        "digest": digest,
        "received_at": delivery.received_at,
        "headers": dump(delivery.headers),
        "query": dump(delivery.query) if delivery.query else "{}",
        "size": len(delivery.body),
        "body": delivery.body,
    }


def _parcel(row: RowMapping) -> Parcel:
    delivery = Delivery(
        connector=row["connector"],
        headers=load(dict[str, str], row["headers"]),
        body=bytes(row["body"]),
        received_at=row["received_at"],
        query=load(dict[str, str], row["query"]),
    )
    return Parcel(row["id"], delivery, row["state"] or "waiting", row["attempts"] or 0, row["error"] or "", row["outcome"] or "")


def _free(tx: Transaction, key: int) -> bool:
    """True if no other replica has the line; then it is ours until the transaction ends. SQLite has one writer anyway."""
    if sql(tx).dialect.name != "postgresql":
        return True
    return bool(sql(tx).execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}).scalar_one())
