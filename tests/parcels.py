"""What came in with what became of it, asked beside a bot in its database's own words."""

import sqlite3
from pathlib import Path

from bot.storage.box import address, box_of, connect

PARCELS = "(SELECT i.*, coalesce(o.state, 'waiting') AS state FROM inbox i LEFT JOIN outcomes o ON o.parcel_id = i.id) AS parcels"


def beside(database: Path) -> sqlite3.Connection:
    """A connection to a bot's SQLite database that reads its inbox too."""
    connection = connect(database, only_read=True)
    connection.execute("ATTACH DATABASE ? AS box", (address(box_of(database), only_read=True),))
    return connection
