"""A process with the intake and the stories that it leads to: the door, the drain, real stores; no Slack, no worker.

    TOCSIN_TEST_DATABASE=URL python -m tests.intake.serve_intake SECRET

Each line on its standard input starts one: a fork of this process, which has loaded everything and done nothing yet. It takes
a free port and prints its process id, the port, and its door's process id. Tests kill it. A line "together" has the door in
the same process, which starts faster.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import uvicorn
from pydantic import SecretStr
from uuid6 import uuid7

from bot.door.keeper import Keeper, arrivals
from bot.door.orders import Orders
from bot.door.server import Server, listen
from bot.durable.work import DurableWork
from bot.intake.house import create_house
from bot.intake.inbox import Drain, Told
from bot.intake.meters import Meters
from bot.intake.web import MOST_BYTES, MOST_WAITING, Door
from bot.ports import WebhookSettings
from bot.storage.database import SqlDatabase
from bot.wiring import told
from connectors.alertmanager import CONNECTOR
from tests.desk import a_desk
from tests.fakes import FakeClock
from tests.intake.desk import whole_app

GIVEN: Mapping[str, Mapping[str, object]] = {CONNECTOR.name: {"secret": sys.argv[-1]}}


class WallClock(FakeClock):
    """The time of day."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


async def serve(url: str, stories: Told, *, apart: bool) -> None:
    """Serve until killed or told to stop."""
    database = SqlDatabase(url)
    database.open()
    desk = a_desk(database, WallClock(), work=DurableWork(), new_id=lambda: str(uuid7()))
    drain = Drain(desk, {CONNECTOR.name: CONNECTOR}, stories)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with ExitStack() as end:
        listener = end.enter_context(listen("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if apart:
            house = Path(mkdtemp(), "house")
            pages = Server(create_house(desk, Meters(), {}), str(house))
            door = Keeper(listener, Orders(url, GIVEN, str(house), MOST_BYTES, MOST_WAITING, "WARNING"), arrivals(drain.wake))
            running = [asyncio.create_task(pages.serve()), asyncio.create_task(door.run())]
            await door.up.wait()
            print(os.getpid(), port, door.pid, flush=True)
        else:
            secret = WebhookSettings(secret=SecretStr(sys.argv[-1]))
            pages = Server(whole_app(desk, {CONNECTOR.name: Door(CONNECTOR, secret)}, arrived=drain.wake))
            running = [asyncio.create_task(pages.serve(sockets=[listener]))]
            print(os.getpid(), port, os.getpid(), flush=True)
        running.append(asyncio.create_task(drain.run()))
        await stop.wait()
        if apart:
            await door.stop()
        pages.should_exit = True
        await asyncio.wait(running[:-1], timeout=10)
        drain.stop()
        await asyncio.wait(running, timeout=10)
    database.close()


def main() -> None:
    """Start one after the other, as asked."""
    while line := sys.stdin.readline():
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        with asyncio.Runner(loop_factory=uvicorn.Config(lambda: None).get_loop_factory()) as runner:
            runner.run(serve(os.environ["TOCSIN_TEST_DATABASE"], told(), apart=line.strip() != "together"))
        return


if __name__ == "__main__":
    main()
