"""Group commit: requests that come in while a commit is on its way share the next one; each is answered after its own."""

import asyncio
import time
from collections.abc import Callable

from bot.errors import Unavailable
from bot.ports import Database, Delivery, InboxStore, Transaction

MOST_AT_ONCE = 500
FEW = 24  # of more than these a commit takes half: while it is on its way to the disk, the door reads the next
PATIENCE = 10.0  # seconds for a commit; then the senders are asked to come again
COUNT_AGAIN = 0.25  # seconds between counts of what waits; in between only our own additions are added

Group = list[tuple[Delivery, str, "asyncio.Future[bool]"]]


class Full(Exception):
    """So much waits that nothing more is taken."""


class Grouping:
    """Keeps deliveries durably, many per commit; never waits for anybody but the disk."""

    def __init__(
        self,
        db: Database,
        inbox: InboxStore,
        most_waiting: int,
        arrived: Callable[[int], None],
        took: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._db = db
        self._inbox = inbox
        self._most = most_waiting
        self._arrived = arrived
        self._took = took
        self._line: Group = []
        self._commits: asyncio.Task[None] | None = None
        self._waiting = 0
        self._counted_at = float("-inf")

    async def keep(self, delivery: Delivery, vendor_id: str) -> bool:
        """True when it is on disk, False if it was there before. Raises Full, or what the database raised."""
        return await self.put(delivery, vendor_id)

    def put(self, delivery: Delivery, vendor_id: str) -> "asyncio.Future[bool]":
        """`keep` to come. Raises Full at once if so much waits already."""
        if self._waiting + len(self._line) >= self._most and not self._stale:
            raise Full
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append((delivery, vendor_id, future))
        if self._commits is None:
            self._commits = asyncio.create_task(self._commit_all(), name="inbox-commit")
        return future

    @property
    def _stale(self) -> bool:
        return time.monotonic() - self._counted_at > COUNT_AGAIN

    def _refuse(self, group: Group, task: "asyncio.Task[list[bool]]") -> None:
        """What was not kept is said; what may still be kept is sent again, and recognised then."""
        slow = Unavailable(f"The database did not answer for {PATIENCE:g} s.")
        for _, _, future in group:
            if future.done():
                continue
            if not task.done():
                future.set_exception(slow)
            elif task.cancelled():
                future.cancel()
            else:
                future.set_exception(task.exception() or slow)
        if not task.done():
            task.add_done_callback(lambda late: late.cancelled() or late.exception())

    async def _commit_all(self) -> None:
        try:
            while self._line:
                size = min(MOST_AT_ONCE, max(FEW, len(self._line) // 2))
                group, self._line = self._line[:size], self._line[size:]
                await self._commit(group)
        finally:
            self._commits = None

    async def _commit(self, group: Group) -> None:
        began = time.perf_counter()
        # The outcome, good or bad, belongs to each of the requests: none may be left waiting.
        task = asyncio.create_task(self._keep([(delivery, vendor_id) for delivery, vendor_id, _ in group]))  # noqa: RUF006  the next line waits for it
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.done() or task.cancelled() or task.exception() is not None:
            self._refuse(group, task)
            return
        kept = task.result()
        new = sum(kept)
        self._waiting += new
        self._took(time.perf_counter() - began)
        for place, (_, _, future) in enumerate(group):
            if future.done():
                continue  # its sender went away
            if place < len(kept):
                future.set_result(kept[place])
            else:
                future.set_exception(Full())
        if new:
            self._arrived(new)

    async def _keep(self, deliveries: list[tuple[Delivery, str]]) -> list[bool]:
        """As many as there is room for."""
        if self._stale:
            self._waiting = await self._db.read(self._inbox.waiting)
            self._counted_at = time.monotonic()
        room = deliveries[: max(0, self._most - self._waiting)]

        def add(tx: Transaction) -> list[bool]:
            return self._inbox.add(tx, room)

        return await self._db.keep(add) if room else []
