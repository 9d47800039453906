"""The library: all runbooks and past incidents, kept in step with their sources, searched by link, name, words and meaning."""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.document import Audience, Document, DocumentKind, Found, Inquiry, Tier
from bot.errors import BotError
from bot.knowledge.confidence import judge
from bot.knowledge.documents import Source
from bot.knowledge.index import VectorIndex
from bot.knowledge.memory import give_back
from bot.knowledge.pieces import audience_of, pieces
from bot.knowledge.query import shape
from bot.knowledge.search import NEAREST, Corpus, Explained, Ranked, Vectors

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

MOST_VIEWS = 8  # of audiences that may not see everything, each with a word index of its own
LOOKED_AT = 20  # a search looks at so many documents more than it may return

NONE_FOUND = {
    DocumentKind.RUNBOOK: "no runbook found",
    DocumentKind.INCIDENT: "no similar past incident found",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search found, the best first; `note` says how it was searched where that matters, or that nothing fits."""

    found: tuple[Found, ...]
    note: str = ""
    corpus_version: str = ""

    @property
    def shown(self) -> tuple[Found, ...]:
        """What is good enough to be pushed to people: everything above a possible match."""
        return tuple(f for f in self.found if f.tier is not Tier.POSSIBLE)


class Library:
    """Runbooks and past incidents. Safe to use from several tasks and threads; slow parts run in threads.

    `sources` are read again at each `sync`; `index` None means search by words only. Search answers by words as soon as the
    sources are read, and by meaning as well once the model is loaded and every piece has its vector.
    """

    def __init__(self, sources: Sequence[Source], index: VectorIndex | None) -> None:
        self._sources = tuple(sources)
        self._index = index
        self._corpora: dict[DocumentKind, Corpus] = {kind: Corpus(kind, ()) for kind in DocumentKind}
        self._remembered: dict[str, Document] = {}
        self._audiences: dict[DocumentKind, dict[str, Document]] = {kind: {} for kind in DocumentKind}
        self._waiting_for = "no embedding model is configured" if index is None else "the embedding model is still loading"
        self._views: dict[tuple[DocumentKind, frozenset[str]], tuple[Corpus, Corpus]] = {}  # the latest used last
        self._viewing = threading.Lock()
        self._made = (0, 0)
        self._trouble = ""
        self._version = ""
        self._ready = False
        self._write = threading.Lock()
        self._closed = threading.Event()
        self._syncing: asyncio.Lock | None = None

    @property
    def ready(self) -> bool:
        """The sources were read once: search answers, at least by words."""
        return self._ready

    @property
    def meaning(self) -> bool:
        """Search goes by meaning as well as by words."""
        return self._ready and not self._why_words_only

    @property
    def _why_words_only(self) -> str:
        """ "" while every kind of document is searched by meaning, else why one is not."""
        if self._index is not None and all(self._index.serving(kind) for kind in DocumentKind):
            return self._trouble
        return self._trouble or self._waiting_for

    @property
    def making(self) -> tuple[int, int]:
        """How many vectors of how many were made, while some are; else (0, 0)."""
        return self._made

    @property
    def trouble(self) -> str:
        """Why search cannot go by meaning although it should; "" while it does, or is on its way there."""
        return self._trouble

    @property
    def state(self) -> str:
        """One line for people."""
        if not self._ready:
            return "the library has not been read yet"
        counts = {kind: len(corpus.documents) for kind, corpus in self._corpora.items()}
        held = f"{counts[DocumentKind.RUNBOOK]} runbooks, {counts[DocumentKind.INCIDENT]} past incidents"
        done, of = self._made
        making = f"; {done} of {of} vectors made" if of else ""
        if self._index is None or self._why_words_only:
            return f"{held}; words only: {self._why_words_only}{making}"
        serving = " and ".join(sorted({self._index.serving(kind) for kind in DocumentKind}))
        return f"{held}; words and vectors ({serving}){making}{f' for {self._index.model}' if of else ''}"

    @property
    def corpus_version(self) -> str:
        """Changes exactly when a document changes."""
        return self._version

    @property
    def documents(self) -> tuple[Document, ...]:
        """All documents."""
        return tuple(d for corpus in self._corpora.values() for d in corpus.documents)

    async def sync(self, progress: Progress | None = None) -> None:
        """Read the sources again; embed what changed. Search goes on meanwhile. Never raises for a broken store or model:

        search then goes by words only and says why. `progress` gets (texts embedded, texts to embed) from another thread.
        """
        if self._syncing is None:
            self._syncing = asyncio.Lock()
        async with self._syncing:
            await asyncio.to_thread(self._read)
            if self._index is None:
                return
            given_up = threading.Event()
            try:
                await asyncio.to_thread(self._embed, self._index, progress, given_up)
            except asyncio.CancelledError:
                given_up.set()  # the thread ends after the batch that it is at
                raise

    async def read(self) -> None:
        """Read the sources again and leave the vectors to the next `sync`: what is new is found by words."""
        await asyncio.to_thread(self._read)

    async def remember(self, document: Document) -> None:
        """Add or replace one document at once; it stays until a source brings a document of the same id, or a restart."""
        await asyncio.to_thread(self._remember, document)

    async def forget(self, id: str) -> None:
        """One document is known no longer; one that a source still has comes back with the next `sync`."""
        await asyncio.to_thread(self._forget, id)

    async def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> Findings:
        """The documents that fit best, with the tier that found each; possible matches only if nothing better is there."""
        return await asyncio.to_thread(self.search, inquiry, kind, limit)

    def search(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> Findings:
        """`find`, blocking."""
        corpus = self._seen(kind, inquiry.audience)
        ranked, vectors, note = self._ranked(corpus, inquiry, most=LOOKED_AT + limit)
        possible = judge(kind, by_meaning=vectors is not None).offered(inquiry)
        shown = [r for r in ranked if r.tier is not Tier.POSSIBLE][:limit]
        if not shown:
            shown = [r for r in ranked if r.sure >= possible][:limit]
            note = "; ".join(part for part in (NONE_FOUND[kind], note) if part)
        found = tuple(corpus.found(r, inquiry, vectors) for r in shown)
        return Findings(found=found, note=note, corpus_version=self._version)

    def ranking(self, inquiry: Inquiry, kind: DocumentKind) -> list[tuple[Document, Tier]]:
        """The full ranking, for evaluation: every document that has to do with the inquiry, with its tier."""
        corpus = self._seen(kind, inquiry.audience)
        ranked, _, _ = self._ranked(corpus, inquiry, most=None)
        return [(corpus.documents[r.number], r.tier) for r in ranked]

    def explain(self, inquiry: Inquiry, found: Sequence[Found]) -> list[Explained]:
        """Why each of these documents stands where it does, for whoever tunes the search."""
        told = []
        for one in found:
            corpus = self._seen(one.document.kind, inquiry.audience)
            _, vectors, _ = self._ranked(corpus, inquiry, most=1)
            told.append(corpus.explain(one.document.id, inquiry, vectors))
        return told

    def close(self) -> None:
        """Stop embedding at the next batch and let go of the store."""
        self._closed.set()
        if self._index is not None:
            self._index.close()

    def _ranked(self, corpus: Corpus, inquiry: Inquiry, most: int | None) -> tuple[list[Ranked], Vectors | None, str]:
        vectors: Vectors | None = None
        why = ""
        sentence = shape(inquiry).sentence
        if self._index is not None and corpus.documents and sentence:
            if not self._index.serving(corpus.kind):
                why = self._trouble or self._waiting_for
            else:
                try:
                    if self._index.reads(corpus.kind, sentence):
                        seen = self._seen_by(corpus.kind, inquiry.audience)
                        vectors = self._index.nearest(corpus.kind, sentence, NEAREST, seen)
                    else:
                        why = "the embedding model does not read this language"
                except BotError as error:
                    log.warning("Searched by words only: %s", error)
                    why = error.for_people.rstrip(".")
        note = f"searched by words only: {why}" if why else ""
        return corpus.rank(inquiry, vectors, most), vectors, note

    def _seen(self, kind: DocumentKind, audience: Audience) -> Corpus:
        """What an audience may see, as if nothing else were there: what is hidden moves no score and takes no place."""
        whole, seen = self._corpora[kind], frozenset(self._seen_by(kind, audience))
        if len(seen) == len(self._audiences[kind]):
            return whole
        with self._viewing:
            kept = self._views.pop((kind, seen), None)
            if kept is None or kept[0] is not whole:
                kept = (whole, Corpus(kind, [d for d in whole.documents if d.visible_to(audience)], whole))
            self._views[kind, seen] = kept
            while len(self._views) > MOST_VIEWS:
                self._views.pop(next(iter(self._views)))
        return kept[1]

    def _seen_by(self, kind: DocumentKind, audience: Audience) -> list[str]:
        return [label for label, example in self._audiences[kind].items() if example.visible_to(audience)]

    def _read(self) -> None:
        found: dict[str, Document] = {}
        for source in self._sources:
            for document in source():
                if document.id in found:
                    log.warning("Two documents are called %s; %s is used.", document.id, document.path)
                found[document.id] = document
        with self._write:
            self._remembered = {id: d for id, d in self._remembered.items() if id not in found}
            self._use([*found.values(), *self._remembered.values()])
            self._ready = True

    def _use(self, documents: Sequence[Document]) -> None:
        for kind in DocumentKind:
            mine = tuple(d for d in documents if d.kind is kind)
            if mine != self._corpora[kind].documents:
                self._corpora[kind] = Corpus(kind, mine, self._corpora[kind])
                self._audiences[kind] = {audience_of(d): d for d in mine}
        self._version = _version(documents)

    def _embed(self, index: VectorIndex, progress: Progress | None, given_up: threading.Event) -> None:
        def stopped() -> bool:
            return given_up.is_set() or self._closed.is_set()

        def told(done: int, of: int) -> None:
            self._made = (done, of)
            if progress is not None:
                progress(done, of)

        try:
            if not index.open():
                self._waiting_for = "no embedding model is configured"
                return
            self._waiting_for = "the vectors are still being made"
            for kind, corpus in self._corpora.items():
                done = index.sync(kind, corpus.pieces, told, stopped)
                log.info("%s: %d embedded, %d deleted, %d kept", kind, done.embedded, done.deleted, done.kept)
            if not stopped():
                self._trouble = ""
        except BotError as error:
            if stopped():
                return
            log.error("Search goes by words only: %s", error)
            self._trouble = error.for_people.rstrip(".")
        finally:
            self._made = (0, 0)
            give_back()

    def _forget(self, id: str) -> None:
        with self._write:
            self._remembered.pop(id, None)
            if any(d.id == id for d in self.documents):
                self._use([d for d in self.documents if d.id != id])

    def _remember(self, document: Document) -> None:
        with self._write:
            self._remembered[document.id] = document
            kept = [d for d in self.documents if d.id != document.id]
            self._use([*kept, document])
        if self._index is not None and self._index.serving(document.kind):
            try:
                self._index.add(document.kind, pieces(document))
            except BotError as error:
                log.error("%s is found by words only: %s", document.id, error)


def _version(documents: Sequence[Document]) -> str:
    digest = hashlib.sha256()
    for document in sorted(documents, key=lambda d: d.id):
        plain = replace(document, facts=dict(sorted(document.facts.items())))
        digest.update(repr(plain).encode())
    return digest.hexdigest()[:12]
