"""A real Chroma server, shared by replicas, killed and started again: slow."""

import contextlib
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from sysconfig import get_path

import pytest

from bot.commands.loopback import free_port
from bot.domain.document import Document, DocumentKind, Inquiry
from bot.errors import BadSettings, Unavailable
from bot.knowledge.chroma import ChromaServer
from bot.knowledge.documents import markdown_folder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.knowledge.pieces import Part
from tests.knowledge.embedding import FakeEmbedder
from tests.knowledge.test_index_real import many
from tests.knowledge.test_library import page

RUNBOOK = DocumentKind.RUNBOOK


@contextlib.contextmanager
def a_server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """`chroma run` on loopback until the block ends; killed then, as a machine that goes away would be."""
    words = [f"{get_path('scripts')}/chroma", "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as server:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError, HTTPException):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=1).read()
                    break
                time.sleep(0.1)
            else:
                pytest.fail("the Chroma server did not start")
            yield server
        finally:
            server.kill()


def an_index(port: int) -> VectorIndex:
    return VectorIndex(ChromaServer(f"http://127.0.0.1:{port}"), FakeEmbedder, cool_down=0)


@pytest.mark.slow
def test_replicas_share_the_vectors_of_one_server_and_outlive_its_restart(tmp_path: Path) -> None:
    port = free_port()
    one, other = an_index(port), an_index(port)
    with a_server(tmp_path, port):
        one.open()
        assert one.sync(RUNBOOK, many()).embedded == 600
        other.open()
        assert other.sync(RUNBOOK, many()).embedded == 0
        assert many()[5].key in other.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]
    with pytest.raises(Unavailable, match="does not work"):
        other.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]
    with a_server(tmp_path, port):
        assert many()[5].key in other.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]
        assert one.sync(RUNBOOK, many()).kept == 600


@pytest.mark.slow
def test_a_server_that_lost_everything_is_filled_again_by_the_next_sync(tmp_path: Path) -> None:
    port, index = free_port(), None
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        with a_server(tmp_path / folder, port):
            index = index or an_index(port)
            index.open()
            with contextlib.suppress(Unavailable):  # the first touch of an empty server may say that its collection is gone
                index.sync(RUNBOOK, many())
            index.sync(RUNBOOK, many())
            assert many()[5].key in index.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]


@pytest.mark.slow
async def test_search_goes_by_words_while_the_server_is_away_and_by_meaning_once_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "disk.md").write_text("# Disk is full\n\nFree some space on the volume.\n")
    shelf = Library([markdown_folder(tmp_path / "pages", RUNBOOK)], an_index(port))
    await shelf.sync()
    found = await shelf.find(Inquiry(text="disk is full"), RUNBOOK)
    assert found.found[0].document.title == "Disk is full"
    assert "words only" in found.note
    with a_server(tmp_path, port):
        await shelf.sync()
        assert shelf.meaning, shelf.state


def many_pages() -> list[Document]:
    return [page(f"Page {chr(97 + n // 26)}{chr(97 + n % 26)}", f"Words about thing {n} and more words") for n in range(80)]


@pytest.mark.slow
async def test_a_server_that_dies_in_the_midst_of_a_sync_leaves_words_and_is_filled_on_by_the_next(tmp_path: Path) -> None:
    port = free_port()

    class Fatal(FakeEmbedder):
        """The server dies while the hundredth text is embedded."""

        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            if len(self.texts) < 100 <= len(self.texts) + len(texts):
                server.kill()
            return super().embed(texts)

    embedder = Fatal()
    shelf = Library([many_pages], VectorIndex(ChromaServer(f"http://127.0.0.1:{port}"), lambda: embedder, cool_down=0))
    with a_server(tmp_path, port) as server:
        await shelf.sync()
    assert shelf.trouble == "The vector store does not work; search goes by words only"
    found = await shelf.find(Inquiry(text="page bc words about"), RUNBOOK)
    assert found.found[0].document.title == "Page bc"
    with a_server(tmp_path, port):
        before = len(embedder.texts)
        await shelf.sync()
        assert shelf.meaning, shelf.state
        assert len(embedder.texts) - before <= 240 - 64  # what was written before it died is not embedded again


@pytest.mark.slow
async def test_a_server_that_dies_between_two_questions_is_back_without_a_sync(tmp_path: Path) -> None:
    port = free_port()
    shelf = Library([many_pages], an_index(port))
    with a_server(tmp_path, port):
        await shelf.sync()
        assert (await shelf.find(Inquiry(text="page bc words about"), RUNBOOK)).note == ""
    findings = await shelf.find(Inquiry(text="page bc words about"), RUNBOOK)
    assert findings.note == "searched by words only: The vector store does not work; search goes by words only"
    assert findings.found[0].document.title == "Page bc"
    with a_server(tmp_path, port):
        assert (await shelf.find(Inquiry(text="page bc words about"), RUNBOOK)).note == ""


@pytest.mark.slow
def test_a_server_that_never_answers_is_away_and_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        index = VectorIndex(ChromaServer("http://{}:{}".format(*deaf.getsockname()), patience=0.2), FakeEmbedder)
        with pytest.raises(Unavailable, match="does not work"):
            index.open()


@pytest.mark.slow
def test_a_server_that_falls_silent_is_away_and_serves_again_once_it_speaks(tmp_path: Path) -> None:
    port = free_port()
    index = VectorIndex(ChromaServer(f"http://127.0.0.1:{port}", patience=3), FakeEmbedder, cool_down=0)
    with a_server(tmp_path, port) as server:
        index.open()
        index.sync(RUNBOOK, many())
        server.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"does not work|did not answer in time"):
            index.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]
        assert time.monotonic() - began < 20
        server.send_signal(signal.SIGCONT)
        assert many()[5].key in index.nearest(RUNBOOK, many()[5].text, 3)[Part.SECTION]


@pytest.mark.parametrize("url", ["chroma:8000", "ftp://chroma", "http://user:pw@chroma:8000", "http://chroma:8000/path"])
def test_an_address_that_is_no_server_is_refused_with_a_good_one(url: str) -> None:
    with pytest.raises(BadSettings, match="http://chroma:8000") as refused:
        ChromaServer(url)
    assert "pw" not in str(refused.value)


def test_a_token_is_never_shown() -> None:
    assert "s3cret" not in f"{ChromaServer('https://chroma.example', 's3cret')!s}"
