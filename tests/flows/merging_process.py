"""A process for test_regroup_kill: merges two incidents and stands still after so many statements of it, to be killed there."""

import sys
import time
from itertools import count
from uuid import uuid4

from sqlalchemy import event

from bot.domain.request import Person
from bot.flows.alerts import on_alerts
from bot.flows.desk import Desk
from bot.flows.grouping import regroup
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, sql
from tests.desk import a_desk
from tests.fakes import FakeClock, an_alert


def the_desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    """The desk of both processes."""
    return a_desk(database, clock, new_id=lambda: str(uuid4()))


def main(url: str, statements: int) -> None:
    """Runs until it is killed; 0 statements: the merge is committed first."""
    database = SqlDatabase(url)
    database.open()
    clock = FakeClock()
    desk = the_desk(database, clock)
    for service, name, summary in (("payments", "HighErrorRate", "errors"), ("search", "DiskFull", "no room left")):
        alert = an_alert(service=service, name=name, summary=summary, started_at=clock(), labels={"pod": service})
        database.write_now(lambda tx, a=alert: on_alerts(tx, [a], desk))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        clock.advance(hours=5)

    def merge(tx: Transaction) -> None:
        first, second = sorted(desk.incidents.live(tx), key=lambda i: i.number)
        print("begins", flush=True)
        done = count(1)

        def stand_still(*_: object) -> None:
            if next(done) == statements:
                print("middle", flush=True)
                time.sleep(60)

        event.listen(sql(tx), "after_cursor_execute", stand_still)
        regroup.merge(tx, first, second, Person("U0OLIVIA"), desk)

    database.write_now(merge)
    print("middle", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
