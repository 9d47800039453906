"""One turn of a worker, in one transaction: write what ended, find again what was lost, claim what is due."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update
from sqlalchemy.engine import Row

from bot.durable.queues import Queue
from bot.durable.table import DEAD, READY, RUNNING, work
from bot.durable.work import connection, now
from bot.errors import TakenOver
from bot.ports import Scalar, Transaction

log = logging.getLogger(__name__)

TURN_LOCK = 0x70C515
CROWD = 1_000  # items in one partition: somebody starts more than can be done


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that is ours to run, this time; `attempts` counts this one."""

    seq: int
    id: str
    queue: str
    name: str
    args: Mapping[str, Scalar]
    owner: str
    attempts: int
    created_at: float

    @property
    def key(self) -> tuple[int, int]:
        """Which row, and which try."""
        return self.seq, self.attempts


@dataclass(frozen=True, slots=True)
class End:
    """How a claim ended. `wait`: seconds until it is tried again, where `state` is ready; `counted`: a try was used."""

    claim: Claim
    state: str
    error: str = ""
    wait: float = 0.0
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """What a worker asks of one turn; values only, since it is read in another thread.

    `held` are (seq, attempts) of all that this owner runs or has ended without having written it.
    """

    owner: str
    queues: Mapping[str, Queue]
    clock: Callable[[], float]
    ends: Sequence[End] = ()
    held: frozenset[tuple[int, int]] = frozenset()
    reconcile: bool = False
    claim: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a turn: what to run, which held items are no longer ours, when to look again (None: nothing waits)."""

    claims: list[Claim] = field(default_factory=list)
    lost: frozenset[tuple[int, int]] = frozenset()
    next_in: float | None = None


def take_turn(tx: Transaction, turn: Turn) -> Outcome:
    """Do it all, under one lock on PostgreSQL, where SKIP LOCKED alone could take two rows of one partition."""
    db = connection(tx)
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN_LOCK})
    at = now(tx, turn.clock)
    for end in turn.ends:
        _write_end(db, end, at)
    lost = _reconcile(db, turn, at) if turn.reconcile else frozenset()
    if not turn.claim:
        return Outcome(lost=lost)
    claims: list[Claim] = []
    next_at = _next_due(db, at)
    for queue in _waiting_queues(db, turn.queues, at):
        rows, held_until = _due(db, queue, at)
        claims += [_claim(db, row, turn.owner, at) for row in rows]
        next_at = min(next_at, held_until)
    return Outcome(claims, lost, None if next_at == NEVER else max(0.0, next_at - at))


NEVER = float("inf")


def hand_back(db: Connection, queues: Mapping[str, Queue], at: float, whose: ColumnElement[bool]) -> int:
    """Running rows of processes that are gone become ready; an item during which too many ended becomes dead.

    `whose` is a condition on the work table; returns how many rows there were.
    """
    left = and_(work.c.state == RUNNING, whose)
    died = {"owner": None, "crashes": work.c.crashes + 1}
    count = 0
    for queue in queues.values():
        reason = f"The process ended {queue.crashes} times while this ran, so it is not tried again until revived."
        too_often = update(work).where(left, work.c.queue == queue.name, work.c.crashes + 1 >= queue.crashes)
        count += db.execute(too_often.values({**died, "state": DEAD, "finished_at": at, "error": reason})).rowcount
    return count + db.execute(update(work).where(left).values({**died, "state": READY, "run_at": at})).rowcount


def fenced(tx: Transaction, claim: Claim) -> None:
    """Raise TakenOver unless this item is still ours; nobody takes it over before this transaction ends."""
    ours = (work.c.seq == claim.seq, work.c.owner == claim.owner, work.c.attempts == claim.attempts, work.c.state == RUNNING)
    if connection(tx).execute(select(work.c.seq).where(*ours).with_for_update(read=True)).first() is None:
        raise TakenOver(f"work={claim.id} was taken over by another replica; what this one still does with it is not kept.")


def _write_end(db: Connection, end: End, at: float) -> None:
    claim = end.claim
    values: dict[str, object] = {"state": end.state, "owner": None, "error": end.error}
    if end.state == READY:
        values["run_at"] = at + end.wait
        if not end.counted:
            values["attempts"] = claim.attempts - 1
    else:
        values["finished_at"] = at
    ours = (
        work.c.seq == claim.seq,
        work.c.owner == claim.owner,
        work.c.attempts == claim.attempts,
        work.c.state == RUNNING,
    )
    if db.execute(update(work).where(*ours).values(values)).rowcount == 0:
        log.warning("work=%s end=%s ignored: somebody else took this item over", claim.id, end.state)


def _reconcile(db: Connection, turn: Turn, at: float) -> frozenset[tuple[int, int]]:
    """Rows that we own without knowing it become ready (a claim whose reply was lost); says which held ones are not ours."""
    mine = (work.c.owner == turn.owner, work.c.state == RUNNING)
    rows = db.execute(select(work.c.seq, work.c.attempts).where(*mine)).all()
    ended = {e.claim.key for e in turn.ends}
    owned = {(row.seq, row.attempts) for row in rows}
    for seq, attempts in owned - turn.held:
        log.warning("work seq=%s was claimed by a turn whose answer was lost; it is ready again", seq)
        unclaim = update(work).where(*mine, work.c.seq == seq, work.c.attempts == attempts)
        db.execute(unclaim.values(state=READY, owner=None, run_at=at, attempts=attempts - 1))
    return turn.held - owned - ended


def _waiting_queues(db: Connection, queues: Mapping[str, Queue], at: float) -> list[Queue]:
    """The queues with anything due, so that a turn for nothing is cheap."""
    query = select(work.c.queue).distinct().where(work.c.state == READY, work.c.run_at <= at)
    return [queues[name] for name in db.execute(query).scalars() if name in queues]


def _next_due(db: Connection, at: float) -> float:
    query = select(func.min(work.c.run_at)).where(work.c.state == READY, work.c.run_at > at)
    found = db.execute(query).scalar_one()
    return NEVER if found is None else float(found)


def _due(db: Connection, queue: Queue, at: float) -> tuple[list[Row[tuple[object, ...]]], float]:
    """The rows of a queue that may start now, oldest first, and until when pace holds others back."""
    here = work.c.queue == queue.name
    heads = _heads(db, queue, at)
    loose_query = select(work.c.seq).where(here, work.c.state == READY, work.c.partition.is_(None), work.c.run_at <= at)
    busy = select(work.c.partition).where(here, work.c.state == RUNNING)
    running = db.execute(busy).scalars().all()
    free = queue.cap - len(running)
    if free <= 0:
        return [], NEVER
    held_until, seqs = _unpaced(db, queue, at, {p: s for p, s in heads.items() if p not in set(running)})
    seqs += db.execute(loose_query.order_by(work.c.seq).limit(free)).scalars().all()
    chosen = sorted(seqs)[:free]
    if not chosen:
        return [], held_until
    return list(db.execute(select(work).where(work.c.seq.in_(chosen)).order_by(work.c.seq)).all()), held_until


def _heads(db: Connection, queue: Queue, at: float) -> dict[str, int]:
    """The first item in line of each partition, where it is due. One in backoff keeps its place; one not yet due has none."""
    in_line = or_(work.c.run_at <= at, work.c.attempts > 0)
    lines = (
        select(work.c.partition, func.min(work.c.seq).label("seq"), func.count().label("waiting"))
        .where(work.c.queue == queue.name, work.c.state == READY, work.c.partition.is_not(None), in_line)
        .group_by(work.c.partition)
        .subquery()
    )
    query = select(lines.c.partition, lines.c.seq, lines.c.waiting).join(work, work.c.seq == lines.c.seq)
    heads = {}
    for partition, seq, waiting in db.execute(query.where(work.c.run_at <= at)):
        heads[partition] = seq
        if waiting >= CROWD and waiting % 100 == 0:
            log.warning("queue=%s partition=%s has %d items waiting", queue.name, partition, waiting)
    return heads


def _unpaced(db: Connection, queue: Queue, at: float, heads: dict[str, int]) -> tuple[float, list[int]]:
    """Those heads whose partition did not start anything within the queue's pace, and when the next of the rest may."""
    if not queue.pace or not heads:
        return NEVER, list(heads.values())
    query = (
        select(work.c.partition, func.max(work.c.started_at))
        .where(
            work.c.queue == queue.name,
            work.c.partition.in_(heads),
            work.c.started_at > at - queue.pace,
        )
        .group_by(work.c.partition)
    )
    recent = {partition: float(started) for partition, started in db.execute(query)}
    held_until = min((started + queue.pace for started in recent.values()), default=NEVER)
    return held_until, [seq for partition, seq in heads.items() if partition not in recent]


def _claim(db: Connection, row: Row[tuple[object, ...]], owner: str, at: float) -> Claim:
    values = {"state": RUNNING, "owner": owner, "attempts": row.attempts + 1, "started_at": at}
    db.execute(update(work).where(work.c.seq == row.seq).values(values))
    return Claim(row.seq, row.id, row.queue, row.name, json.loads(row.args), owner, row.attempts + 1, row.created_at)
