"""Each replica's catalogue follows what all of them learned: half a minute behind at most."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.errors import Unavailable
from bot.flows.desk import Desk

log = logging.getLogger(__name__)
EVERY = 30.0  # seconds between two looks


async def read_topology(desk: Desk) -> None:
    """The catalogue knows what is kept."""
    if desk.live is not None:
        desk.live.learn(await desk.db.read(desk.topology.known), desk.clock())


async def follow_topology(desk: Desk, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """It is read at once and then again and again. Never ends."""
    while True:
        try:
            await read_topology(desk)
        except Unavailable as error:  # the door says so already; what is known stays
            log.info("what was learned of the services cannot be read: %s", error)
        await sleep(EVERY)
