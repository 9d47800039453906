"""The vectors of one embedding model in Chroma: a collection for each kind of document, part and audience.

Audiences lie apart, so that a search among what somebody may see is a plain search in a few collections: measured at 100,000
vectors, a filter over metadata costs ten times as much (docs/benchmarks.md).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bot.domain.document import DocumentKind
from bot.errors import Unavailable
from bot.knowledge.pieces import Part

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

PREFIX = "tocsin"
NEIGHBOURS = 300  # how wide the approximate search looks
PAGE = 10_000  # keys read at once
AT_ONCE = 1_000  # keys deleted at once


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model made a vector. Vectors of two identities are never compared."""

    model: str
    digest: str
    dimensions: int

    @property
    def suffix(self) -> str:
        """What collections of this model end with: its name for people, its digest for us."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.model.lower()).strip("-")[-40:].strip("-") or "model"
        return f"{slug}.{hashlib.sha256(f'{self.digest}/{self.dimensions}'.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Place:
    """One collection: a kind of document, a part of it, and who may see it ("" is everybody)."""

    kind: DocumentKind
    part: Part
    audience: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}.{self.part.value}"


class Shelf:
    """All vectors of one model in one store. Whatever goes wrong is the store's own error, save a model that does not match.

    It remembers which keys are there; `fresh` finds out whether somebody else changed that.
    """

    def __init__(self, client: "ClientAPI", identity: Identity) -> None:
        self.identity = identity
        self._client = client
        self._collections: dict[Place, Collection] = {}
        self._keys: dict[Place, set[str]] = {}

    def forget(self) -> None:
        """Ask the store for everything anew: it may have lost it."""
        self._collections.clear()
        self._keys.clear()

    def fresh(self) -> None:
        """Forget the keys of collections that do not hold as many as we remember: another replica was there."""
        for place, keys in list(self._keys.items()):
            if self._collection(place).count() != len(keys):
                del self._keys[place]

    def places(self, kind: DocumentKind) -> set[Place]:
        """Where this model has vectors for this kind."""
        return {place for place, identity, _ in _stored(self._client) if identity == self.identity and place.kind is kind}

    def keys(self, place: Place) -> set[str]:
        """The keys that have a vector; not to be changed."""
        known = self._keys.get(place)
        if known is None:
            collection, known = self._collection(place), set()
            while page := collection.get(include=[], limit=PAGE, offset=len(known))["ids"]:
                before = len(known)
                known.update(page)
                if len(known) == before:
                    break
            self._keys[place] = known
        return known

    def put(self, place: Place, vectors: Mapping[str, Sequence[float]]) -> None:
        """These keys have these vectors."""
        matrix = np.asarray(list(vectors.values()), dtype=np.float32)
        self._collection(place).upsert(ids=list(vectors), embeddings=matrix)
        if place in self._keys:
            self._keys[place].update(vectors)

    def remove(self, place: Place, keys: Iterable[str]) -> None:
        """These keys have none."""
        gone = sorted(keys)
        for start in range(0, len(gone), AT_ONCE):
            self._collection(place).delete(ids=gone[start : start + AT_ONCE])
        self.keys(place).difference_update(gone)

    def nearest(self, place: Place, vector: Sequence[float], most: int) -> dict[str, float]:
        """The keys of the nearest texts with their cosine, nearest first."""
        query = np.asarray([vector], dtype=np.float32)
        found = self._collection(place).query(query_embeddings=query, n_results=most, include=["distances"])
        distances = found["distances"] or [[]]
        return {key: 1.0 - distance for key, distance in zip(found["ids"][0], distances[0], strict=True)}

    def _collection(self, place: Place) -> "Collection":
        found = self._collections.get(place)
        if found is not None:
            return found
        described: dict[str, str | int] = {
            "model": self.identity.model,
            "digest": self.identity.digest,
            "dimensions": self.identity.dimensions,
            **({"audience": place.audience} if place.audience else {}),
        }
        name = f"{PREFIX}.{place}.{self.identity.suffix}" + (f".{place.audience}" if place.audience else "")
        collection = self._client.get_or_create_collection(
            name,
            metadata=dict(described),
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_search": NEIGHBOURS}},
        )
        stored = {key: (collection.metadata or {}).get(key) for key in described}
        if stored != described:
            raise Unavailable(
                f"The vector collection {collection.name} was made by another embedding model "
                f"({stored['model']}, {stored['dimensions']} dimensions). Delete it; it is made again."
            )
        self._collections[place] = collection
        return collection


def others(client: "ClientAPI", kind: DocumentKind, mine: Identity) -> dict[Identity, list[str]]:
    """The collections for this kind that other models made."""
    found: dict[Identity, list[str]] = {}
    for place, identity, name in _stored(client):
        if place.kind is kind and identity.suffix != mine.suffix:
            found.setdefault(identity, []).append(name)
    return found


def _stored(client: "ClientAPI") -> list[tuple[Place, Identity, str]]:
    found = []
    for collection in client.list_collections():
        parts = collection.name.split(".")
        if len(parts) < 5 or parts[0] != PREFIX or parts[1] not in set(DocumentKind) or parts[2] not in set(Part):
            continue
        known = collection.metadata or {}
        dimensions = known.get("dimensions")
        identity = Identity(
            str(known.get("model", "")), str(known.get("digest", "")), dimensions if isinstance(dimensions, int) else 0
        )
        place = Place(DocumentKind(parts[1]), Part(parts[2]), str(known.get("audience", "")))
        found.append((place, identity, collection.name))
    return found
