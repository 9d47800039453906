"""The real model and a real kill: slow."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from bot.domain.document import DocumentKind, Inquiry, Tier
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.documents import markdown_folder
from bot.knowledge.embedder import DEFAULT, open_embedder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.knowledge.pieces import Part, Piece
from tests.knowledge.embedding import FakeEmbedder

ROOT = Path(__file__).parents[2]
RUNBOOK = DocumentKind.RUNBOOK

WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.knowledge.embedding import FakeEmbedder
from tests.knowledge.test_index_real import many
from bot.domain.document import DocumentKind
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.index import VectorIndex

class Slow(FakeEmbedder):
    def embed(self, texts):
        time.sleep(0.02)
        return super().embed(texts)

index = VectorIndex(ChromaFolder(Path({folder!r})), Slow)
index.open()
index.sync(DocumentKind.RUNBOOK, many(), lambda done, of: print(done, flush=True))
"""


def many() -> list[Piece]:
    return [Piece(f"d{n}", Part.SECTION, 0, f"text number{n} alpha{n % 7} beta{n % 11}") for n in range(600)]


@pytest.mark.slow
@pytest.mark.promise
def test_a_sync_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    script = WRITER.format(root=str(ROOT), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        done = [int(writer.stdout.readline()) for _ in range(3)][-1]
        os.kill(writer.pid, signal.SIGKILL)
    embedder = FakeEmbedder()
    index = VectorIndex(ChromaFolder(tmp_path), lambda: embedder)
    index.open()
    synced = index.sync(RUNBOOK, many())
    assert synced.kept >= done
    assert synced.embedded == 600 - synced.kept
    assert many()[5].key in index.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]


FULL = """
import asyncio, resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from bot.domain.document import DocumentKind, Inquiry
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from tests.knowledge.embedding import FakeEmbedder
from tests.knowledge.test_library import page

def pages():
    return [page(f"Page {{chr(97 + n // 26)}}{{chr(97 + n % 26)}}", f"Words about thing {{n}}") for n in range(150)]

async def main():
    shelf = Library([pages], VectorIndex(ChromaFolder(Path({folder!r})), lambda: FakeEmbedder(dimensions=384), cool_down=0))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, usual[1]))  # as a full disk: no file may grow past this
    await shelf.sync()
    found = await shelf.find(Inquiry(text="page bc words"), DocumentKind.RUNBOOK)
    print(shelf.meaning, shelf.trouble, "|", found.note, "|", found.found[0].document.title)
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    await shelf.sync()
    print(shelf.meaning, shelf.state)

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_full_disk_leaves_words_and_once_there_is_room_the_vectors_are_made(tmp_path: Path) -> None:
    script = FULL.format(root=str(ROOT), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    full, room = done.stdout.splitlines()
    sentence = "The vector store does not work; search goes by words only"
    assert full == f"False {sentence} | searched by words only: {sentence} | Page bc", done.stderr[-2000:]
    assert room == "True 150 runbooks, 0 past incidents; words and vectors (fake)", done.stderr[-2000:]


@pytest.mark.slow
async def test_the_real_model_finds_what_is_said_in_other_words(tmp_path: Path) -> None:
    sources = [markdown_folder(ROOT / "runbooks", RUNBOOK)]
    shelf = Library(sources, VectorIndex(ChromaFolder(tmp_path), partial(open_embedder, DEFAULT)))
    await shelf.sync()
    assert shelf.meaning, shelf.state
    found = (await shelf.find(Inquiry(text="pods keep dying with exit code 137"), RUNBOOK)).found
    assert found[0].document.path.startswith("runbooks/kubernetes/")
    found = (await shelf.find(Inquiry(text="website certificate no longer valid"), RUNBOOK)).found
    assert found[0].document.path == "runbooks/tls/certificate-expiry.md"
    firing = Inquiry("HighErrorRatio", "payments-1 answers 40% with errors", ("checkout", "payments"))
    found = (await shelf.find(firing, RUNBOOK)).found
    assert found[0].document.services == ("payments",)
    assert found[0].tier is Tier.NAMED
    nothing = await shelf.find(Inquiry("PrinterOnFire", "The printer on the third floor burns paper"), RUNBOOK)
    assert nothing.found == ()
    assert nothing.note == "no runbook found"
    start = time.perf_counter()
    await shelf.find(firing, RUNBOOK)
    assert time.perf_counter() - start < 1.0
