"""Another model: the old vectors answer until the new ones are complete; what is killed meanwhile goes on."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.domain.document import Audience, Document, DocumentKind, Inquiry
from bot.errors import BadSettings
from bot.knowledge import index as rules
from bot.knowledge import making
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.knowledge.making import Turn
from bot.knowledge.pieces import Part, Piece
from bot.ports import Embedder
from tests.knowledge.embedding import FakeEmbedder
from tests.knowledge.test_library import page, pages

RUNBOOK = DocumentKind.RUNBOOK
QUESTION = Inquiry(text="kafka consumer lag")


class Gated(FakeEmbedder):
    """Embeds `open` texts at once and then waits for the gate."""

    def __init__(self, **given: object) -> None:
        super().__init__(name="new", digest="2" * 64, dimensions=96)
        self.gate, self.reached = threading.Event(), threading.Event()
        self.waits = True

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.waits and len(texts) > 1:
            self.reached.set()
            self.gate.wait(10)
        return super().embed(texts)


def a_library(folder: Path, embedder: Embedder, others: Callable[[str], Embedder | None] = lambda _: None) -> Library:
    return Library([pages], VectorIndex(ChromaFolder(folder), lambda: embedder, others))


def collections(folder: Path) -> set[str]:
    client = ChromaFolder(folder).open()
    return {c.name.rsplit(".", 2)[1] for c in client.list_collections()}


async def made_by_the_old_model(folder: Path) -> None:
    before = a_library(folder, FakeEmbedder(name="old"))
    await before.sync()
    before.close()


async def test_the_old_model_answers_until_the_new_vectors_are_complete(tmp_path: Path) -> None:
    await made_by_the_old_model(tmp_path)
    asked: list[str] = []

    def another(name: str) -> Embedder:
        asked.append(name)
        return FakeEmbedder(name="old")

    new = Gated()
    shelf = a_library(tmp_path, new, another)
    syncing = asyncio.create_task(shelf.sync(), name="sync")
    await asyncio.to_thread(new.reached.wait, 10)
    findings = await shelf.find(QUESTION, RUNBOOK)
    assert findings.note == ""
    assert findings.found[0].document.title == "Kafka consumer lag"
    assert collections(tmp_path) == {"old", "new"}
    new.gate.set()
    await syncing
    assert asked == ["old"]
    assert shelf.state == "3 runbooks, 0 past incidents; words and vectors (new)"
    assert (await shelf.find(QUESTION, RUNBOOK)).note == ""
    assert collections(tmp_path) == {"new"}


@pytest.mark.parametrize("trouble", ["gone", "unknown", "changed"])
async def test_an_old_model_that_cannot_be_loaded_leaves_words(tmp_path: Path, trouble: str) -> None:
    await made_by_the_old_model(tmp_path)

    def another(_name: str) -> Embedder | None:
        if trouble == "gone":
            raise BadSettings("it is gone")
        return None if trouble == "unknown" else FakeEmbedder(name="old", digest="9" * 64)

    new = Gated()
    shelf = a_library(tmp_path, new, another)
    syncing = asyncio.create_task(shelf.sync())
    await asyncio.to_thread(new.reached.wait, 10)
    findings = await shelf.find(QUESTION, RUNBOOK)
    assert findings.note == "searched by words only: the vectors are still being made"
    assert findings.found[0].document.title == "Kafka consumer lag"
    new.gate.set()
    await syncing
    assert (await shelf.find(QUESTION, RUNBOOK)).note == ""


async def test_how_far_it_is_can_be_seen(tmp_path: Path) -> None:
    many = [page(f"Page {chr(97 + n // 26)}{chr(97 + n % 26)}", f"Words about thing {n} and more words") for n in range(60)]
    shelf = Library([lambda: many], VectorIndex(ChromaFolder(tmp_path), FakeEmbedder))
    seen: list[tuple[tuple[int, int], str]] = []
    await shelf.sync(lambda _done, _of: seen.append((shelf.making, shelf.state)))
    made, state = seen[0]
    assert 0 < made[0] < made[1]
    assert state.endswith(f"words only: the vectors are still being made; {made[0]} of {made[1]} vectors made")
    assert shelf.making == (0, 0)


async def test_a_switch_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    await made_by_the_old_model(tmp_path)
    new = Gated()
    stopped = a_library(tmp_path, new)
    syncing = asyncio.create_task(stopped.sync())
    await asyncio.to_thread(new.reached.wait, 10)
    stopped._closed.set()
    new.gate.set()
    await syncing
    stopped.close()
    assert "old" in collections(tmp_path)
    first = len(new.texts)
    again = Gated()
    again.waits = False
    shelf = a_library(tmp_path, again)
    await shelf.sync()
    assert shelf.meaning
    assert len(again.texts) - 1 <= 9 - (first - 1)
    assert collections(tmp_path) == {"new"}


def secret_page(name: str, text: str, channels: tuple[str, ...]) -> Document:
    found = page(name, text)
    return Document(found.id, found.kind, found.title, found.text, path=found.path, channels=channels)


async def test_what_few_may_see_lies_apart_and_is_found_by_them_alone(tmp_path: Path) -> None:
    crowd = [page(f"Kafka lag {n}", "Consumer lag grows, the group is slow.") for n in range(12)]
    crowd.append(secret_page("Kafka lag of payroll", "Consumer lag of the payroll group grows.", ("C0PAY",)))
    shelf = Library([lambda: crowd], VectorIndex(ChromaFolder(tmp_path), FakeEmbedder))
    await shelf.sync()
    wanted = "payroll consumer lag"
    allowed = await shelf.find(Inquiry(text=wanted, audience=Audience(frozenset({"C0PAY"}))), RUNBOOK, 20)
    assert "Kafka lag of payroll" in {f.document.title for f in allowed.found}
    for audience in (Audience(), Audience(frozenset({"C0OTHER"}))):
        found = await shelf.find(Inquiry(text=wanted, audience=audience), RUNBOOK, 20)
        assert "Kafka lag of payroll" not in {f.document.title for f in found.found}


async def test_a_page_that_becomes_secret_leaves_the_vectors_of_everybody(tmp_path: Path) -> None:
    documents = pages()
    index = VectorIndex(ChromaFolder(tmp_path), FakeEmbedder)
    shelf = Library([lambda: documents], index)
    await shelf.sync()
    public = index.nearest(RUNBOOK, "kafka consumer lag", 10)[Part.TITLE]
    documents[0] = secret_page(documents[0].title, documents[0].text, ("C0PAY",))
    await shelf.sync()
    assert len(index.nearest(RUNBOOK, "kafka consumer lag", 10)[Part.TITLE]) == len(public) - 1


def some(n: int) -> list[Piece]:
    return [Piece(f"d{i}", Part.SECTION, 0, f"text number{chr(97 + i)} of many") for i in range(n)]


class Taken(Turn):
    """Another replica's turn, for so many looks; `meanwhile` is what it does."""

    shared = True

    def __init__(self, looks: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.looks, self.meanwhile, self.ended = looks, meanwhile, 0

    def take(self) -> bool:
        self.looks -= 1
        if self.looks >= 0:
            self.meanwhile()
        return self.looks < 0

    def end(self) -> None:
        self.ended += 1


def test_only_the_replica_whose_turn_it_is_embeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "WAIT", 0.0)
    store, theirs, mine = ChromaFolder(tmp_path), FakeEmbedder(), FakeEmbedder()
    other = VectorIndex(store, lambda: theirs)
    other.open()
    turn = Taken(3, lambda: other.sync(RUNBOOK, some(20)))
    index = VectorIndex(store, lambda: mine, turn=turn)
    index.open()
    done = index.sync(RUNBOOK, some(20))
    assert (done.embedded, mine.texts, len(theirs.texts)) == (0, [], 20)
    assert index.serving(RUNBOOK) == "fake"


