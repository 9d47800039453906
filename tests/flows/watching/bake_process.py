"""A process for test_bake_kill: a deployment begins to settle in, it says so, and waits to be killed."""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

from bot.domain.watch import WatchLimits
from bot.durable.work import DurableWork
from bot.flows.changes import on_changes
from bot.flows.desk import Desk
from bot.ports import Work
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, a_change
from tests.flows.watching.numbers import Numbers

LIMITS = WatchLimits(bake=timedelta(seconds=6))


def the_desk(database: SqlDatabase, clock: FakeClock, work: DurableWork) -> Desk:
    """The desk of both processes; payments is well."""
    names = ("error_ratio", "latency_seconds")
    numbers = Numbers({("payments", name): lambda _: 0.01 for name in names}, step=timedelta(seconds=1))
    id = lambda: str(uuid4())  # noqa: E731 - a field wants a function
    return a_desk(database, clock, work=cast(Work, work), watching=LIMITS, evidence_sources=(numbers,), new_id=id)


def main(url: str) -> None:
    """Runs until it is killed."""
    database = SqlDatabase(url)
    database.open()
    clock = FakeClock(datetime.now(UTC))
    desk = the_desk(database, clock, DurableWork())
    database.write_now(lambda tx: on_changes(tx, [a_change(at=clock())], desk))
    (bake,) = database.read_now(desk.watches.bakes)
    print(bake.id, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
