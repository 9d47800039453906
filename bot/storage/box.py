"""The inbox's own file on SQLite: what comes in waits for nobody who writes in the database.

It lies beside the database under the same name with `.inbox` after it. Whoever opens the database reads the table in it
under its plain name; only the process at the door and what hears for itself write into it. What became of a delivery
stands in the database, so that it commits together with what the delivery caused.
"""

import contextlib
import sqlite3
from pathlib import Path

from bot.errors import BadSettings

VERSION = 1
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS inbox (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        connector VARCHAR(80) NOT NULL,
        delivery_id VARCHAR(200),
        digest VARCHAR(32) NOT NULL,
        received_at DATETIME NOT NULL,
        headers TEXT NOT NULL,
        "query" TEXT NOT NULL,
        size INTEGER NOT NULL,
        body BLOB NOT NULL
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS uq_inbox_delivery ON inbox (connector, delivery_id) WHERE delivery_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS ix_inbox_digest ON inbox (digest, received_at)",
)
# The table as it lay in the database up to schema 0004, and lies in a backup.
PACK = """CREATE TABLE main.inbox AS
    SELECT id, connector, delivery_id, digest, received_at, headers, "query", size, body FROM box.inbox"""
_UNPACK = 'SELECT id, connector, delivery_id, digest, received_at, headers, "query", size, body FROM main.inbox'
_INTO = """INSERT OR IGNORE INTO inbox (id, connector, delivery_id, digest, received_at, headers, "query", size, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def box_of(database: Path) -> Path:
    """Where the inbox of a database lies."""
    return database.with_name(database.name + ".inbox")


def prepare(box: Path) -> None:
    """Make the file if there is none. Raises BadSettings if a newer Tocsin wrote it, or if it is damaged."""
    with contextlib.closing(connect(box)) as file:
        try:
            (found,) = file.execute("PRAGMA user_version").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise BadSettings(
                f"{box} is damaged ({error}). Move it and its -wal and -shm away and start again: only what had come in and "
                "was not worked on yet is in no other place; `tocsin db restore` brings back a backup."
            ) from None
        if found > VERSION:
            raise BadSettings(f"{box} was written by a newer Tocsin. Install that version again, or restore a backup.")
        file.execute("PRAGMA journal_mode=WAL")
        if found < VERSION:
            file.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA:
                file.execute(statement)
            file.execute(f"PRAGMA user_version={VERSION}")
            file.execute("COMMIT")
    box.chmod(0o600)  # raw bodies: nobody else reads them


def connect(file: Path, *, only_read: bool = False) -> sqlite3.Connection:
    """A connection on which we say BEGIN ourselves, and that can attach by address."""
    return sqlite3.connect(
        address(file, only_read=only_read), uri=True, isolation_level=None, timeout=10, check_same_thread=False
    )


def address(file: Path, *, only_read: bool = False) -> str:
    """The file as SQLite's URI."""
    return file.resolve().as_uri() + ("?mode=ro" if only_read else "")


def take_over(box: Path, database: sqlite3.Connection) -> None:
    """What stands in the database's own table `inbox` stands in the box too, durably; what is there already stays.

    Up to schema 0004 deliveries lay there, and in a backup they do. Doing it twice is doing it once.
    """
    with contextlib.closing(connect(box)) as file:
        file.execute("PRAGMA synchronous=FULL")
        file.execute("BEGIN IMMEDIATE")
        file.executemany(_INTO, database.execute(_UNPACK))
        file.execute("COMMIT")


def number_on(box: Path, database: Path) -> None:
    """A new delivery's number is above all that are settled, even if the box was lost: a lower one would never be looked at."""
    with contextlib.closing(connect(box)) as file:
        file.execute("ATTACH DATABASE ? AS house", (address(database, only_read=True),))
        if not file.execute("SELECT 1 FROM house.sqlite_master WHERE name = 'inbox_settled'").fetchone():
            return
        (through,) = file.execute("SELECT coalesce(max(through), 0) FROM house.inbox_settled").fetchone()
        (highest,) = file.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'inbox'").fetchone()
        if highest < through:
            file.execute("BEGIN IMMEDIATE")
            file.execute("DELETE FROM sqlite_sequence WHERE name = 'inbox'")
            file.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('inbox', ?)", (through,))
            file.execute("COMMIT")
