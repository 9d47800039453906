"""A copy of the embedded database, taken beside a running bot and put back while it is stopped. SQLite only.

Vectors are not in it: they are made again from the runbooks and the incidents.
"""

import contextlib
import os
import sqlite3
from datetime import datetime
from pathlib import Path

from bot.errors import BadSettings
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
        with contextlib.closing(_connect(copy)) as source, contextlib.closing(sqlite3.connect(fresh)) as target:
            source.backup(target)
        fresh.chmod(0o600)
        aside = _put_aside(database, now)
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


def _put_aside(database: Path, now: datetime) -> Path | None:
    """Move a database, with what belongs to it, out of the way."""
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.before-restore-{now:%Y%m%dT%H%M%S}")
    for companion in ("", *COMPANIONS):
        file = database.with_name(database.name + companion)
        if file.exists():
            file.replace(aside.with_name(aside.name + companion))
    return aside


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
