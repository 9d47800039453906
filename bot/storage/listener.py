"""What other replicas commit is heard of at once: LISTEN on a connection of its own, for as long as the bot runs."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import sql

log = logging.getLogger(__name__)

AGAIN = 1.0  # seconds until the next try to connect
STILL_THERE = 15.0  # seconds of silence after which the server is asked whether it is there


async def listen(
    url: str, options: Mapping[str, Any], wakes: Mapping[str, Callable[[], None]], heard: Callable[[bool], None]
) -> None:
    """Call what is named for each channel at every notification, until cancelled; a lost connection is made anew."""
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True, **options)
            async with connection:
                for channel in wakes:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                heard(True)
                for wake in wakes.values():
                    wake()
                await _hear(connection, wakes)
        except (psycopg.Error, OSError) as error:
            log.info("notifications of the database are interrupted (%s); it is polled meanwhile", type(error).__name__)
        finally:
            heard(False)
        await asyncio.sleep(AGAIN)


async def _hear(connection: "psycopg.AsyncConnection[tuple[Any, ...]]", wakes: Mapping[str, Callable[[], None]]) -> None:
    while True:
        async for notification in connection.notifies(timeout=STILL_THERE):
            wakes[notification.channel]()
        await connection.execute("SELECT 1")
