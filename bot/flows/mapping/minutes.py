"""What the OTLP receiver counted is kept, under the catalogue's names; while the database is away it waits, up to a limit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec

from bot.domain.topology import CallMinute
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.topology.merging import names

log = logging.getLogger(__name__)
MOST = 50_000  # minutes that wait for the database; the oldest go first
PAUSE = 5.0  # seconds before the database is asked again
_LINE = msgspec.json.Decoder(tuple[CallMinute, ...])


class MinuteKeeper:
    """Takes the receiver's lines and writes them; `run` never ends."""

    def __init__(self, desk: Desk, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._desk = desk
        self._sleep = sleep
        self._waiting: list[CallMinute] = []
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()

    def heard(self, line: bytes) -> None:
        """A line of the receiver. Raises msgspec.DecodeError for what is none."""
        counted = _LINE.decode(line)
        self._waiting += counted
        if len(self._waiting) > MOST:
            log.warning("%d counts of calls are lost: the database is away for too long", len(self._waiting) - MOST)
            del self._waiting[:-MOST]
        if counted:
            self._news.set()

    async def run(self) -> None:
        """Write what comes."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self.write()
            except Unavailable as error:
                log.info("what was counted of calls waits: %s", error)
                await self._sleep(PAUSE)
                self._news.set()

    async def write(self) -> None:
        """Everything that waits is kept, and what is just being written is too. Raises Unavailable, and it waits on."""
        async with self._writing:
            rows, self._waiting = self._waiting, []
            name_of = names(self._desk.catalogue())
            named = [replace(row, caller=name_of(row.caller), callee=name_of(row.callee)) for row in rows]
            told = [row for row in named if row.caller != row.callee]
            try:
                if told:
                    await self._desk.db.write(lambda tx: self._desk.topology.add(tx, told))
            except Unavailable:
                self._waiting[:0] = rows
                raise