def test_a_replica_that_died_in_its_turn_is_followed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "WAIT", 0.0)
    store, mine = ChromaFolder(tmp_path), FakeEmbedder()
    other = VectorIndex(store, FakeEmbedder)
    other.open()
    turn = Taken(2, lambda: other.sync(RUNBOOK, some(5)))  # it got so far
    index = VectorIndex(store, lambda: mine, turn=turn)
    index.open()
    assert index.sync(RUNBOOK, some(20)).embedded == 15
    assert turn.ended == 1


def test_what_another_replica_still_wants_is_kept_for_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = VectorIndex(ChromaFolder(tmp_path), FakeEmbedder, turn=Taken(0))
    index.open()
    index.sync(RUNBOOK, some(20))
    assert index.sync(RUNBOOK, some(10)).deleted == 0
    monkeypatch.setattr(rules, "GRACE", 0.0)
    assert index.sync(RUNBOOK, some(10)).deleted == 10


def test_what_another_replica_added_or_deleted_is_noticed(tmp_path: Path) -> None:
    store, mine = ChromaFolder(tmp_path), FakeEmbedder()
    index = VectorIndex(store, lambda: mine)
    index.open()
    index.sync(RUNBOOK, some(10))
    other = VectorIndex(store, FakeEmbedder)
    other.open()
    other.sync(RUNBOOK, some(4))
    mine.texts.clear()
    assert index.sync(RUNBOOK, some(10)).embedded == 6
    other.sync(RUNBOOK, some(20))
    mine.texts.clear()
    index.sync(RUNBOOK, some(20))
    assert mine.texts == []


def test_a_question_that_was_asked_before_is_not_embedded_again(tmp_path: Path) -> None:
    mine = FakeEmbedder()
    index = VectorIndex(ChromaFolder(tmp_path), lambda: mine)
    index.open()
    index.sync(RUNBOOK, some(3))
    mine.texts.clear()
    for _ in range(3):
        index.nearest(RUNBOOK, "the same question", 3)
    assert mine.texts == ["the same question"]
