"""A replica's knowledge alone, as a process: `python -m tests.knowledge.replica DATABASE CHROMA PAGES`; tells what it does.

Time goes thirty times faster: it looks for news every second, and its turn to embed lapses after four.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from bot.domain.document import DocumentKind
from bot.flows.runbooks.keeping_up import keep_up
from bot.knowledge import making as rules
from bot.knowledge.chroma import ChromaServer
from bot.knowledge.documents import markdown_folder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from bot.wiring import knowledge, utc_now
from tests.desk import a_desk
from tests.knowledge.embedding import FakeEmbedder

FASTER = 30


class Slow(FakeEmbedder):
    """Takes its time, and says how many texts it was given."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        time.sleep(0.01 * len(texts))
        print("embedded", len(texts), flush=True)
        return super().embed(texts)


async def main(database: str, chroma: str, pages: str) -> None:
    """Until it is killed."""
    knowledge.SPAN = timedelta(seconds=4)
    rules.WAIT = 0.2
    db = SqlDatabase(database)
    db.open()
    store = SqlCopyStore()
    sources = [
        markdown_folder(Path(pages), DocumentKind.RUNBOOK),
        lambda: db.read_now(lambda tx: store.documents(tx, "wiki")),
    ]
    index = VectorIndex(ChromaServer(chroma), Slow, turn=knowledge.DatabaseTurn(db, utc_now))
    desk = a_desk(db, utc_now, library=Library(sources, index))  # type: ignore[arg-type]  # the real clock instead of the fake one
    keeping = asyncio.create_task(keep_up(desk, lambda seconds: asyncio.sleep(seconds / FASTER)))
    told = ""
    while not keeping.done():
        state = f"{len(desk.library.documents)} {'meaning' if desk.library.meaning else 'words'}"
        if state != told:
            told = state
            print("state", state, flush=True)
        await asyncio.sleep(0.05)
    await keeping


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
