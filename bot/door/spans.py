"""python -m bot.door.spans FD: the process that receives spans. The bot starts it and hands it the port.

Decoding spans costs time that alerts must not wait for: it has a process of its own, less urgent than all others, and knows
neither the database nor a secret but the token. Standard input brings its orders; its end means that the bot is gone.
Standard output tells what was counted: lines of JSON once a minute, an empty list when the port is open.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec
import uvloop

from bot.domain.topology import CallMinute
from bot.door.orders import SpanOrders, span_orders_in
from bot.door.server import Server
from bot.intake.otlp.web import SpanDoor
from bot.topology.pairing import Missed, Pairing

log = logging.getLogger(__name__)
EACH = 40  # minutes in a line: whoever reads lines does not read endless ones
MOST_OWED = 4_000_000  # bytes that are waiting to be read; then senders are asked to wait
FLUSH = 60.0  # seconds; also after how long a crash has lost something
NICE = 10


class Pipe:
    """Tells the bot what was counted. It never waits: what a bot that is stuck does not read stays here, up to a limit."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._owed = bytearray()

    @property
    def behind(self) -> bool:
        """Too much has not been read."""
        return len(self._owed) > MOST_OWED

    def tell(self, minutes: tuple[CallMinute, ...]) -> None:
        """These were counted."""
        for n in range(0, len(minutes), EACH) or (0,):
            self._owed += msgspec.json.encode(minutes[n : n + EACH]) + b"\n"
        self.push()

    def push(self) -> None:
        """As much of it as is taken at the moment."""
        with suppress(BlockingIOError, BrokenPipeError):
            while self._owed:
                sent = os.write(self._pipe, self._owed[:65536])
                del self._owed[:sent]


async def serve(orders: SpanOrders, listener: socket.socket, pipe: Pipe) -> None:
    """Until SIGTERM, or until the bot is gone; then what was counted so far is told."""
    pairing = Pairing()
    server = Server(SpanDoor(orders.token, pairing, time.time, lambda: pipe.behind))

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    tasks = [asyncio.create_task(_alone(stop)), asyncio.create_task(_flushing(pairing, pipe))]
    loop.call_soon(pipe.tell, ())
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()
        pipe.tell(pairing.take(time.time(), everything=True))


async def _flushing(pairing: Pairing, pipe: Pipe) -> None:
    while True:
        until = time.time() + FLUSH - time.time() % FLUSH
        while (now := time.time()) < until:
            await asyncio.sleep(min(1.0, until - now))
            pipe.push()
        if not pipe.behind:
            pipe.tell(pairing.take(time.time()))
        if pairing.missed.reason:
            log.warning("spans that were not counted: %s", pairing.missed.reason)
            pairing.missed = Missed()


async def _alone(stop: Callable[[], None]) -> None:
    """The bot is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass
    stop()


def main() -> None:
    """Take the orders and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the bot says when
    with suppress(OSError):
        os.nice(NICE)
    listener, told = socket.socket(fileno=int(sys.argv[1])), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no count
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # the bot was gone before it could say anything
    orders = span_orders_in(line)
    logging.basicConfig(level=orders.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(serve(orders, listener, Pipe(told)))


if __name__ == "__main__":
    main()
