"""The library keeps in step with its sources, embeds only what changed, and survives a broken model or store."""

import asyncio
import shutil
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from bot.domain.document import Document, DocumentKind, Inquiry, Tier
from bot.errors import BadSettings
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.embedder import check_weights, default_folder, open_checked
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from tests.knowledge.embedding import FakeEmbedder

RUNBOOK, INCIDENT = DocumentKind.RUNBOOK, DocumentKind.INCIDENT


def page(name: str, text: str, kind: DocumentKind = RUNBOOK, services: tuple[str, ...] = ()) -> Document:
    return Document(f"{kind.value}:{name}", kind, name, text, path=f"runbooks/{name}.md", services=services)


def pages() -> list[Document]:
    return [
        page("Kafka consumer lag", "Offsets fall behind and the consumer group is slow to catch up."),
        page("Disk filling", "No space left on device, truncate the largest logs and grow the volume."),
        page("Certificate expiry", "The certificate expires, renew it with the issuer and reload the server."),
    ]


def library(documents: Sequence[Document], folder: Path, embedder: FakeEmbedder) -> Library:
    return Library([lambda: documents], VectorIndex(ChromaFolder(folder), lambda: embedder))


async def test_before_the_first_reading_the_library_says_so(tmp_path: Path) -> None:
    shelf = library(pages(), tmp_path, FakeEmbedder())
    assert not shelf.ready
    assert (await shelf.find(Inquiry(text="kafka"), RUNBOOK)).found == ()
    await shelf.sync()
    assert shelf.ready
    assert shelf.meaning
    assert shelf.state == "3 runbooks, 0 past incidents; words and vectors (fake)"


async def test_what_is_meant_is_found_although_other_words_are_used(tmp_path: Path) -> None:
    synonyms = {"storage": "disk", "exhausted": "filling"}
    shelf = library(pages(), tmp_path, FakeEmbedder(meanings=synonyms))
    await shelf.sync()
    found = (await shelf.find(Inquiry(text="storage exhausted"), RUNBOOK)).found
    assert found[0].document.title == "Disk filling"


async def test_only_what_changed_is_embedded_again(tmp_path: Path) -> None:
    documents, embedder = pages(), FakeEmbedder()
    shelf = library(documents, tmp_path, embedder)
    await shelf.sync()
    version = shelf.corpus_version
    embedder.texts.clear()
    await shelf.sync()
    assert embedder.texts == []
    assert shelf.corpus_version == version
    documents[1] = page("Disk filling", "Something new stands here, about inodes and quotas.")
    await shelf.sync()
    assert shelf.corpus_version != version
    assert len(embedder.texts) == 2  # head and section; the title is the same
    assert all("inodes" in text for text in embedder.texts)


async def test_a_second_start_embeds_nothing(tmp_path: Path) -> None:
    first = library(pages(), tmp_path, FakeEmbedder())
    await first.sync()
    first.close()
    embedder = FakeEmbedder()
    second = library(pages(), tmp_path, embedder)
    await second.sync()
    assert second.meaning
    assert embedder.texts == []


async def test_a_deleted_page_vanishes_with_its_vectors(tmp_path: Path) -> None:
    documents = pages()
    index = VectorIndex(ChromaFolder(tmp_path), FakeEmbedder)
    shelf = Library([lambda: documents], index)
    await shelf.sync()
    gone = documents.pop(0)
    await shelf.sync()
    found = (await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)).found
    assert gone.id not in {f.document.id for f in found}
    assert index.sync(RUNBOOK, []).deleted == 6  # what is left: two pages of three pieces each


async def test_another_model_makes_new_vectors_and_never_mixes_them(tmp_path: Path) -> None:
    first = library(pages(), tmp_path, FakeEmbedder())
    await first.sync()
    first.close()
    for other in (FakeEmbedder(digest="1" * 64), FakeEmbedder(name="larger", dimensions=96)):
        shelf = library(pages(), tmp_path, other)
        await shelf.sync()
        assert shelf.meaning
        assert len(other.texts) == 9
        assert (await shelf.find(Inquiry(text="certificate expires"), RUNBOOK)).found[0].tier is not Tier.WORDS
        shelf.close()


