"""A process for test_noise_kill: learns that an alert clears by itself, holds its next fire, says so, and waits to be killed."""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

from bot.domain.alert import Severity
from bot.domain.noise import NoiseLimits
from bot.durable.work import DurableWork
from bot.flows.alerts import on_alerts
from bot.flows.desk import Desk
from bot.ports import Work
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, an_alert

LIMITS = NoiseLimits(longest_hold=3, transient_samples=5, armed=True)


def the_desk(database: SqlDatabase, clock: FakeClock, work: DurableWork) -> Desk:
    """The desk of both processes."""
    return a_desk(database, clock, work=cast(Work, work), quiet=LIMITS, new_id=lambda: str(uuid4()))


def main(url: str) -> None:
    """Runs until it is killed."""
    database = SqlDatabase(url)
    database.open()
    clock = FakeClock(datetime.now(UTC) - timedelta(days=1))
    desk = the_desk(database, clock, DurableWork())
    for _ in range(6):
        alert = an_alert(service="search", severity=Severity.SEV3, started_at=clock())
        database.write_now(lambda tx, a=alert: on_alerts(tx, [a], desk))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        clock.advance(seconds=1)
        over = an_alert(service="search", severity=Severity.SEV3, started_at=alert.started_at, resolved=True, ended_at=clock())
        database.write_now(lambda tx, a=over: on_alerts(tx, [a], desk))  # type: ignore[misc]  # as above
        clock.advance(hours=2)
    clock.set(datetime.now(UTC))
    database.write_now(lambda tx: on_alerts(tx, [an_alert(service="search", severity=Severity.SEV3, started_at=clock())], desk))
    (held,) = database.read_now(lambda tx: desk.noise.held(tx))
    print(held.fingerprint, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
