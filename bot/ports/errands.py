"""How the bot and an executor of its own hand each other errands."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from bot.domain.errand import Errand, Presence
from bot.ports.work import Transaction


class ErrandStore(Protocol):
    """Errands and who carries them out; every change is compare-and-set by version."""

    def post(self, tx: Transaction, errand: Errand) -> Errand:
        """What stands under its id: this one, or the one that was there before."""

    def get(self, tx: Transaction, id: str) -> Errand | None:
        """One errand."""

    def free(self, tx: Transaction, now: datetime, deployers: Collection[str]) -> Errand | None:
        """The oldest for one of these deployers that an executor may take."""

    def move(self, tx: Transaction, before: Errand, after: Errand) -> Errand | None:
        """`after` in place of `before`; None if somebody was faster."""

    def drop(self, tx: Transaction, id: str) -> None:
        """A question that nobody waits for any more is gone."""

    def see(self, tx: Transaction, presence: Presence) -> None:
        """An executor is there."""

    def presences(self, tx: Transaction) -> tuple[Presence, ...]:
        """Executors, the one heard of last first."""


class Mailbox(Protocol):
    """Where an executor gets its errands: the bot's database, or its door by HTTPS. Every method raises Unavailable.

    After Unavailable of `begin` nobody knows whether it counts: nothing may be started, but `begin` may be asked again.
    """

    async def reach(self) -> None:
        """It can be reached; nobody is told of it."""

    async def hello(self) -> None:
        """Tell that this executor is there."""

    async def take(self, wait: float) -> Errand | None:
        """The next errand, which is then ours for a lease; None if none came within `wait` seconds."""

    async def begin(self, errand: Errand) -> Errand | None:
        """From now on the vendor may have heard of it. None: it is not ours any more, or its time is over; hands off."""

    async def keep(self, errand: Errand) -> Errand | None:
        """It stays ours for another lease; None: it is not ours any more."""

    async def answer(self, errand: Errand, answer: str) -> bool:
        """What came of it; False: it is not ours any more."""
