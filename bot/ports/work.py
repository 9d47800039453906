"""The database and durable work."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

T = TypeVar("T")
Clock = Callable[[], datetime]
Scalar = str | int | float | bool | None


class Transaction(Protocol):
    """An open database transaction; only storage and durable look inside."""


class Database(Protocol):
    """Runs plain functions in transactions, away from the event loop."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run it in one transaction and commit; roll back if it raises. On SQLite one at a time."""

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        """`write` into the inbox, which on SQLite waits for no other writer and sees nothing else."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run it in a read transaction."""


fence: ContextVar[Callable[[Transaction], None] | None] = ContextVar("fence", default=None)
"""What every write of a running piece of work has to pass first: raises TakenOver once another replica has it."""


@dataclass(frozen=True, slots=True)
class Start:
    """What `Work.start` is told, as a value."""

    queue: str
    name: str
    id: str
    args: Mapping[str, Scalar]
    partition: str | None = None
    not_before: datetime | None = None


class Work(Protocol):
    """Work that survives a crash, at least once; handlers are idempotent."""

    def start(
        self,
        tx: Transaction,
        queue: str,
        name: str,
        id: str,
        args: Mapping[str, Scalar],
        *,
        partition: str | None = None,
        not_before: datetime | None = None,
    ) -> bool:
        """Have `name` run with `args` once this transaction commits; False if this id is known already."""

    def start_all(self, tx: Transaction, starts: Sequence[Start]) -> list[bool]:
        """`start` for each of many, in a handful of statements."""


Handler = Callable[[Mapping[str, Scalar]], Awaitable[None]]
QUEUES = ("investigate", "model", "actions", "slack", "reach", "housekeeping")
