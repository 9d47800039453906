"""Reports of a change may come twice and in any order; what is kept is the furthest that it got."""

from datetime import timedelta
from itertools import permutations

import pytest

from bot.domain.change import ChangeStatus
from bot.storage.changes import SqlChangeStore, merged
from bot.storage.database import SqlDatabase
from tests.fakes import NOON, a_change

STORE = SqlChangeStore()
MINUTE = timedelta(minutes=1)
REPORTS = (
    a_change(status=ChangeStatus.PENDING, at=NOON, services=(), files=("a.py",)),
    a_change(status=ChangeStatus.RUNNING, at=NOON + MINUTE, version=""),
    a_change(status=ChangeStatus.SUCCEEDED, at=NOON + 2 * MINUTE, author=""),
)


@pytest.mark.parametrize("order", permutations(REPORTS))
def test_a_change_never_goes_back_and_forgets_nothing(database: SqlDatabase, order: tuple[object, ...]) -> None:
    for report in order:
        database.write_now(lambda tx, report=report: STORE.save(tx, [report]))
    kept = database.read_now(lambda tx: STORE.get(tx, REPORTS[0].id))
    assert kept is not None
    assert (kept.status, kept.at) == (ChangeStatus.SUCCEEDED, NOON + 2 * MINUTE)
    assert (kept.services, kept.version, kept.author, kept.files) == (("payments",), "v43", "olivia", ("a.py",))


def test_of_two_ends_the_later_counts() -> None:
    failed = a_change(status=ChangeStatus.FAILED, at=NOON)
    again = a_change(status=ChangeStatus.SUCCEEDED, at=NOON + MINUTE)
    assert merged(failed, again) == merged(again, failed) == again


def test_a_span_of_time_holds_its_changes_oldest_first(database: SqlDatabase) -> None:
    some = [a_change(id=f"c{n}", at=NOON + n * MINUTE) for n in (3, 1, 2, 9)]
    database.write_now(lambda tx: STORE.save(tx, some))
    found = database.read_now(lambda tx: STORE.between(tx, NOON + MINUTE, NOON + 3 * MINUTE))
    assert [c.id for c in found] == ["c1", "c2", "c3"]
    assert database.read_now(lambda tx: STORE.get(tx, "nothing")) is None
