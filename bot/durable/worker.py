"""The worker: claims what is due, runs the handlers, writes how they ended, and hands back what it cannot finish."""

import asyncio
import logging
import time
import traceback
from collections.abc import Mapping

from bot.durable.lease import Lease, take_over_all
from bot.durable.queues import next_try
from bot.durable.table import DEAD, DONE, READY
from bot.durable.turn import Claim, End, Outcome, Turn, fenced, take_turn
from bot.durable.work import DurableWork, connection
from bot.ports import Database, Handler, fence
from bot.redact import redact

log = logging.getLogger(__name__)

RECONCILE = 30.0
LOOK = 2.0  # seconds without a wake-up, for one that was missed
LOOK_UNNOTIFIED = 0.25  # ... on PostgreSQL while nobody listens for what others start
AFTER_ERROR = 1.0
GAP = 3  # times what a turn took is left to others before the next one
LONGEST_GAP = 0.03
ERROR_LIMIT = 20_000  # characters of a traceback that are kept, from its end


class Worker:
    """Runs the work of one process. `run` until `stop`; a stopped worker is not run again."""

    def __init__(self, db: Database, work: DurableWork, handlers: Mapping[str, Handler]) -> None:
        self._db = db
        self._work = work
        self._handlers = dict(handlers)
        self._lease = Lease(db, work)
        self._wake = asyncio.Event()
        self._woken = False
        self._jobs: dict[asyncio.Task[End], Claim] = {}
        self._ends: list[End] = []
        self._given_up: set[tuple[int, int]] = set()
        self._postgres = False
        self._stopping = False
        self._give_up_at = float("inf")
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._reconcile_at = time.monotonic() + RECONCILE
        self._last_turn = time.monotonic()

    @property
    def healthy(self) -> bool:
        """It took a turn within the last 30 seconds."""
        return time.monotonic() - self._last_turn < 30

    @property
    def busy(self) -> int:
        """How many items it runs now."""
        return len(self._jobs)

    async def run(self) -> None:
        """Work until `stop`. Cancelling it is stopping it without grace."""
        loop = asyncio.get_running_loop()
        unhook = self._work.on_start(lambda: self._wake_from(loop))
        self._stopped.clear()
        main = asyncio.create_task(self._run(), name="durable-work")
        try:
            await asyncio.shield(main)
        except asyncio.CancelledError:
            await self.stop(grace=0)  # the turn in a thread commits or not, but nobody is left to say which
            raise
        finally:
            unhook()

    async def stop(self, grace: float = 10.0) -> None:
        """Claim nothing more, wait for what runs, cancel the rest after `grace` seconds and hand it back."""
        self._stopping = True
        self._give_up_at = time.monotonic() + grace + 5.0
        self._wake.set()
        if self._jobs:
            await asyncio.wait(set(self._jobs), timeout=grace)
        self._give_up_jobs()
        await self._stopped.wait()

    def _wake_from(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._woken:  # many starts are one wake-up
            self._woken = True
            loop.call_soon_threadsafe(self._wake.set)

    async def _run(self) -> None:
        beats: asyncio.Task[None] | None = None
        try:
            self._postgres = await self._begin()
            if self._postgres:
                beats = asyncio.create_task(self._lease.keep(self._give_up_jobs), name="durable-beat")
            while not self._finished:
                began = time.monotonic()
                wait = await self._turn()
                ended = time.monotonic()
                await self._sleep(wait)
                gap = min(LONGEST_GAP, GAP * (ended - began)) - (time.monotonic() - ended)
                if gap > 0 and len(self._jobs) > 1 and not self._stopping:  # what starts and ends meanwhile shares the next turn
                    await asyncio.sleep(gap)
        finally:
            if beats is not None:
                beats.cancel()
            self._stopped.set()

    @property
    def _look(self) -> float:
        return LOOK_UNNOTIFIED if self._postgres and not self._work.notified else LOOK

    @property
    def _finished(self) -> bool:
        idle = not self._jobs and not self._ends
        return self._stopping and (idle or time.monotonic() > self._give_up_at)

    async def _begin(self) -> bool:
        """Take over what is left, or say that we live; asks until the database answers. True on PostgreSQL."""
        while not self._stopping:
            try:
                name = await self._db.read(lambda tx: connection(tx).dialect.name)
                if name == "postgresql":
                    await self._lease.first()
                    return True
                left = await self._db.write(lambda tx: take_over_all(tx, self._work))
            except Exception as error:  # noqa: BLE001  the work loop outlives its database
                log.warning("durable work cannot begin yet: %s", error)
                await self._sleep(AFTER_ERROR)
            else:
                if left:
                    log.info("%d items that the last process left are ready again", left)
                return False
        return False

    async def _turn(self) -> float:
        """Take a turn; seconds until the next unless woken."""
        self._wake.clear()
        self._woken = False
        turn = Turn(
            owner=self._lease.owner,
            queues=self._work.queues,
            clock=self._work.clock,
            ends=tuple(self._ends),
            held=frozenset(c.key for c in (*self._jobs.values(), *(e.claim for e in self._ends))),
            reconcile=time.monotonic() >= self._reconcile_at,
            claim=not self._stopping,
        )
        try:
            outcome = await self._db.write(lambda tx: take_turn(tx, turn))
        except Exception:  # the work loop outlives whatever befalls a turn
            log.warning("a turn of the durable work failed; it is repeated", exc_info=True)
            self._reconcile_at = 0.0
            return AFTER_ERROR
        self._last_turn = time.monotonic()
        if turn.reconcile:
            self._reconcile_at = time.monotonic() + RECONCILE
        del self._ends[: len(turn.ends)]
        return self._act(outcome)

    def _act(self, outcome: Outcome) -> float:
        for task, claim in self._jobs.items():
            if claim.key in outcome.lost:
                log.warning("work=%s was taken over by somebody else; it is cancelled here", claim.id)
                self._given_up.add(claim.key)
                task.cancel()
        if self._stopping:  # it was claimed while the stop came
            self._ends += [End(claim, READY, counted=False) for claim in outcome.claims]
            return self._look if self._jobs else 0.0
        for claim in outcome.claims:
            task = asyncio.create_task(self._job(claim), name=f"work {claim.id}")
            self._jobs[task] = claim
            task.add_done_callback(self._ended)
        return self._look if outcome.next_in is None else min(self._look, outcome.next_in)

    async def _sleep(self, seconds: float) -> None:
        # Not asyncio.wait_for: on 3.11 it can swallow a cancellation.
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _job(self, claim: Claim) -> End:
        handler = self._handlers.get(claim.name)
        if handler is None:
            known = ", ".join(sorted(self._handlers)) or "none"
            return End(claim, DEAD, f"There is no handler {claim.name!r}; this Tocsin has {known}.")
        limit = self._work.queues[claim.queue].timeout
        if self._postgres:
            fence.set(lambda tx: fenced(tx, claim))
        try:
            async with asyncio.timeout(limit):
                await handler(claim.args)
        except asyncio.CancelledError as error:
            if claim.key in self._given_up:
                return End(claim, READY, counted=False)
            return self._failed(claim, error)
        except Exception as error:  # noqa: BLE001  the work loop is the edge where failures become retries
            return self._failed(claim, error)
        return End(claim, DONE)

    def _failed(self, claim: Claim, error: BaseException) -> End:
        text = _storable("".join(traceback.format_exception(error))[-ERROR_LIMIT:])
        queue = self._work.queues[claim.queue]
        wait = next_try(queue, error, claim.attempts, self._work.clock() - claim.created_at)
        if wait is None:
            log.error("work=%s name=%s attempts=%d given up: %s", claim.id, claim.name, claim.attempts, error)
            return End(claim, DEAD, text)
        log.warning("work=%s name=%s attempts=%d again in %.1f s: %r", claim.id, claim.name, claim.attempts, wait, error)
        return End(claim, READY, text, wait)

    def _ended(self, task: asyncio.Task[End]) -> None:
        claim = self._jobs.pop(task)
        self._given_up.discard(claim.key)
        # A task cancelled before its first step never reached our handling of it.
        self._ends.append(End(claim, READY, counted=False) if task.cancelled() else task.result())
        self._wake.set()

    def _give_up_jobs(self) -> None:
        for task, claim in self._jobs.items():
            self._given_up.add(claim.key)
            task.cancel()


def _storable(text: str) -> str:
    """Without secrets, and without what a database refuses: one such text would fail every turn from then on."""
    return redact(text).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
