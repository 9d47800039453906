"""A merge outlives kill -9 whole, or it never was: no half of it is ever seen."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.incident import Incident, Status
from bot.storage.database import SqlDatabase
from tests.fakes import FakeClock
from tests.flows.merging_process import the_desk
from tests.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.promise]
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tocsin.db"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.a_database() as fresh:
        yield fresh


def after_a_kill(url: str, statements: int) -> list[Incident]:
    """Both incidents as they are once the process that merged them was killed after so many statements."""
    command = [sys.executable, "-m", "tests.flows.merging_process", url, str(statements)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert [child.stdout.readline().strip() for _ in range(2)] == ["begins", "middle"]
        child.kill()
    database = SqlDatabase(url)
    database.open()
    try:
        desk = the_desk(database, FakeClock())
        return sorted(database.read_now(lambda tx: desk.incidents.recent(tx)), key=lambda i: i.number)
    finally:
        database.close()


def test_a_merge_that_was_killed_in_the_middle_never_was(url: str) -> None:
    first, second = after_a_kill(url, 3)
    assert [i.status for i in (first, second)] == [Status.OPEN, Status.OPEN]
    assert [[m.service for m in i.members] for i in (first, second)] == [["payments"], ["search"]]
    assert first.merged_into == second.merged_into == ""


def test_a_merge_that_was_killed_right_afterwards_is_whole(url: str) -> None:
    first, second = after_a_kill(url, 0)
    assert (first.status, first.merged_into, first.members) == (Status.CLOSED, second.key, ())
    assert sorted(m.service for m in second.members) == ["payments", "search"]
