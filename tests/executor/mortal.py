"""An executor that is there to be killed, with the real database and a real command deployer.

    python -m tests.executor.mortal DATABASE FOLDER PUBLIC idempotent|plain [checked|begun|accepted]

It says `up`. At the moment that is named it says so and stands still: before the record that a start is attempted, between
that and the attempt, or between what the vendor said and the answer. Its lease is short: a test does not wait as people do.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.domain import errand as errands
from bot.domain.errand import Errand
from bot.executor import running, work
from bot.executor.fences import Fences
from bot.executor.keys import Verifier
from bot.executor.mailboxes import DatabaseMailbox
from bot.executor.work import Bench
from bot.ports import Order, Run
from bot.storage.database import SqlDatabase
from bot.storage.errands import SqlErrandStore
from tests.actions.mortal import real_deployer

LEASE = timedelta(seconds=1.5)


async def stand_still(moment: str) -> None:
    print(moment, flush=True)
    await asyncio.sleep(600)


class Slow:
    """A mailbox that begins nothing, or a deployer whose word is not passed on."""

    def __init__(self, real: Any, moment: str) -> None:
        self._real, self._moment = real, moment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def begin(self, errand: Errand) -> Errand | None:
        if self._moment == "checked":
            await stand_still("checked")
        begun: Errand | None = await self._real.begin(errand)
        if self._moment == "begun":
            await stand_still("begun")
        return begun

    async def start(self, order: Order) -> Run:
        run: Run = await self._real.start(order)
        if self._moment == "accepted":
            await stand_still("accepted")
        return run


async def main() -> None:
    path, folder, public, promise, *how = sys.argv[1:]
    for module, name, value in ((errands, "LEASE", LEASE), (running, "LEASE", LEASE), (work, "PAUSES", (0.0, 0.2, 0.4))):
        setattr(module, name, value)
    moment = how[0] if how else ""
    database = SqlDatabase(f"sqlite:///{path}")
    database.open(migrate=False, beside=True)
    box = DatabaseMailbox(database, SqlErrandStore(), lambda: datetime.now(UTC), f"exe-{os.getpid()}", ("shop",))
    deployer = Slow(real_deployer(Path(folder), promise == "idempotent"), moment)
    bench = Bench({"shop": deployer}, Verifier(public), Fences(), lambda: datetime.now(UTC))
    print("up", flush=True)
    await running.Executor(Slow(box, moment), bench).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main())
