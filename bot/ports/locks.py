"""Where locks on services are kept."""

from datetime import datetime
from typing import Protocol

from bot.domain.lock import Lock
from bot.ports.work import Transaction


class LockStore(Protocol):
    """Locks, one per service and environment; every write is compare-and-set."""

    def get(self, tx: Transaction, service: str, environment: str) -> Lock | None:
        """The lock that stands there, also one whose time is over."""

    def held(self, tx: Transaction, now: datetime) -> tuple[Lock, ...]:
        """All that have not ended, by environment and service."""

    def put(self, tx: Transaction, before: Lock | None, after: Lock) -> Lock | None:
        """`after` in place of `before` (None: of nothing) if nobody was faster; else None."""

    def drop(self, tx: Transaction, lock: Lock) -> bool:
        """The lock is gone; False if it was changed meanwhile."""
