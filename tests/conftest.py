"""What every test gets: no network beyond this machine, a clock that stands still, a fresh database on request."""

import ipaddress
import socket
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from bot.durable.table import metadata as work_metadata
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, metadata, sql
from tests.fakes import FakeClock
from tests.postgres import Postgres, a_server

SECOND_TRIES = 3  # in one run; more is no bad luck

# Examples are the same in every run and may take their time on a busy machine; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A slow test drives real programs on a machine that others use: it may be tried twice, unless it holds a promise."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("promise"):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=3))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Second tries are named at the end of a run, and too many of them fail it."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal and len(again := terminal.stats.get("rerun", [])) > SECOND_TRIES:
        terminal.write_line(f"\n{len(again)} tests were tried twice; more than {SECOND_TRIES} fail the run.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Half characters that a test logs do not stop a parallel run, whose workers can only send whole ones."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "replace").decode()) for title, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket to anywhere but loopback is an error that names the address."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        _refuse_far(self, address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        _refuse_far(self, address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)


def _refuse_far(sock: socket.socket, address: Any) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0])
    try:
        near = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        near = host == "localhost"
    if not near:
        raise AssertionError(f"A test tried to reach {address}; tests stay on this machine.")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until told otherwise."""
    return FakeClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test run."""
    with a_server() as server:
        yield Postgres(server.url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    """A fresh database, once SQLite and once PostgreSQL, with the tables of the stores and the work table.

    On SQLite they are those of the stores that the test module imported, on PostgreSQL those of the migrations.
    """
    if request.param == "postgresql":
        database = SqlDatabase(request.getfixturevalue("postgres").emptied())
        database.open(migrate=False)
        yield database
        database.close()
        return
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    database.open(migrate=False)

    def create(tx: Transaction) -> None:
        metadata.create_all(sql(tx))
        work_metadata.create_all(sql(tx))

    database.write_now(create)
    yield database
    database.close()


@pytest.fixture
def opened(postgres: Postgres) -> Iterator[SqlDatabase]:
    """A fresh PostgreSQL database; `replica_of` opens it once more."""
    with postgres.a_database() as url:
        database = SqlDatabase(url)
        database.open()
        yield database
        database.close()
