"""What is remembered of watched metrics, what was warned of, and deployments that settle in."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Protocol

from bot.domain.watch import Bake, Warned, Watched
from bot.ports.work import Transaction


class WatchStore(Protocol):
    """The memory of watching; all of it can be reset."""

    def states(self, tx: Transaction, services: Collection[str] = ()) -> tuple[Watched, ...]:
        """The series of these services, or all, by service and metric."""

    def keep(self, tx: Transaction, watched: Iterable[Watched]) -> None:
        """Insert or replace."""

    def count(self, tx: Transaction) -> int:
        """How many series are watched."""

    def reset(self, tx: Transaction, service: str = "", metric: str = "") -> int:
        """Forget what was learned: of one series, one service, or all. How many series."""

    def warn(self, tx: Transaction, warned: Iterable[Warned]) -> None:
        """Insert or replace by id."""

    def warnings(self, tx: Transaction, since: datetime | None = None) -> tuple[Warned, ...]:
        """Those that are not over, or with `since` those that began since then, the newest first."""

    def bake(self, tx: Transaction, bakes: Iterable[Bake]) -> None:
        """Insert or replace by id."""

    def bakes(self, tx: Transaction, since: datetime | None = None) -> tuple[Bake, ...]:
        """Those that are still looked at, or with `since` those that began since then, the newest first."""
