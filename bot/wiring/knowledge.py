"""Where runbooks and past incidents come from, and where their vectors are kept."""

from collections.abc import Callable
from functools import partial

from bot.domain.document import Document, DocumentKind
from bot.domain.service import Catalogue
from bot.flows import past
from bot.knowledge.chroma import ChromaFolder, ChromaServer, VectorStore
from bot.knowledge.documents import Source, markdown_folder
from bot.knowledge.embedder import NONE, Backend, open_embedder
from bot.knowledge.endpoint import Endpoint
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.ports import Embedder, Transaction
from bot.settings import Settings
from bot.wiring.stores import Stores


def library_of(settings: Settings, confirmed: Source | None = None) -> Library:
    """The runbooks and past incidents of the settings' folders, with the incidents that people confirmed."""
    sources: list[Source] = [
        *(markdown_folder(settings.path(f), DocumentKind.RUNBOOK) for f in settings.knowledge.runbooks),
        *(markdown_folder(settings.path(f), DocumentKind.INCIDENT) for f in settings.knowledge.incidents),
        *([confirmed] if confirmed else []),
    ]
    name = settings.knowledge.embedder
    if name == NONE:
        return Library(sources, None)
    named = partial(embedder_of, settings)
    return Library(sources, VectorIndex(vector_store(settings), partial(named, name), named))


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
