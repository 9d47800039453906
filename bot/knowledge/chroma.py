"""Where vectors are kept: Chroma in a folder of this machine, or a Chroma server that several replicas share."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import httpx

from bot.errors import BadSettings, Unavailable

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

PATIENCE = 10.0  # seconds for one answer of a server; Chroma's own client waits for ever, and each wait holds a thread
WORDS_ONLY = "The vector store does not work; search goes by words only."


class VectorStore(Protocol):
    """A place for vectors. `advice` ends the sentence about a store that does not work: what to do; `far` is another process."""

    advice: str
    far: bool

    def open(self) -> "ClientAPI":
        """A client of it; whatever goes wrong is the store's own error (see `store_errors`)."""

    def __str__(self) -> str:
        """What people call it, free of secrets."""


class ChromaFolder:
    """Chroma inside this process; one process at a time."""

    far = False
    advice = "Check that the folder is writable and the disk not full; it can be deleted and is made again."

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def open(self) -> "ClientAPI":
        """A client of the folder, which is made if it is missing."""
        import chromadb  # takes seconds to import
        from chromadb.config import Settings

        self._folder.mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(path=str(self._folder), settings=Settings(anonymized_telemetry=False))


class ChromaServer:
    """A Chroma server by its address; `token` goes along as a bearer token. Raises BadSettings for a bad address."""

    far = True
    advice = "Check knowledge.vector_url and that the server runs; the bot tries again by itself."

    def __init__(self, url: str, token: str = "", *, patience: float = PATIENCE) -> None:
        self._patience = patience
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.username:
            raise BadSettings("knowledge.vector_url has to be a server's address alone. A good value: http://chroma:8000")
        self._host, self._secure = parts.hostname, parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 8000)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __str__(self) -> str:
        return f"{'https' if self._secure else 'http'}://{self._host}:{self._port}"

    def open(self) -> "ClientAPI":
        """A client that has reached the server, and gives up on an answer that does not come."""
        import chromadb  # takes seconds to import
        from chromadb.config import Settings

        httpx.get(
            f"{self}/api/v2/heartbeat", headers=self._headers, timeout=self._patience
        )  # the client's own first call has no limit
        client = chromadb.HttpClient(
            host=self._host,
            port=self._port,
            ssl=self._secure,
            headers=self._headers,
            settings=Settings(anonymized_telemetry=False),
        )
        session = getattr(getattr(client, "_server", None), "_session", None)  # there is no public way to set a limit
        if not isinstance(session, httpx.Client):
            raise Unavailable(
                "This version of chromadb keeps its connection where no time limit can be set.", for_people=WORDS_ONLY
            )
        session.timeout = httpx.Timeout(self._patience)
        return client


@contextmanager
def store_errors(store: VectorStore) -> Generator[None]:
    """Whatever the store raises becomes Unavailable, with what to do."""
    from chromadb.errors import ChromaError  # imported already wherever this matters

    try:
        yield
    except (ChromaError, sqlite3.Error, httpx.HTTPError, OSError, RuntimeError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
        raise Unavailable(f"The vector store {store} does not work: {why}. {store.advice}", for_people=WORDS_ONLY) from error
