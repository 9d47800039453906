"""A process that carries out one approved action with the real database, the real work table and a real command deployer.

    python -m tests.actions.mortal DATABASE FOLDER ACTION idempotent|plain [claimed]

It is there to be killed. It says `working` when it begins and ends by itself when it is known what became of the action.
With `claimed` it says so and stands still between the record that a start is attempted and the attempt.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.actions import execute
from bot.domain.action import ActionStatus
from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.ports import Order, Run
from bot.storage.database import SqlDatabase
from connectors.command import CONNECTOR
from tests.actions.estate import a_desk, handlers

VENDOR = str(Path(__file__).with_name("vendor.py"))


def real_deployer(folder: Path, idempotent: bool) -> Any:
    program = [sys.executable, VENDOR, str(folder)]
    assert CONNECTOR.deployer is not None
    return CONNECTOR.deployer(
        {
            "kind": "command",
            "current": [*program, "current", "--service", "{service}"],
            "versions": [*program, "versions", "--service", "{service}"],
            "start": [*program, "deploy", "--service", "{service}", "--version", "{version}", "--key", "{key}"],
            "status": [*program, "status", "--key", "{key}"],
            "cancel": [*program, "cancel", "--key", "{key}"],
            "timeout_seconds": 20,
            "idempotent": idempotent,
        }
    )


class Standstill:
    """A deployer whose start never gets through."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def start(self, order: Order) -> Run:
        print("claimed", flush=True)
        await asyncio.sleep(600)
        return await self._real.start(order)  # type: ignore[no-any-return]  # the real one is only known as Any here


async def main() -> None:
    path, folder, action, promise, *how = sys.argv[1:]
    execute.PATIENCE = 3  # a test does not wait as long as people do
    database = SqlDatabase(f"sqlite:///{path}")
    database.open(migrate=False)
    deployer = real_deployer(Path(folder), promise == "idempotent")
    work = DurableWork()
    desk = a_desk(
        database,
        lambda: datetime.now(UTC),
        Standstill(deployer) if "claimed" in how else deployer,
        work=work,
    )
    worker = Worker(database, work, handlers(desk))
    running = asyncio.create_task(worker.run())
    print("working", flush=True)
    while True:
        found = await database.read(lambda tx: desk.actions.get(tx, action))
        assert found is not None
        if found.status not in (ActionStatus.APPROVED, ActionStatus.EXECUTING):
            break
        await asyncio.sleep(0.05)
    await worker.stop(grace=5)
    await running
    database.close()


if __name__ == "__main__":
    asyncio.run(main())
