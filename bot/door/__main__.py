"""python -m bot.door FD: the process at the door. The bot starts it and hands it the port; it is no command for people.

Standard input brings its orders, and its end means that the bot is gone: then the door ends too. Standard output tells the
bot of each commit, a number a line; the first line, a zero, says that the door is open.
"""

import asyncio
import gc
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bot.door.doors import configured, doors
from bot.door.lane import Lane
from bot.door.orders import Orders, orders_in
from bot.door.server import Server
from bot.intake.forwarding import Forwarding
from bot.intake.grouping import Grouping
from bot.intake.meters import DoorMeters
from bot.intake.web import Porter
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore

log = logging.getLogger(__name__)
SWITCH = 0.0005  # seconds that one thread keeps the interpreter while another waits; Python's own is ten times that
CONNECTIONS = 3  # to PostgreSQL: one commits, one counts what waits, one is to spare
RARELY = (50_000, 20, 100)  # almost all that a request makes is freed without the collector


class Bell:
    """Tells the bot how much came in. It never waits: what a bot that is stuck does not read is told with the next."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._owed = 0

    def ring(self, deliveries: int) -> None:
        """So many more."""
        self._owed += deliveries
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pipe, b"%d\n" % self._owed)
            self._owed = 0


async def serve(orders: Orders, listener: socket.socket, bell: Bell) -> None:
    """Until SIGTERM, or until the bot is gone."""
    db, meters = SqlDatabase(orders.database, connections=CONNECTIONS), DoorMeters()
    db.open(migrate=False, beside=True)
    grouping = Grouping(db, SqlInboxStore(), orders.most_waiting, bell.ring, meters.commit.observe)
    house = Forwarding(orders.house, orders.most_bytes)
    known = doors(*configured(orders.connectors))
    porter = Porter(known, grouping, lambda: datetime.now(UTC), house, meters, orders.most_bytes)
    server = Server(porter, protocol=Lane)

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    alone = asyncio.create_task(_alone(Path(orders.house), stop))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)
    loop.call_soon(bell.ring, 0)
    try:
        await server.serve(sockets=[listener])
    finally:
        alone.cancel()
        await house.close()
        db.close()


async def _alone(house: Path, stop: Callable[[], None]) -> None:
    """The bot is gone: nobody else tidies up after it."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass
    log.warning("the bot is gone; its door closes")
    shutil.rmtree(house.parent, ignore_errors=True)
    stop()


def main() -> None:
    """Take the orders and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the bot says when
    listener, told = socket.socket(fileno=int(sys.argv[1])), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no number
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # the bot was gone before it could say anything
    orders = orders_in(line)
    logging.basicConfig(level=orders.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH)
    uvloop.run(serve(orders, listener, Bell(told)))


if __name__ == "__main__":
    main()
