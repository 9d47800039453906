"""The store of what was learned from confirmed causes."""

from datetime import datetime
from typing import Protocol

from bot.domain.learning import Learned
from bot.ports.work import Transaction


class WeightStore(Protocol):
    """Every attempt to learn, adopted or not; one is in force."""

    def current(self, tx: Transaction) -> Learned | None:
        """The one in force, or None as long as the shipped weights were never replaced."""

    def history(self, tx: Transaction) -> tuple[Learned, ...]:
        """Every attempt, the newest first."""

    def keep(self, tx: Transaction, attempt: Learned) -> None:
        """Add an attempt; it is in force from its time on if it was adopted. Old ones that never were are dropped."""

    def use(self, tx: Transaction, number: int, at: datetime, *, pinned: bool) -> Learned | None:
        """Attempt `number`, or 0 for the shipped weights, is in force from now on; None if there is no such attempt."""
