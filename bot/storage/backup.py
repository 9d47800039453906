"""A copy of the embedded database, taken beside a running bot and put back while it is stopped. SQLite only.

A backup is one file: the deliveries, which lie in a file of their own, stand in it as a table. Vectors are not in it: they
are made again from the runbooks and the incidents.
"""

import contextlib
import os
import sqlite3
from datetime import datetime
from pathlib import Path

from bot.errors import BadSettings
from bot.storage.box import PACK, address, box_of, connect, prepare, take_over
from bot.storage.lockfile import Lockfile

COMPANIONS = ("-wal", "-shm")


def backup(database: Path, target: Path) -> int:
    """Write a consistent copy of a database, which may be in use; its size in bytes. Raises BadSettings.

    The copy appears under its name only once it is whole and checked; nobody but its owner can read it.
    """
    if not database.exists():
        raise BadSettings(f"There is no database at {database}. Name its folder with --config.")
    if target.exists():
        raise BadSettings(f"{target} exists already; a backup never replaces a file. Choose another name.")
    part = target.with_name(target.name + ".part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with contextlib.closing(_connect(database)) as source, contextlib.closing(sqlite3.connect(part)) as copy:
            source.backup(copy, pages=1000)
            copy.execute("PRAGMA journal_mode=DELETE")
        _put_in(part, box_of(database))
        check_whole(part)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise BadSettings(f"The backup could not be written to {target}: {error}. Nothing was changed.") from None
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(copy: Path, database: Path, now: datetime) -> Path | None:
    """Put a backup in the place of a database; where the replaced one lies now. Raises BadSettings, also while a bot uses it."""
    if not copy.exists():
        raise BadSettings(f"There is no file {copy}.")
    check_whole(copy)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lockfile(database.with_name(database.name + ".lock"))
    lock.take()
    try:
        fresh = database.with_name(database.name + ".restoring")
        for left in _files(fresh):  # by a restore that was cut off
            left.unlink(missing_ok=True)
        with contextlib.closing(_connect(copy)) as source, contextlib.closing(connect(fresh)) as target:
            source.backup(target)
            _take_out(target, box_of(fresh))
        fresh.chmod(0o600)
        aside = _put_aside(database, now)
        if box_of(fresh).exists():
            box_of(fresh).replace(box_of(database))
        fresh.replace(database)
    finally:
        lock.release()
    return aside


def check_whole(copy: Path) -> None:
    """Raise BadSettings unless the file is a Tocsin database without damage."""
    try:
        with contextlib.closing(_connect(copy)) as database:
            sound = database.execute("PRAGMA integrity_check").fetchone()[0]
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise BadSettings(f"{copy} is not a backup that can be read: {error}.") from None
    if sound != "ok":
        raise BadSettings(f"{copy} is damaged ({str(sound)[:200]}); take another backup.")
    if not {"alembic_version", "incidents", "ledger"} <= tables:
        raise BadSettings(f"{copy} is an SQLite file, but not of Tocsin's.")


def _put_in(copy: Path, box: Path) -> None:
    """The deliveries stand in the copy too. They are copied last: what came in meanwhile waits in it."""
    if not box.exists():
        return
    with contextlib.closing(connect(copy)) as whole:
        if whole.execute("SELECT 1 FROM sqlite_master WHERE name = 'inbox'").fetchone():
            return  # of a Tocsin that had them there
        whole.execute("ATTACH DATABASE ? AS box", (address(box, only_read=True),))
        whole.execute(PACK)


def _take_out(database: sqlite3.Connection, box: Path) -> None:
    """The deliveries of a backup go into their own file; those of an older Tocsin do when the schema is brought up to date."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if {"inbox", "inbox_settled"} <= tables:
        prepare(box)
        take_over(box, database)
        database.execute("DROP TABLE inbox")


def _files(database: Path) -> list[Path]:
    """A database with all that belongs to it."""
    return [file.with_name(file.name + c) for file in (database, box_of(database)) for c in ("", *COMPANIONS)]


def _put_aside(database: Path, now: datetime) -> Path | None:
    """Move a database, with what belongs to it, out of the way."""
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.before-restore-{now:%Y%m%dT%H%M%S}")
    for file, kept in zip(_files(database), _files(aside), strict=True):
        if file.exists():
            file.replace(kept)
    return aside


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
