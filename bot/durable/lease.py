"""Who lives: a beat per replica, and taking over the work of those that no longer beat.

On SQLite there is one process (the lock file sees to it), so whatever runs under another owner's name is left over.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable

from sqlalchemy import delete, insert, select, update

from bot.durable.table import replica, work
from bot.durable.turn import TURN_LOCK, hand_back
from bot.durable.work import DurableWork, connection, now
from bot.ports import Database, Transaction

log = logging.getLogger(__name__)

LEASE = 10.0
BEAT = 2.0


def take_over_all(tx: Transaction, kept: DurableWork) -> int:
    """Everything that ran when the last process ended is ready again (SQLite, at start); how many there were."""
    return hand_back(connection(tx), kept.queues, now(tx, kept.clock), work.c.owner.is_not(None))


class Lease:
    """This replica's life among others (PostgreSQL): `owner` is its name, a new one after every loss."""

    def __init__(self, db: Database, kept: DurableWork, *, lease: float = LEASE, beat: float = BEAT) -> None:
        self.owner = uuid.uuid4().hex
        self._db = db
        self._kept = kept
        self._lease = lease
        self._beat = beat
        self._last_beat = time.monotonic()
        self._unbroken_since = time.monotonic()

    async def keep(self, lost: Callable[[], None]) -> None:
        """Beat until cancelled. `lost` is called when nobody could know for most of a lease that we live."""
        while True:
            await self._once(lost)
            await asyncio.sleep(self._beat)

    async def first(self) -> None:
        """Beat once, before anything is claimed under this name."""
        await self._db.write(lambda tx: self._write(tx, self.owner, judge=False))
        self._last_beat = self._unbroken_since = time.monotonic()

    async def _once(self, lost: Callable[[], None]) -> None:
        began = time.monotonic()
        if began - self._last_beat > 0.8 * self._lease:
            log.error("owner=%s could not beat for %.0f s; its work is given up", self.owner, began - self._last_beat)
            lost()
            self.owner = uuid.uuid4().hex
            self._unbroken_since = began
        judge = began - self._unbroken_since > self._lease
        try:
            await self._db.write(lambda tx: self._write(tx, self.owner, judge=judge))
        except Exception as error:  # noqa: BLE001  the work loop outlives its database
            log.warning("owner=%s could not beat: %s", self.owner, error)
            self._unbroken_since = time.monotonic()
            return
        self._last_beat = began

    def _write(self, tx: Transaction, owner: str, *, judge: bool) -> None:
        db, at = connection(tx), now(tx, self._kept.clock)
        if db.execute(update(replica).where(replica.c.id == owner).values(beat=at)).rowcount == 0:
            db.execute(insert(replica).values(id=owner, beat=at))
        # After an outage everybody looks dead: only who has beaten through a whole lease may judge.
        if not judge:
            return
        db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({TURN_LOCK})")
        alive = select(replica.c.id).where(replica.c.beat > at - self._lease)
        taken = hand_back(db, self._kept.queues, at, work.c.owner.not_in(alive))
        db.execute(delete(replica).where(replica.c.beat <= at - 10 * self._lease))
        if taken:
            self._kept.notify(tx)
            log.warning("owner=%s took over %d items of replicas that no longer beat", owner, taken)