async def test_a_collection_of_another_model_under_our_name_is_refused(tmp_path: Path) -> None:
    first = FakeEmbedder()
    shelf = library(pages(), tmp_path, first)
    await shelf.sync()
    shelf.close()
    first.name = "FAKE"  # the same collection name, another model
    shelf = library(pages(), tmp_path, first)
    await shelf.sync()
    assert not shelf.meaning
    assert "made by another embedding model" in shelf.state


async def test_a_confirmed_incident_is_found_at_once(tmp_path: Path) -> None:
    shelf = library(pages(), tmp_path, FakeEmbedder())
    await shelf.sync()
    past = page("Retry storm", "Payments retried without backoff.", INCIDENT, services=("payments",))
    await shelf.remember(past)
    found = (await shelf.find(Inquiry(text="retry storm, payments retried", services=("payments",)), INCIDENT)).found
    assert [f.document.id for f in found] == [past.id]
    await shelf.sync()
    assert past in shelf.documents


async def test_while_the_model_loads_search_goes_by_words_and_says_so(tmp_path: Path) -> None:
    loaded = threading.Event()

    def slowly() -> FakeEmbedder:
        loaded.wait(10)
        return FakeEmbedder()

    shelf = Library([pages], VectorIndex(ChromaFolder(tmp_path), slowly))
    syncing = asyncio.create_task(shelf.sync())
    while not shelf.ready:
        await asyncio.sleep(0.01)
    findings = await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)
    assert findings.found[0].tier is Tier.WORDS
    assert findings.note == "searched by words only: the embedding model is still loading"
    loaded.set()
    await syncing
    assert (await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)).note == ""


async def test_without_a_model_search_goes_by_words() -> None:
    shelf = Library([pages], None)
    await shelf.sync()
    findings = await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)
    assert findings.found[0].tier is Tier.WORDS
    assert findings.note == ""
    assert shelf.state.endswith("words only: no embedding model is configured")


async def test_a_store_that_cannot_be_written_leaves_search_by_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf = library(pages(), tmp_path / "file" / "vectors", FakeEmbedder())
    await shelf.sync()
    findings = await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)
    assert findings.found[0].document.title == "Kafka consumer lag"
    assert findings.note == "searched by words only: The vector store does not work; search goes by words only"


async def test_a_store_full_of_rubbish_leaves_search_by_words(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(b"rubbish" * 1_000)
    shelf = library(pages(), tmp_path, FakeEmbedder())
    await shelf.sync()
    assert not shelf.meaning
    assert (await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)).found[0].tier is Tier.WORDS


def test_the_installed_weights_are_the_known_ones() -> None:
    assert check_weights(default_folder()).startswith("53aa51172d142c89")


async def test_weights_with_one_other_byte_are_refused_and_words_still_work(tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(default_folder(), broken)
    weights = broken / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(BadSettings, match=r"not the known ones.*expected 53aa51172d142c89"):
        open_checked(broken)
    shelf = Library([pages], VectorIndex(ChromaFolder(tmp_path / "vectors"), partial(open_checked, broken)))
    await shelf.sync()
    findings = await shelf.find(Inquiry(text="kafka consumer lag"), RUNBOOK)
    assert findings.found[0].tier is Tier.WORDS
    assert "its weights are not the known ones" in findings.note
    assert "its weights are not the known ones" in shelf.state


async def test_weights_that_are_missing_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"cannot be read.*model\.safetensors"):
        open_checked(tmp_path)


async def test_progress_is_told_and_a_search_meanwhile_is_answered(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    shelf = library(
        [page(f"Page {n} alpha", f"Text {n} of a page about things {n}") for n in range(60)], tmp_path, FakeEmbedder()
    )
    await shelf.sync(lambda done, of: told.append((done, of)))
    assert told[-1][0] == told[-1][1] > 60
    assert len(told) > 1
