"""What the database of a trial holds, looked at beside its processes."""

import sqlite3
from typing import Any

import psycopg

from bot.domain.action import Action
from bot.storage.codec import load
from bot.storage.database import SqlDatabase
from bot.storage.ledger import SqlLedger
from tests.once.house import PAST


class Books:
    """What the database of a trial holds, beside its bots."""

    def __init__(self, url: str) -> None:
        self._url = url
        if url.startswith("sqlite"):
            path = url.removeprefix("sqlite:///")
            self._open: Any = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        else:
            self._open = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a question finds."""
        found: list[tuple[Any, ...]] = self._open.execute(query).fetchall()
        return found

    def actions(self) -> list[Action]:
        """All actions of the trial, the oldest first."""
        query = f"SELECT body FROM actions WHERE id NOT LIKE '{PAST}%' ORDER BY created_at, id"
        return [load(Action, body) for (body,) in self.rows(query)]

    def told(self) -> list[tuple[str, str]]:
        """What the audit has, in its order: of what it tells (an action's id), and what was done."""
        return [(subject, deed) for subject, deed in self.rows("SELECT subject, deed FROM ledger ORDER BY seq")]

    def action(self, id: str) -> Action:
        """One of them."""
        [(body,)] = self.rows(f"SELECT body FROM actions WHERE id = '{id}'")
        return load(Action, body)

    def idle(self) -> bool:
        """Nothing waits to be shown or done, but what waits for people's time to run out."""
        query = "SELECT count(*) FROM work WHERE state IN ('ready', 'running') AND queue IN ('actions', 'slack')"
        return self.rows(f"{query} AND name != 'expire_action'") == [(0,)]

    def whole(self) -> bool:
        """The audit's chain is unbroken."""
        database = SqlDatabase(self._url)
        database.open(migrate=False, beside=not database.postgres)
        try:
            return database.read_now(SqlLedger().broken_at) is None
        finally:
            database.close()

    def close(self) -> None:
        """No more questions."""
        self._open.close()
