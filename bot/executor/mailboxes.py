"""An executor's mailbox in the bot's own database. Of several executors one gets an errand, and one at most begins it."""

import asyncio
from datetime import timedelta

from bot.domain.errand import Errand, ErrandState, Presence
from bot.ports import Clock, Database, ErrandStore, Transaction

SHORTEST, LONGEST, GROWS = 0.05, 0.5, 1.3  # seconds between two looks, growing while nothing comes
HELLO = timedelta(seconds=5)  # how often an executor says that it is there


class DatabaseMailbox:
    """ports.errands.Mailbox on a database, for the executor of this name."""

    def __init__(self, db: Database, store: ErrandStore, clock: Clock, name: str, deployers: tuple[str, ...]) -> None:
        self._db, self._store, self._clock = db, store, clock
        self._name, self._deployers = name, deployers

    async def reach(self) -> None:
        """The tables are there and can be read."""
        await self._db.read(lambda tx: self._store.free(tx, self._clock(), self._deployers))

    async def hello(self) -> None:
        """Tell that this executor is there."""
        here = Presence(self._name, self._clock(), self._deployers)
        await self._db.write(lambda tx: self._store.see(tx, here))

    async def take(self, wait: float) -> Errand | None:
        """The next errand; looks are reads, so that nobody who writes is held up while there is none."""
        end = asyncio.get_running_loop().time() + wait
        pause = SHORTEST
        while True:
            if await self._db.read(lambda tx: self._store.free(tx, self._clock(), self._deployers)) is not None:
                taken = await self._db.write(self._take)
                if taken is not None:
                    return taken
            if asyncio.get_running_loop().time() + pause > end:
                return None
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * GROWS)

    def _take(self, tx: Transaction) -> Errand | None:
        now = self._clock()
        found = self._store.free(tx, now, self._deployers)
        return self._store.move(tx, found, found.taken(self._name, now)) if found is not None else None

    async def begin(self, errand: Errand) -> Errand | None:
        """Asked again after a lost reply, it is begun once."""

        def go(tx: Transaction) -> Errand | None:
            now = self._clock()
            there = self._store.get(tx, errand.id)
            if there is None or there.taken_by != self._name:
                return None
            if there.state is ErrandState.BEGUN and there.version == errand.version + 1:
                return there
            if there.version != errand.version or there.state is not ErrandState.TAKEN or now >= there.expires_at:
                return None
            return self._store.move(tx, there, there.begun(now))

        return await self._db.write(go)

    async def keep(self, errand: Errand) -> Errand | None:
        """Another lease."""
        return await self._db.write(
            lambda tx: self._store.move(tx, errand, errand.kept(self._clock())) if self._mine(tx, errand) else None
        )

    async def answer(self, errand: Errand, answer: str) -> bool:
        """What came of it; said again after a lost reply, it is said once."""

        def go(tx: Transaction) -> bool:
            there = self._store.get(tx, errand.id)
            if there is None:
                return False
            if there.answered and there.taken_by == self._name and there.answer == answer:
                return True
            return self._mine(tx, errand) and self._store.move(tx, there, there.with_answer(answer)) is not None

        return await self._db.write(go)

    def _mine(self, tx: Transaction, errand: Errand) -> bool:
        there = self._store.get(tx, errand.id)
        held = there is not None and there.taken_by == self._name and not there.answered
        return held and there is not None and there.version == errand.version
