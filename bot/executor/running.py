"""The executor's loop: errands are taken, carried out a few at a time, and answered, until it is told to stop."""

import asyncio
import contextlib
import logging
from datetime import timedelta

from bot.domain.errand import LEASE, Errand, ErrandKind, ErrandState
from bot.errors import BotError, IllegalMove, Unavailable
from bot.executor.letters import Answer, failure_of, told
from bot.executor.mailboxes import HELLO
from bot.executor.work import Bench, NotOurs, carry_out
from bot.ports import Mailbox

log = logging.getLogger(__name__)
AT_ONCE = 8
WAIT = 5.0  # seconds that one request for an errand waits; the bot's door gives up after ten
LONGEST_PAUSE = 10.0  # seconds between two tries while the mailbox cannot be reached
ANSWERING = timedelta(minutes=10)  # an answer that nobody takes for so long is given up; another executor will ask the vendor
GRACE = 25.0  # seconds that errands get at the end


class Executor:
    """Takes errands from a mailbox and carries them out at a bench."""

    def __init__(self, mailbox: Mailbox, bench: Bench) -> None:
        self._mailbox, self._bench = mailbox, bench
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what is under way then gets a moment. What it does not end, another executor settles."""
        greeting = asyncio.create_task(self._greet())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                taking = asyncio.create_task(self._next())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    await asyncio.wait({taking})
                if not taking.cancelled():
                    taking.result()
        finally:
            greeting.cancel()
            stopping.cancel()
            await self._end()

    async def _next(self) -> None:
        """One errand is taken and on its way, or none came."""
        await self._room.acquire()
        handed = False
        try:
            errand = await self._mailbox.take(WAIT)
            self._heard("")
            if errand is not None:
                task = asyncio.create_task(self._one(errand))
                self._running.add(task)
                task.add_done_callback(self._done)
                handed = True
        except BotError as error:
            self._heard(str(error))
            await asyncio.sleep(1.0)
        finally:
            if not handed:
                self._room.release()

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an errand failed in a way that nobody foresaw", exc_info=error)

    async def _one(self, errand: Errand) -> None:
        job = _Job(errand, self._mailbox)
        keeping = asyncio.create_task(job.keep())
        try:
            answer = await self._answer(errand, job)
            await job.answer(told(answer))
        except NotOurs:
            log.warning("errand %s is not ours any more; nothing was started by us", errand.id)
        finally:
            keeping.cancel()

    async def _answer(self, errand: Errand, job: "_Job") -> Answer:
        try:
            answer = await carry_out(errand, self._bench, job.begin)
        except BotError as error:
            log.warning("errand %s (%s of %s): %s", errand.id, errand.kind.value, errand.deployer, error)
            return Answer(failure_of(error))
        except NotOurs:
            raise
        except Exception:  # the work loop's edge: whoever waits hears of it, and the next errand is taken
            log.exception("errand %s (%s of %s) failed", errand.id, errand.kind.value, errand.deployer)
            said = "The executor failed in a way that nobody foresaw; its log says how."
            begun = job.errand.state is ErrandState.BEGUN
            return Answer(failure_of(Unavailable(said) if begun else IllegalMove(said)))
        what = answer.run.state.value if answer.run is not None else "answered"
        level = logging.INFO if errand.kind in (ErrandKind.START, ErrandKind.CANCEL) else logging.DEBUG
        log.log(level, "errand %s (%s of %s): %s", errand.id, errand.kind.value, errand.deployer, what)
        return answer

    async def _greet(self) -> None:
        while True:
            try:
                await self._mailbox.hello()
            except BotError as error:
                self._heard(str(error))
            await asyncio.sleep(HELLO.total_seconds())

    def _heard(self, trouble: str) -> None:
        """Said once when the mailbox is gone, and once when it is back."""
        if trouble and not self._away:
            log.error("no errand can be had: %s", trouble)
        elif not trouble and self._away:
            log.warning("errands can be had again")
        self._away = bool(trouble)

    async def _end(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)


class _Job:
    """An errand in our hands: its lease is renewed while it is carried out; one change of it at a time."""

    def __init__(self, errand: Errand, mailbox: Mailbox) -> None:
        self.errand = errand
        self._mailbox = mailbox
        self._one = asyncio.Lock()
        self._lost = False

    async def keep(self) -> None:
        while not self._lost:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            async with self._one:
                with contextlib.suppress(BotError):
                    kept = await self._mailbox.keep(self.errand)
                    self._lost = kept is None
                    self.errand = kept or self.errand

    async def begin(self) -> bool:
        """A reply that was lost is asked for again; while nobody knows, nothing is begun."""
        loop = asyncio.get_running_loop()
        async with self._one:
            for pause in (0.2, 1.0, 2.0):
                asked_at = loop.time()
                try:
                    begun = await self._mailbox.begin(self.errand)
                    break
                except Unavailable:
                    await asyncio.sleep(pause)
            else:
                begun = None
            if begun is None or self._lost:
                return False
            self.errand = begun
        return loop.time() - asked_at < LEASE.total_seconds()  # who stood still meanwhile has lost it

    async def answer(self, text: str) -> None:
        """It is said until somebody takes it."""
        loop, pause = asyncio.get_running_loop(), 0.2
        end = loop.time() + ANSWERING.total_seconds()
        while True:
            try:
                async with self._one:
                    if not await self._mailbox.answer(self.errand, text):
                        log.info("nobody waits any more for the answer to %s", self.errand.id)
                    return
            except Unavailable:
                if loop.time() > end:
                    raise
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
