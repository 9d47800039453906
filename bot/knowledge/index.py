"""Vectors: made by an embedding model, kept in Chroma (`chroma` knows where, `shelf` how).

A vector's id is the hash of the text that it stands for. So an unchanged text is never embedded twice, whichever
document it stands in; a renamed file costs nothing; and a sync that was killed goes on where it stopped.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, TimeoutError, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.document import DocumentKind
from bot.errors import BotError, Unavailable
from bot.knowledge.chroma import WORDS_ONLY, VectorStore, store_errors
from bot.knowledge.languages import reads_cjk
from bot.knowledge.making import Maker, Progress, Turn, Wanted, missing
from bot.knowledge.pieces import Part, Piece
from bot.knowledge.query import mostly_cjk
from bot.knowledge.shelf import Identity, Place, Shelf, others
from bot.ports import Embedder

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

log = logging.getLogger(__name__)


PATIENCE = 2.0  # seconds that a question waits for the store
COOL_DOWN = 15.0  # seconds in which a store that did not answer is not asked
QUESTIONS = 512  # vectors of questions that are remembered
GRACE = 3600.0  # seconds for which a store that replicas share keeps what one of them does not want


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
        self._maker = Maker(self._turn)
        self._cool_down = cool_down
        self._embedder: Embedder | None = None
        self._client: ClientAPI | None = None
        self._shelf: Shelf | None = None
        self._serving: dict[DocumentKind, _Serving] = {}
        self._reads: dict[str, bool] = {}
        self._questions: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._unwanted: dict[tuple[Place | str, str], float] = {}
        self._away_until = 0.0
        self._open_lock = threading.Lock()
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
        with self._open_lock, self._maker.writing:
            self._serving.clear()
            _close(self._client)
            self._client = self._shelf = self._embedder = None

    def _reopen(self) -> None:
        """The next `open` opens the store anew; until then nothing serves."""
        with self._open_lock:
            self._serving.clear()
            self._shelf = None
            _close(self._client)

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
            todo = missing(shelf, wanted)
            if todo and kind not in self._serving:
                self._serve_with_another(kind, client, shelf.identity)
            done = self._maker.make(shelf, embedder, wanted, todo, progress, stopped)
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
            self._maker.write(shelf, todo, embedder.embed([text for _, _, text in todo]) if todo else [])

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
        with self._store_errors(reading=True):
            for place, near in zip(places, self._ask(serving.shelf, places, vector, most), strict=True):
                found[place.part] |= near
        return found

    def _ask(self, shelf: Shelf, places: Sequence[Place], vector: Sequence[float], most: int) -> list[dict[str, float]]:
        """For no longer than a person waits; a server is asked side by side, since each answer is a journey."""

        def ask(some: Sequence[Place]) -> list[dict[str, float]]:
            return [shelf.nearest(place, vector, most) for place in some]

        groups = [[place] for place in places] if self._store.far else [places]
        asked = [self._asking.submit(ask, group) for group in groups]
        wait(asked, timeout=PATIENCE)
        try:
            return [near for one in asked for near in one.result(timeout=0)]
        except TimeoutError as error:
            raise Unavailable(f"The vector store {self._store} did not answer in time.", for_people=WORDS_ONLY) from error

    def reads(self, kind: DocumentKind, text: str) -> bool:
        """The model that serves knows the script of this text; asked of the model itself once. Raises Unavailable."""
        serving = self._serving.get(kind)
        if serving is None or not mostly_cjk(text):
            return True
        digest = serving.embedder.digest
        if digest not in self._reads:
            self._reads[digest] = reads_cjk(serving.embedder)
        return self._reads[digest]

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
    def _store_errors(self, *, reading: bool = False) -> Generator[None]:
        """Raises Unavailable for the store's errors, and asks for everything anew then: a server may have lost it."""
        try:
            with store_errors(self._store):
                yield
        except Unavailable:
            self._away_until = time.monotonic() + self._cool_down
            if self._store.far:
                for shelf in {id(s): s for s in (self._shelf, *(s.shelf for s in self._serving.values())) if s}.values():
                    shelf.forget()
            elif not reading:  # after a failed write Chroma's own one may hang for ever
                self._reopen()
            raise

    def _opened(self) -> tuple[Shelf, Embedder, "ClientAPI"]:
        if self._shelf is None or self._embedder is None or self._client is None:
            raise Unavailable("The embedding model is not loaded.")
        return self._shelf, self._embedder, self._client

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

    def _tidy(self, kind: DocumentKind, shelf: Shelf, wanted: Wanted) -> int:
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


def _close(client: "ClientAPI | None") -> None:
    close = getattr(client, "close", None)  # the embedded client has it, its interface does not
    if close is not None:
        close()


def _identity(embedder: Embedder) -> Identity:
    return Identity(embedder.name, embedder.digest, embedder.dimensions)
