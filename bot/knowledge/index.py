"""Vectors: made by a sentence-transformers model, kept in Chroma (`chroma` knows where).

A vector's id is the hash of the text that it stands for. So an unchanged text is never embedded twice, whichever
document it stands in; a renamed file costs nothing; and a sync that was killed goes on where it stopped.
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.domain.document import DocumentKind
from bot.errors import BadSettings, Unavailable
from bot.knowledge.chroma import VectorStore, store_errors
from bot.knowledge.pieces import Part, Piece
from bot.ports import Embedder

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection
    from sentence_transformers import SentenceTransformer

Progress = Callable[[int, int], None]

PREFIX = "tocsin"
BATCH = 8  # texts embedded at once: a question never waits longer than for one batch
WRITE = 64  # vectors written at once
PATIENCE = 1.0  # seconds that a question waits for the model
NEIGHBOURS = 300  # how wide the approximate search looks


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did: texts embedded, vectors deleted, vectors kept."""

    embedded: int
    deleted: int
    kept: int


class SentenceModel:
    """An Embedder over sentence-transformers; one thread, because the CPU is shared."""

    def __init__(self, model: "SentenceTransformer", name: str, digest: str) -> None:
        self._model = model
        self.name = name
        self.digest = digest
        self.dimensions = len(self.embed(["dimensions"])[0])

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length per text."""
        found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return [[float(x) for x in vector] for vector in found]


def load_model(where: str, *, name: str, digest: str | None) -> Embedder:
    """A sentence-transformers model from a folder, or by name from the model hub. Raises BadSettings.

    `digest` None: the hash of the weights themselves is used. A folder is never looked up in the network.
    """
    import torch  # these three take seconds to import
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers is untyped here
    torch.set_num_threads(1)
    try:
        model = SentenceTransformer(where, device="cpu", local_files_only=Path(where).is_dir())
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BadSettings(
            f"The embedding model {name!r} cannot be loaded: {_first_line(error)} "
            'Set knowledge.embedder to a sentence-transformers model, to a folder that holds one, or to "none".'
        ) from error
    return SentenceModel(model, name, digest or _weights_digest(model))


def _weights_digest(model: "SentenceTransformer") -> str:
    import torch  # loaded already by the caller

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class VectorIndex:
    """The vectors of all documents of one embedding model, in `store`. Blocking; safe to use from several threads.

    Every collection belongs to one kind of document, one part and one model: its name ends with the digest of the
    weights, and its metadata must agree, so that vectors of different models are never compared.
    """

    def __init__(self, store: VectorStore, open_embedder: Callable[[], Embedder | None]) -> None:
        self._store = store
        self._open_embedder = open_embedder
        self._embedder: Embedder | None = None
        self._client: ClientAPI | None = None
        self._collections: dict[tuple[DocumentKind, Part], Collection] = {}
        self._model_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._write_lock = threading.Lock()

    @property
    def model(self) -> str:
        """The model's name once it is loaded, else ""."""
        return self._embedder.name if self._embedder else ""

    def open(self) -> bool:
        """Load the model and open the store; False if the settings want no model. Raises BadSettings, Unavailable."""
        with self._open_lock:
            if self._embedder is None:
                self._embedder = self._open_embedder()
            if self._embedder is None:
                return False
            if self._client is None:
                with self._store_errors():
                    self._client = self._store.open()
            return True

    def close(self) -> None:
        """Forget the model and let go of the files; waits for a write that is under way."""
        with self._open_lock, self._write_lock:
            self._collections.clear()
            close = getattr(self._client, "close", None)  # the embedded client has it, its interface does not
            if close is not None:
                close()
            self._client, self._embedder = None, None

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
        wanted: dict[Part, dict[str, str]] = {part: {} for part in Part}
        for piece in pieces:
            wanted[piece.part][piece.key] = piece.text
        with self._store_errors():
            known = {part: set(self._collection(kind, part).get(include=[])["ids"]) for part in Part}
            todo = [(p, k, t) for p in Part for k, t in wanted[p].items() if k not in known[p]]
            todo.sort(key=lambda item: len(item[2]))  # texts of like length share a batch: less padding
            done = 0
            for start in range(0, len(todo), WRITE):
                if stopped():
                    break
                done += self._embed_and_write(kind, todo[start : start + WRITE], stopped)
                if progress is not None:
                    progress(done, len(todo))
            gone = {part: known[part] - wanted[part].keys() for part in Part}
            if not stopped():
                self._delete(kind, gone)
                self._drop_other_models(kind)
        kept = sum(len(known[part]) - len(gone[part]) for part in Part)
        return Synced(done, sum(map(len, gone.values())), kept)

    def add(self, kind: DocumentKind, pieces: Iterable[Piece]) -> None:
        """These pieces have vectors too. Raises Unavailable."""
        with self._store_errors():
            self._embed_and_write(kind, [(p.part, p.key, p.text) for p in pieces], lambda: False)

    def embed(self, text: str) -> list[float]:
        """The vector of a question. Raises Unavailable if the model is busy for too long."""
        if not self._model_lock.acquire(timeout=PATIENCE):
            raise Unavailable("The embedding model is busy.")
        try:
            return self._model().embed([text])[0]
        finally:
            self._model_lock.release()

    def nearest(self, kind: DocumentKind, part: Part, vector: Sequence[float], most: int) -> dict[str, float]:
        """The keys of the nearest texts with their cosine, nearest first. Raises Unavailable."""
        with self._store_errors():
            collection = self._collection(kind, part)
            found = collection.query(query_embeddings=_matrix([vector]), n_results=most, include=["distances"])
        distances = found["distances"] or [[]]
        return {key: 1.0 - distance for key, distance in zip(found["ids"][0], distances[0], strict=True)}

    @contextmanager
    def _store_errors(self) -> Generator[None]:
        """Raises Unavailable for the store's errors, and asks for the collections anew then: a server may have lost them."""
        try:
            with store_errors(self._store):
                yield
        except Unavailable:
            self._collections.clear()
            raise

    def _model(self) -> Embedder:
        if self._embedder is None:
            raise Unavailable("The embedding model is not loaded.")
        return self._embedder

    def _embed_and_write(self, kind: DocumentKind, items: Sequence[tuple[Part, str, str]], stopped: Callable[[], bool]) -> int:
        made: dict[Part, dict[str, list[float]]] = {part: {} for part in Part}
        done = 0
        for start in range(0, len(items), BATCH):
            if stopped():
                break
            batch = items[start : start + BATCH]
            with self._model_lock:
                embedded = self._model().embed([text for _, _, text in batch])
            for (part, key, _), vector in zip(batch, embedded, strict=True):
                made[part][key] = vector
            done += len(batch)
            time.sleep(0.001)  # let a waiting question have the model
        for part, vectors_by_key in made.items():
            if vectors_by_key:
                vectors = _matrix(list(vectors_by_key.values()))
                with self._write_lock:
                    self._collection(kind, part).upsert(ids=list(vectors_by_key), embeddings=vectors)
        return done

    def _delete(self, kind: DocumentKind, gone: Mapping[Part, set[str]]) -> None:
        for part, keys in gone.items():
            ids = sorted(keys)
            for start in range(0, len(ids), 1_000):
                self._collection(kind, part).delete(ids=ids[start : start + 1_000])

    def _collection(self, kind: DocumentKind, part: Part) -> "Collection":
        found = self._collections.get((kind, part))
        if found is not None:
            return found
        if self._client is None:
            raise Unavailable("The vector store is not open.")
        model = self._model()
        identity: dict[str, str | int] = {
            "model": model.name,
            "digest": model.digest,
            "dimensions": model.dimensions,
        }
        collection = self._client.get_or_create_collection(
            _collection_name(kind, part, model),
            metadata=dict(identity),
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_search": NEIGHBOURS}},
        )
        stored = {key: (collection.metadata or {}).get(key) for key in identity}
        if stored != identity:
            raise Unavailable(
                f"The vector collection {collection.name} in {self._store} was made by another embedding model "
                f"({stored['model']}, {stored['dimensions']} dimensions). Delete it; it is made again."
            )
        self._collections[kind, part] = collection
        return collection

    def _drop_other_models(self, kind: DocumentKind) -> None:
        if self._client is None:
            return
        for part in Part:
            mine = _collection_name(kind, part, self._model())
            for other in self._client.list_collections():
                if other.name.startswith(f"{PREFIX}.{kind.value}.{part.value}.") and other.name != mine:
                    self._client.delete_collection(other.name)


def _matrix(vectors: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    return np.asarray(vectors, dtype=np.float32)


def _collection_name(kind: DocumentKind, part: Part, model: Embedder) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", model.name.lower()).strip("-")[-40:].strip("-") or "model"
    digest = hashlib.sha256(f"{model.digest}/{model.dimensions}".encode()).hexdigest()[:16]
    return f"{PREFIX}.{kind.value}.{part.value}.{slug}.{digest}"


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0][:300].rstrip(".") + "."
