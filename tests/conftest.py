"""What every test gets: no network beyond this machine, a clock that stands still, a fresh database on request."""

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.durable.table import metadata as work_metadata
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, metadata, sql
from tests.fakes import FakeClock


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


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    """A fresh SQLite database with the table of every store that the test module imported, and the work table."""
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    database.open(migrate=False)

    def create(tx: Transaction) -> None:
        metadata.create_all(sql(tx))
        work_metadata.create_all(sql(tx))

    database.write_now(create)
    yield database
    database.close()
