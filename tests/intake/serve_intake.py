"""A process with the intake and the stories that it leads to: the web door, the drain, real stores; no Slack, no worker.

    TOCSIN_TEST_DATABASE=URL python -m tests.intake.serve_intake SECRET

Each line on its standard input starts one: a fork of this process, which has loaded everything and done nothing yet. It takes
a free port and prints its process id and the port. Tests kill it.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime

import uvicorn
from pydantic import SecretStr
from uuid6 import uuid7

from bot.durable.work import DurableWork
from bot.intake.inbox import Drain, Told
from bot.intake.web import Door, create_app
from bot.ports import WebhookSettings
from bot.storage.database import SqlDatabase
from bot.wiring import told
from connectors.alertmanager import CONNECTOR
from tests.desk import a_desk
from tests.fakes import FakeClock


class WallClock(FakeClock):
    """The time of day."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


async def serve(url: str, secret: str, stories: Told) -> None:
    """Serve until killed."""
    database = SqlDatabase(url)
    database.open()
    desk = a_desk(database, WallClock(), work=DurableWork(), new_id=lambda: str(uuid7()))
    drain = Drain(desk, {CONNECTOR.name: CONNECTOR}, stories)
    doors = {CONNECTOR.name: Door(CONNECTOR, WebhookSettings(secret=SecretStr(secret)))}
    app = create_app(desk, doors, arrived=drain.wake)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, access_log=False, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(os.getpid(), server.servers[0].sockets[0].getsockname()[1], flush=True)
    draining = asyncio.create_task(drain.run())
    await serving
    drain.stop()
    await draining
    database.close()


def main() -> None:
    """Start one after the other, as asked."""
    while sys.stdin.readline():
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        with asyncio.Runner(loop_factory=uvicorn.Config(lambda: None).get_loop_factory()) as runner:
            runner.run(serve(os.environ["TOCSIN_TEST_DATABASE"], sys.argv[1], told()))
        return


if __name__ == "__main__":
    main()
