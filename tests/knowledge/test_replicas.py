"""Two replicas as processes on one PostgreSQL and one Chroma server: slow."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.commands.loopback import free_port
from bot.domain.copy import Copy
from bot.domain.document import DocumentKind
from bot.flows.runbooks.keeping_up import note_news
from bot.knowledge.documents import markdown_folder
from bot.knowledge.pieces import pieces
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock
from tests.knowledge.replica import FASTER
from tests.knowledge.test_chroma_server import a_server
from tests.knowledge.test_library import page
from tests.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]


class Replica:
    """The process, and what it said so far."""

    def __init__(self, database: str, chroma: str, pages: Path) -> None:
        words = [sys.executable, "-m", "tests.knowledge.replica", database, chroma, str(pages)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.lines: queue.Queue[str] = queue.Queue()
        self.embedded = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.lines.put(line.strip())

    def hear(self, seconds: float) -> str:
        """The next line, or "" if none came; what it embedded is counted."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return ""
        if line.startswith("embedded"):
            self.embedded += int(line.split()[1])
        return line

    def until(self, wanted: str, seconds: float = 60) -> None:
        """It says so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.hear(0.1) == wanted:
                return
        pytest.fail(f"it never said {wanted!r}")

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def pair(postgres: Postgres, tmp_path: Path) -> Iterator[tuple[SqlDatabase, list[Replica], int]]:
    """Two replicas that begin at once with an empty server, and how many different texts their pages have."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for n in range(120):
        (folder / f"page{n}.md").write_text(f"# Page {n} of many\n\nA text about thing {n} that stands nowhere else.\n")
    documents = list(markdown_folder(folder, DocumentKind.RUNBOOK)())
    texts = len({(p.part, p.key) for d in documents for p in pieces(d)})
    port = free_port()
    (tmp_path / "chroma").mkdir()
    with postgres.a_database() as url, a_server(tmp_path / "chroma", port):
        database = SqlDatabase(url)
        database.open()
        replicas = [Replica(url, f"http://127.0.0.1:{port}", folder) for _ in range(2)]
        try:
            yield database, replicas, texts
        finally:
            for replica in replicas:
                replica.end()
            database.close()


async def test_one_of_them_embeds_and_both_hear_of_news_within_a_minute(
    pair: tuple[SqlDatabase, list[Replica], int], clock: FakeClock
) -> None:
    database, replicas, texts = pair
    for replica in replicas:
        replica.until("state 120 meaning")
    assert sum(r.embedded for r in replicas) == texts
    desk, store = a_desk(database, clock), SqlCopyStore()
    news = page("Something new", "What another replica learned just now about a thing.")
    await database.write(lambda tx: store.put(tx, [Copy("wiki", "ref", "1", "something-new", news)]))
    await database.write(lambda tx: note_news(tx, desk))
    began = time.monotonic()
    for replica in replicas:
        replica.until("state 121 meaning")
    assert (time.monotonic() - began) < 60 / FASTER + 5  # of its time, and what a busy machine takes
    began = time.monotonic()
    while sum(r.embedded for r in replicas) < texts + 3 and time.monotonic() - began < 60:
        for replica in replicas:
            replica.hear(0.1)
    for replica in replicas:
        replica.hear(1.0)
    assert sum(r.embedded for r in replicas) == texts + 3  # title, head and section, once


async def test_the_other_one_goes_on_when_the_one_that_embeds_is_killed(pair: tuple[SqlDatabase, list[Replica], int]) -> None:
    _, replicas, texts = pair
    one, other = replicas
    one.until("state 120 words")
    other.until("state 120 words")
    first = _first_to_embed(replicas)
    first.end()
    last = other if first is one else one
    last.until("state 120 meaning")
    assert 0 < last.embedded <= texts
    assert first.embedded + last.embedded >= texts


def _first_to_embed(replicas: list[Replica]) -> Replica:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for replica in replicas:
            replica.hear(0.05)
            if replica.embedded > 100:
                return replica
    pytest.fail("nobody embeds")
