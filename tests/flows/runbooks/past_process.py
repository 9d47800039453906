"""A process for test_past_kill: a resolved incident's cause is confirmed, and the process dies while that becomes knowledge."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from typing import cast
from uuid import uuid4

from bot.domain.incident import Status
from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.runbooks import past
from bot.ports import Transaction, Work
from bot.storage.database import SqlDatabase
from bot.wiring import Stores, confirmed_incidents
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, a_member, an_incident


def the_desk(database: SqlDatabase, work: DurableWork) -> Desk:
    """The desk of both processes; its library reads the incidents of the database."""
    desk = a_desk(database, FakeClock(), work=cast(Work, work), new_id=lambda: str(uuid4()))
    desk.library._sources = (lambda: database.read_now(lambda tx: confirmed_incidents(tx, Stores())),)
    return desk


async def main(url: str, moment: str) -> None:
    """Runs until it kills itself: before the work begins, or in its last transaction."""
    database, work = SqlDatabase(url), DurableWork()
    database.open()
    desk = the_desk(database, work)
    await desk.library.sync()
    incident = an_incident(
        members=(a_member(name="HighErrorRate", service="payments", summary="18 % errors"),),
        service="payments",
        status=Status.RESOLVED,
        opened_at=NOON - timedelta(minutes=42),
        resolved_at=NOON,
        confirmed_cause="retries were raised",
        confirmed_by="U1",
        version=0,
    )

    def confirm(tx: Transaction) -> None:
        announce(tx, desk.incidents.save(tx, incident), desk)

    await desk.db.write(confirm)
    if moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)

    def die(_tx: Transaction, desk: Desk) -> None:
        print([d.id for d in desk.library.documents], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    past.note_news = die  # everything of it was done but for its last word
    await Worker(database, work, {"keep_past": lambda args: past.keep_past(args, desk)}).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
