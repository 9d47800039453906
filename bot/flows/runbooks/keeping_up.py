"""Each replica's library keeps up with what the others learned: half a minute behind them at most."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.ports import Transaction

log = logging.getLogger(__name__)

MARK = "knowledge"  # a switch that is somewhere else after each change
EVERY = 30.0  # seconds between two looks
RETRY = timedelta(minutes=1)  # search that goes by words only, because something is away, tries again after so long


def note_news(tx: Transaction, desk: Desk) -> None:
    """What is known changed in the database: every replica reads it again."""
    desk.switches.turn(tx, MARK, desk.new_id(), "tocsin", desk.clock())


async def keep_up(desk: Desk, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """The library is read at once, whenever there is news, and again while it is in trouble. Never ends."""
    seen, tried = await _mark(desk, ""), desk.clock()
    syncing = asyncio.create_task(desk.library.sync(), name="knowledge sync")
    try:
        while True:
            await sleep(EVERY)
            mark = await _mark(desk, seen)
            news = mark != seen
            if not syncing.done():
                if news:  # new vectors may take minutes; the words are known now, and their vectors follow
                    await desk.library.read()
                continue
            syncing.result()  # it raises nothing of ours
            if news or (desk.library.trouble and desk.clock() - tried >= RETRY):
                seen, tried = mark, desk.clock()
                syncing = asyncio.create_task(desk.library.sync(), name="knowledge sync")
    finally:
        syncing.cancel()


async def _mark(desk: Desk, otherwise: str) -> str:
    try:
        return await desk.db.read(lambda tx: desk.switches.get(tx, MARK))
    except Unavailable as error:  # the door says so already; what is known stays
        log.info("whether there is news of runbooks cannot be seen: %s", error)
        return otherwise
