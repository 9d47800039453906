"""A process that does durable work and writes down each run; tests kill it.

    python -m tests.durable.run_worker FOLDER

Each run appends its id to FOLDER/runs before it ends; handlers take a few milliseconds, so that a kill hits some amid.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.durable.queues import Queue
from bot.durable.work import DurableWork
from bot.durable.worker import Worker
from bot.ports import Scalar
from bot.storage.database import SqlDatabase

QUEUES = {
    "actions": Queue("actions", cap=6, timeout=10, crashes=1000),
    "slack": Queue("slack", cap=6, timeout=10, crashes=3),
}


async def work(folder: Path) -> None:
    """Work until killed."""
    database = SqlDatabase(f"sqlite:///{folder}/tocsin.db")
    database.open()

    async def job(args: Mapping[str, Scalar]) -> None:
        await asyncio.sleep(0.004)
        with open(folder / "runs", "a") as runs:
            runs.write(f"{args['n']}\n")

    async def deadly(args: Mapping[str, Scalar]) -> None:
        os._exit(9)

    print("up", flush=True)
    await Worker(database, DurableWork(QUEUES), {"job": job, "deadly": deadly}).run()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1])))
