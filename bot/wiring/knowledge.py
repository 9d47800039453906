"""Where runbooks and past incidents come from, and where their vectors are kept."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from uuid6 import uuid7

from bot.domain.document import Document, DocumentKind
from bot.domain.service import Catalogue
from bot.flows.runbooks import past
from bot.knowledge.chroma import ChromaFolder, ChromaServer, VectorStore
from bot.knowledge.documents import Source, markdown_folder
from bot.knowledge.embedder import NONE, Backend, open_embedder
from bot.knowledge.endpoint import Endpoint
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.knowledge.making import Turn
from bot.knowledge.moves import steady
from bot.ports import Clock, Embedder, Transaction
from bot.settings import Settings
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from bot.storage.turns import SqlTurnStore
from bot.wiring.stores import Stores

SPAN = timedelta(minutes=2)  # a replica that embeds says so more often than this


class DatabaseTurn(Turn):
    """Replicas that share a vector store take turns through their database."""

    shared = True

    def __init__(self, db: SqlDatabase, clock: Clock) -> None:
        self._db, self._clock, self._store, self._holder = db, clock, SqlTurnStore(), str(uuid7())

    def take(self) -> bool:
        """It is ours, for the next two minutes."""
        return self._db.write_now(lambda tx: self._store.take(tx, "embed", self._holder, SPAN, self._clock()))

    def end(self) -> None:
        """It is somebody else's."""
        self._db.write_now(lambda tx: self._store.end(tx, "embed", self._holder))


def library_of(
    settings: Settings,
    confirmed: Source | None = None,
    turn: Turn | None = None,
    copies: Source | None = None,
    db: SqlDatabase | None = None,
) -> Library:
    """The runbooks and past incidents of the settings' folders, with the incidents that people confirmed, and copies.

    `copies` are the documents of the settings' sources, which somebody else keeps up to date.
    `turn` is for replicas, where the settings name a vector store that they share. With `db` a file that moved stays the same.
    """
    folders = [
        *(markdown_folder(settings.path(f), DocumentKind.RUNBOOK) for f in settings.knowledge.runbooks),
        *(markdown_folder(settings.path(f), DocumentKind.INCIDENT) for f in settings.knowledge.incidents),
    ]
    kept = folders if db is None else [steady(folders, db, SqlCopyStore())]
    sources: list[Source] = [*kept, *(source for source in (confirmed, copies) if source)]
    name = settings.knowledge.embedder
    if name == NONE:
        return Library(sources, None)
    named = partial(embedder_of, settings)
    shared = turn if settings.knowledge.vector_url else None
    return Library(sources, VectorIndex(vector_store(settings), partial(named, name), named, shared))


def embedder_of(settings: Settings, name: str = "") -> Embedder | None:
    """The embedding model of the settings, or another one by its name. Takes seconds; raises BadSettings, Unavailable."""
    knowledge = settings.knowledge
    key = knowledge.embedder_key.get_secret_value() if knowledge.embedder_key else ""
    endpoint = Endpoint(knowledge.embedder_url, key)
    return open_embedder(name or knowledge.embedder, Backend(knowledge.embedder_backend), endpoint)


def vector_store(settings: Settings) -> VectorStore:
    """Where the vectors are kept: a server if one is named, else a folder beside the database."""
    knowledge = settings.knowledge
    if not knowledge.vector_url:
        return ChromaFolder(settings.data / "vectors")
    return ChromaServer(knowledge.vector_url, knowledge.vector_token.get_secret_value() if knowledge.vector_token else "")


def confirmed_incidents(tx: Transaction, stores: Stores, catalogue: Callable[[], Catalogue] = Catalogue) -> list[Document]:
    """The incidents whose cause a person confirmed, and those that were imported, as knowledge."""
    return past.known_documents(tx, stores.incidents, stores.diagnoses, stores.actions, stores.past, catalogue())
