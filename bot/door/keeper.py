"""The bot's side of the door: starts its process, hears of what came in, and starts it again if it dies."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from bot.door.orders import Orders, SpanOrders, line_of

log = logging.getLogger(__name__)
STEADY = 5.0  # seconds that a process has to live to be started again at once
PAUSE, LONGEST = 0.2, 10.0  # seconds before one that died young is
GRACE = 6.0  # seconds in which it finishes what it has accepted


def arrivals(arrived: Callable[[int], None]) -> Callable[[bytes], None]:
    """Hears how many deliveries the door's process has let in, and tells of them."""

    def heard(line: bytes) -> None:
        if deliveries := int(line):
            arrived(deliveries)

    return heard


class Keeper:
    """Keeps one process at the door. The socket stays open here: while there is none, connections queue in it.

    `heard` gets each line that the process `module` says; the first one says that it is up.
    """

    def __init__(
        self, listener: socket.socket, orders: Orders | SpanOrders, heard: Callable[[bytes], None], module: str = "bot.door"
    ) -> None:
        self._listener = listener
        self._orders = orders
        self._heard = heard
        self._module = module
        self._process: Process | None = None
        self._stopping = False
        self._why = ""
        self.up = asyncio.Event()

    def trouble(self) -> str:
        """Why nobody stands at the door, "" while somebody does."""
        return "" if self.up.is_set() else self._why or "it is being started"

    @property
    def pid(self) -> int | None:
        """The number of the process that stands there."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def run(self) -> None:
        """Until stopped."""
        pause = PAUSE
        while not self._stopping:
            began = time.monotonic()
            status = await self._one()
            self.up.clear()
            if self._stopping:
                return
            lived = time.monotonic() - began
            pause = 0.0 if lived > STEADY else min(LONGEST, 2 * pause or PAUSE)
            self._why = f"its process ended with status {status}"
            log.error("%s ended with status %s after %.1f s; another one is started", self._module, status, lived)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """The door finishes what it has accepted and is gone."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._tell(process, signal.SIGTERM)
        ending = asyncio.ensure_future(process.wait())
        await asyncio.wait({ending}, timeout=GRACE)
        if not ending.done():
            log.warning("%s did not end within %.0f s", self._module, GRACE)
            self._tell(process, signal.SIGKILL)
            await ending

    async def _one(self) -> int:
        number = self._listener.fileno()
        words = (sys.executable, "-m", self._module, str(number))
        process = self._process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, pass_fds=(number,))
        assert process.stdin is not None  # noqa: S101  pipes were asked for
        assert process.stdout is not None  # noqa: S101  as above
        if self._stopping:  # meanwhile
            self._tell(process, signal.SIGTERM)
        with contextlib.suppress(ConnectionError):  # it is dead already; its status tells
            process.stdin.write(line_of(self._orders))
            await process.stdin.drain()
        async for line in process.stdout:
            self.up.set()
            self._heard(line)
        return await process.wait()

    def _tell(self, process: Process, what: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(what)
