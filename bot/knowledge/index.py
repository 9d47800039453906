"""Vectors: made by an embedding model, kept in Chroma (`chroma` knows where, `shelf` how).

A vector's id is the hash of the text that it stands for. So an unchanged text is never embedded twice, whichever
document it stands in; a renamed file costs nothing; and a sync that was killed goes on where it stopped.
"""

import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, TimeoutError, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.document import DocumentKind
from bot.errors import BotError, Unavailable
from bot.knowledge.chroma import WORDS_ONLY, VectorStore, store_errors
from bot.knowledge.pieces import Part, Piece
from bot.knowledge.shelf import Identity, Place, Shelf, others
from bot.ports import Embedder

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Todo = list[tuple[Place, str, str]]  # where, the key, the text

BATCH = 8  # texts embedded at once: a question never waits longer than for one batch
WRITE = 64  # vectors written at once
PATIENCE = 2.0  # seconds that a question waits for the store
COOL_DOWN = 15.0  # seconds in which a store that did not answer is not asked
QUESTIONS = 512  # vectors of questions that are remembered
WAIT = 2.0  # seconds between two looks whether another replica is done
GRACE = 3600.0  # seconds for which a store that replicas share keeps what one of them does not want


class Turn:
    """Whose turn it is to embed, among the replicas that share a store. This one is for those who share none."""

    shared = False

    def take(self) -> bool:
        """It is ours, for the next minute."""
        return True

    def end(self) -> None:
        """It is somebody else's."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did: texts embedded, vectors deleted, vectors kept."""

    embedded: int
    deleted: int
    kept: int


@dataclass(frozen=True, slots=True)
class _Serving:
    """What answers questions about one kind of document: a model, and the vectors that it made."""

    shelf: Shelf
    embedder: Embedder


