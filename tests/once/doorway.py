"""The address at which executors reach the bot of a trial, whichever of its replicas is up: what a load balancer is in a life."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager


@asynccontextmanager
async def a_doorway(ports: Callable[[], Sequence[int]]) -> AsyncIterator[str]:
    """Its address. `ports`: where bots listen now; each connection goes to the next of them, and breaks if there is none."""
    turns = itertools.count()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            if there := ports():
                bot_reader, bot_writer = await asyncio.open_connection("127.0.0.1", there[next(turns) % len(there)])
                with contextlib.closing(bot_writer):
                    ways = [asyncio.create_task(_carry(*way)) for way in ((reader, bot_writer), (bot_reader, writer))]
                    _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in left:
                        way.cancel()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
