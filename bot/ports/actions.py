"""Where changes of production are kept: actions, the audit trail, locks."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

from bot.domain.action import Action
from bot.domain.audit import AuditLine, Head, Misfit
from bot.domain.interaction import LedgerEntry
from bot.domain.lock import Lock
from bot.ports.work import Transaction


class ActionStore(Protocol):
    """Actions; every move is compare-and-set."""

    def hold(self, tx: Transaction) -> None:
        """From here until this transaction ends nobody else adds one: who looks first may add after."""

    def add(self, tx: Transaction, action: Action) -> Action:
        """Keep a new one."""

    def get(self, tx: Transaction, id: str) -> Action | None:
        """One action."""

    def move(self, tx: Transaction, before: Action, after: Action) -> Action | None:
        """Replace `before` by `after` if nobody was faster (version and status unchanged); else None."""

    def of_batch(self, tx: Transaction, batch: str) -> tuple[Action, ...]:
        """The actions of one batch, in no order that means anything."""

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[Action, ...]:
        """The actions of one incident, newest first."""

    def of_step(self, tx: Transaction, step: str, service: str, environment: str) -> tuple[Action, ...]:
        """The actions that a typed step of a runbook led to on a service, newest first, at most 200."""

    def stepped(self, tx: Transaction, since: datetime) -> tuple[Action, ...]:
        """The actions that any typed step led to since a time, newest first."""

    def between(
        self, tx: Transaction, start: datetime, end: datetime, *, service: str = "", environment: str = "", most: int = 500
    ) -> tuple[Action, ...]:
        """Those asked for in a span of time, both ends included, newest first; of one service or environment if it is named."""

    def unfinished(self, tx: Transaction) -> tuple[Action, ...]:
        """All that have not ended, oldest first."""

    def since(self, tx: Transaction, at: datetime) -> tuple[Action, ...]:
        """All that were made since a time, oldest first."""


class Ledger(Protocol):
    """The audit trail: append-only, chained by hashes."""

    def append(self, tx: Transaction, at: datetime, actor: str, deed: str, subject: str, detail: Mapping[str, str]) -> None:
        """Write one line."""

    def entries(self, tx: Transaction, subject: str | None = None) -> tuple[LedgerEntry, ...]:
        """The lines of one subject, or all, oldest first."""

    def head(self, tx: Transaction) -> tuple[int, str]:
        """How many lines there are, and the hash of the last one ("" for none): posted, so that an outside anchor exists."""

    def lines(self, tx: Transaction, first: int = 1, last: int | None = None) -> Iterator[AuditLine]:
        """The lines from one number to another, oldest first, a batch in memory at a time; all that their hashes rest on."""

    def about(self, tx: Transaction, subject: str) -> tuple[AuditLine, ...]:
        """The lines of one subject in the same form, oldest first."""

    def span(self, tx: Transaction, since: datetime | None = None, until: datetime | None = None) -> tuple[int, int]:
        """The first and the last line of a span of time, `until` excluded; (1, 0) where there is none."""

    def done(self, tx: Transaction, deed: str, since: datetime) -> Iterator[tuple[str, datetime]]:
        """The subjects of a deed and when it was done, since a time, oldest first."""

    def misfit(self, tx: Transaction, heads: tuple[Head, ...] = ()) -> Misfit | None:
        """The first line that does not fit, also not with the heads that were kept outside; None if the chain is whole."""

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line whose hash does not fit, or None if the chain is whole."""


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
