"""A replica hears of what the others learned, and tries again what was away."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.domain.document import Document, DocumentKind
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.flows.runbooks.keeping_up import EVERY, keep_up, note_news
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock

PAGE = Document(id="r", kind=DocumentKind.RUNBOOK, title="New", text="# New\n")


class Ticks:
    """Time that passes when the test says so."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.looks, self.rests = clock, asyncio.Semaphore(0), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.rests.set()
        await self.looks.acquire()
        self.clock.advance(seconds=seconds)

    async def until(self, so: Callable[[], bool], most: int = 50) -> None:
        for _ in range(most):
            async with asyncio.timeout(30):
                await self.rests.wait()
                await asyncio.gather(*(t for t in asyncio.all_tasks() if t.get_name() == "knowledge sync"))
            if so():
                return
            self.rests.clear()
            self.looks.release()
        pytest.fail("it never happened")


async def during(desk: Desk, ticks: Ticks, what: Callable[[], Awaitable[None]]) -> None:
    keeping = asyncio.create_task(keep_up(desk, ticks.sleep))
    try:
        await what()
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def test_what_another_replica_learned_is_known_at_the_next_look(database: SqlDatabase, clock: FakeClock) -> None:
    written: list[Document] = []
    desk, ticks = a_desk(database, clock, library=Library([lambda: written], None)), Ticks(clock)

    async def story() -> None:
        await ticks.until(lambda: desk.library.ready)
        began = clock()
        written.append(PAGE)
        await desk.db.write(lambda tx: note_news(tx, desk))
        await ticks.until(lambda: bool(desk.library.documents))
        assert (clock() - began).total_seconds() <= 3 * EVERY

    await during(desk, ticks, story)


async def test_without_news_nothing_is_read_again(database: SqlDatabase, clock: FakeClock) -> None:
    reads: list[int] = []

    def source() -> list[Document]:
        reads.append(1)
        return []

    desk, ticks = a_desk(database, clock, library=Library([source], None)), Ticks(clock)

    async def story() -> None:
        await ticks.until(lambda: desk.library.ready)
        looks = iter(range(10))
        await ticks.until(lambda: next(looks, 10) == 10)
        assert len(reads) == 1

    await during(desk, ticks, story)


class Away:
    """A vector store that is away until it is back."""

    advice, far, back = "Wait.", False, False

    def __str__(self) -> str:
        return "the store"

    def open(self) -> object:
        raise Unavailable("it is away", for_people="It is away.")


async def test_what_was_away_is_tried_again_within_minutes(database: SqlDatabase, clock: FakeClock) -> None:
    tried: list[int] = []

    def opened() -> None:
        tried.append(1)
        if len(tried) < 3:
            raise Unavailable("The model is away", for_people="The model is away.")

    shelf = Library([lambda: [PAGE]], VectorIndex(Away(), opened))  # type: ignore[arg-type]  # a store that never opens
    desk, ticks = a_desk(database, clock, library=shelf), Ticks(clock)

    async def story() -> None:
        began = clock()
        await ticks.until(lambda: len(tried) >= 3)
        assert (clock() - began).total_seconds() <= 600

    await during(desk, ticks, story)
