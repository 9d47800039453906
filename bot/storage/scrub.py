"""What was deleted or replaced is gone from the files too, not only from the tables."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

from sqlalchemy import create_engine, make_url, text

from bot.errors import Unavailable
from bot.storage.box import box_of

PATIENCE = 30.0  # seconds that a running bot may keep the database to itself


def scrub(url: str) -> None:
    """Rewrite the database without what was deleted; a bot may run beside it. Raises Unavailable if it keeps us out.

    On SQLite both files are written anew and their write-ahead logs emptied. On PostgreSQL dead rows are given up
    (VACUUM); its own write-ahead log and backups go as its operator has set them to go.
    """
    where = make_url(url)
    if where.get_backend_name() == "postgresql":
        engine = create_engine(where, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM"))
        engine.dispose()
        return
    database = Path(cast(str, where.database))
    for file in (database, box_of(database)):
        try:
            with closing(sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)) as connection:
                connection.execute("PRAGMA secure_delete=ON")
                connection.execute("VACUUM")
                (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            raise Unavailable(_KEPT_OUT.format(error)) from error
        if busy:
            raise Unavailable(_KEPT_OUT.format("it is being read"))


_KEPT_OUT = "The tables are clean, but the file could not be rewritten ({}); run the command again in a minute."