class VectorIndex:
    """The vectors of all documents, in `store`. Blocking; safe to use from several threads.

    After a change of the model the vectors of the one before answer until the new ones are complete; `open_other` loads it by
    its name. With a `turn` that is shared, only the replica whose turn it is embeds; the others wait for its vectors.
    """

    def __init__(
        self,
        store: VectorStore,
        open_embedder: Callable[[], Embedder | None],
        open_other: Callable[[str], Embedder | None] = lambda _name: None,
        turn: Turn | None = None,
        cool_down: float = COOL_DOWN,
    ) -> None:
        self._store = store
        self._open_embedder = open_embedder
        self._open_other = open_other
        self._turn = turn or Turn()
        self._cool_down = cool_down
        self._embedder: Embedder | None = None
        self._client: ClientAPI | None = None
        self._shelf: Shelf | None = None
        self._serving: dict[DocumentKind, _Serving] = {}
        self._questions: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._unwanted: dict[tuple[Place | str, str], float] = {}
        self._away_until = 0.0
        self._open_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._asking = ThreadPoolExecutor(max_workers=2 * len(Part), thread_name_prefix="vectors")

    @property
    def model(self) -> str:
        """The name of the model that the settings want once it is loaded, else ""."""
        return self._embedder.name if self._embedder else ""

    def serving(self, kind: DocumentKind) -> str:
        """The name of the model that answers questions about this kind; "" while none does."""
        found = self._serving.get(kind)
        return found.embedder.name if found else ""

    def open(self) -> bool:
        """Load the model and open the store; False if the settings want no model. Raises BadSettings, Unavailable."""
        with self._open_lock:
            if self._embedder is None:
                self._embedder = self._open_embedder()
            if self._embedder is None:
                return False
            if self._shelf is None:
                with store_errors(self._store):
                    self._client = self._store.open()
                self._shelf = Shelf(self._client, _identity(self._embedder))
            return True

    def close(self) -> None:
        """Forget the models and let go of the files; waits for a write that is under way."""
        self._asking.shutdown(wait=False, cancel_futures=True)
        with self._open_lock, self._write_lock:
            self._serving.clear()
            close = getattr(self._client, "close", None)  # the embedded client has it, its interface does not
            if close is not None:
                close()
            self._client = self._shelf = self._embedder = None

    def sync(
        self,
        kind: DocumentKind,
        pieces: Iterable[Piece],
        progress: Progress | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Synced:
        """Exactly these pieces have vectors afterwards; only new texts are embedded. Raises Unavailable.

        Stops early, with what is done kept, when `stopped` says so.
        """
        shelf, embedder, client = self._opened()
        wanted: dict[Place, dict[str, str]] = {Place(kind, part): {} for part in Part}
        for piece in pieces:
            wanted.setdefault(Place(kind, piece.part, piece.audience), {})[piece.key] = piece.text
        with self._store_errors():
            shelf.fresh()
            todo = _missing(shelf, wanted)
            if todo and kind not in self._serving:
                self._serve_with_another(kind, client, shelf.identity)
            done = self._embed_all(shelf, embedder, wanted, todo, progress, stopped)
            if stopped():
                return Synced(done, 0, sum(len(shelf.keys(place)) for place in wanted))
            self._serving[kind] = _Serving(shelf, embedder)
            deleted = self._tidy(kind, shelf, wanted)
            self._drop_other_models(kind, client, shelf.identity)
        kept = sum(len(keys) for keys in wanted.values()) - done
        return Synced(done, deleted, kept)

    def add(self, kind: DocumentKind, pieces: Iterable[Piece]) -> None:
        """These pieces have vectors too. Raises Unavailable."""
        shelf, embedder, _ = self._opened()
        todo = [(Place(kind, p.part, p.audience), p.key, p.text) for p in pieces]
        with self._store_errors():
            self._write(shelf, todo, embedder.embed([text for _, _, text in todo]) if todo else [])

    def nearest(
        self, kind: DocumentKind, sentence: str, most: int, audiences: Sequence[str] = ("",)
    ) -> dict[Part, dict[str, float]]:
        """For each part the keys of the nearest texts that these audiences see, with their cosine. Raises Unavailable."""
        serving = self._serving.get(kind)
        if serving is None:
            raise Unavailable("The vectors are still being made.")
        if time.monotonic() < self._away_until:
            raise Unavailable(f"The vector store {self._store} did not answer just now.", for_people=WORDS_ONLY)
        vector = self._question(serving.embedder, sentence)
        places = [Place(kind, part, audience) for part in Part for audience in audiences]
        found: dict[Part, dict[str, float]] = {part: {} for part in Part}
        with self._store_errors():
            for place, near in zip(places, self._ask(serving.shelf, places, vector, most), strict=True):
                found[place.part] |= near
        return found

    def _ask(self, shelf: Shelf, places: Sequence[Place], vector: Sequence[float], most: int) -> list[dict[str, float]]:
        """A server is asked side by side, since each answer is a journey; and not for longer than a person waits."""
        if not self._store.far:
            return [shelf.nearest(place, vector, most) for place in places]
        asked = [self._asking.submit(shelf.nearest, place, vector, most) for place in places]
        wait(asked, timeout=PATIENCE)
        try:
            return [one.result(timeout=0) for one in asked]
        except TimeoutError as error:
            raise Unavailable(f"The vector store {self._store} did not answer in time.", for_people=WORDS_ONLY) from error

    def _question(self, embedder: Embedder, sentence: str) -> list[float]:
        """The vector of a question; the latest are remembered."""
        key = (embedder.digest, sentence)
        known = self._questions.get(key)
        if known is None:
            known = self._questions[key] = embedder.embed([sentence])[0]
            while len(self._questions) > QUESTIONS:
                self._questions.popitem(last=False)
        return known

    @contextmanager
    def _store_errors(self) -> Generator[None]:
        """Raises Unavailable for the store's errors, and asks for everything anew then: a server may have lost it."""
        try:
            with store_errors(self._store):
                yield
        except Unavailable:
            self._away_until = time.monotonic() + self._cool_down
            for shelf in {id(s): s for s in (self._shelf, *(s.shelf for s in self._serving.values())) if s}.values():
                shelf.forget()
            raise

    def _opened(self) -> tuple[Shelf, Embedder, "ClientAPI"]:
        if self._shelf is None or self._embedder is None or self._client is None:
            raise Unavailable("The embedding model is not loaded.")
        return self._shelf, self._embedder, self._client

    def _embed_all(
        self,
        shelf: Shelf,
        embedder: Embedder,
        wanted: Mapping[Place, Mapping[str, str]],
        todo: Todo,
        progress: Progress | None,
        stopped: Callable[[], bool],
    ) -> int:
        """Embeds what is missing while it is our turn, else waits until another replica has done it; how many we did."""
        done, ours = 0, not self._turn.shared
        total = len(todo)
        workers = max(1, min(embedder.at_once, os.cpu_count() or 1))
        with ThreadPoolExecutor(workers, thread_name_prefix="embed", initializer=_politely) as pool:
            while todo and not stopped():
                if not self._turn.take():
                    ours = False
                    time.sleep(WAIT)
                elif not ours:  # what the one before us made is there
                    ours = True
                else:
                    part, todo = todo[:WRITE], todo[WRITE:]
                    done += self._embed_some(shelf, embedder, part, pool, stopped)
                    if progress is not None:
                        progress(total - len(todo), total)
                    continue
                shelf.fresh()
                todo = _missing(shelf, wanted)
        if ours:
            self._turn.end()
        return done

    def _embed_some(
        self, shelf: Shelf, embedder: Embedder, items: Todo, pool: ThreadPoolExecutor, stopped: Callable[[], bool]
    ) -> int:
        def embed(batch: Todo) -> list[list[float]]:
            if stopped():
                return []
            time.sleep(0.001)  # let a waiting question have the model
            return embedder.embed([text for _, _, text in batch])

        batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        done: Todo = []
        made: list[list[float]] = []
        for batch, vectors in zip(batches, pool.map(embed, batches), strict=True):
            if vectors:
                done += batch
                made += vectors
        self._write(shelf, done, made)
        return len(done)

    def _write(self, shelf: Shelf, items: Todo, vectors: Sequence[Sequence[float]]) -> None:
        by_place: dict[Place, dict[str, Sequence[float]]] = {}
        for (place, key, _), vector in zip(items, vectors, strict=True):
            by_place.setdefault(place, {})[key] = vector
        with self._write_lock:
            for place, mine in by_place.items():
                shelf.put(place, mine)

    def _serve_with_another(self, kind: DocumentKind, client: "ClientAPI", mine: Identity) -> None:
        """The vectors of the model before this one answer, if that one can be loaded."""
        for identity in sorted(others(client, kind, mine), key=lambda i: i.model):
            try:
                embedder = self._open_other(identity.model)
            except BotError as error:
                log.warning("The embedding model before this one, %s, cannot be loaded: %s", identity.model, error)
                continue
            if embedder is not None and _identity(embedder) == identity:
                log.info("%s: %s answers until the vectors of %s are made", kind, identity.model, mine.model)
                self._serving[kind] = _Serving(Shelf(client, identity), embedder)
                return

    def _tidy(self, kind: DocumentKind, shelf: Shelf, wanted: Mapping[Place, Mapping[str, str]]) -> int:
        deleted = 0
        for place in shelf.places(kind) | wanted.keys():
            gone = shelf.keys(place) - wanted.get(place, {}).keys()
            gone = self._long_unwanted(place, gone)
            if gone:
                shelf.remove(place, gone)
                deleted += len(gone)
        return deleted

    def _drop_other_models(self, kind: DocumentKind, client: "ClientAPI", mine: Identity) -> None:
        names = {name for found in others(client, kind, mine).values() for name in found}
        for name in self._long_unwanted(kind.value, names):
            client.delete_collection(name)

    def _long_unwanted(self, where: Place | str, keys: set[str]) -> set[str]:
        """Those that may be deleted. Other replicas may still want them for a while: their sources are older, or their model."""
        if not self._turn.shared:
            return keys
        now = time.monotonic()
        before = {key: since for (place, key), since in self._unwanted.items() if place == where}
        for key in before.keys() - keys:
            del self._unwanted[where, key]
        for key in keys:
            self._unwanted.setdefault((where, key), now)
        return {key for key in keys if now - self._unwanted[where, key] >= GRACE}


def _missing(shelf: Shelf, wanted: Mapping[Place, Mapping[str, str]]) -> Todo:
    """What has no vector yet, short texts first: texts of like length share a batch, which needs less padding."""
    todo = [(place, key, text) for place, texts in wanted.items() for key, text in texts.items() if key not in shelf.keys(place)]
    return sorted(todo, key=lambda item: len(item[2]))


def _identity(embedder: Embedder) -> Identity:
    return Identity(embedder.name, embedder.digest, embedder.dimensions)


def _politely() -> None:
    """This thread gives way to those that answer people."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
