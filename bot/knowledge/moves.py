"""A file of a plain folder that is renamed or moved stays the same document, with what people said of it.

A folder tells no history, so a path that is new is the one that is gone if both have the same contents. What is gone is
remembered: a folder that is replaced in two steps, or a page that comes back, loses nothing.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from bot.domain.copy import Copy, Mark
from bot.domain.document import Document
from bot.errors import Unavailable
from bot.knowledge.documents import Source
from bot.ports import CopyStore, Transaction

log = logging.getLogger(__name__)
T = TypeVar("T")

FOLDERS = "(folders)"  # under which the marks are kept, a name that no source has
MOST_GONE = 10_000  # marks of files that are gone


class Straight(Protocol):
    """A database for code without an event loop."""

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """Run it in a read transaction, blocking."""

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """Run it in a transaction, blocking."""


def steady(folders: Sequence[Source], db: Straight, store: CopyStore) -> Source:
    """A source of the documents of these, each under the id that it had where it lay first."""

    def read() -> Iterator[Document]:
        found = [document for folder in folders for document in folder()]
        kept = db.read_now(lambda tx: store.marks(tx, FOLDERS))
        if (marks := settled(found, kept)) != kept:
            try:
                marks = db.write_now(lambda tx: _keep(tx, found, store))
            except Unavailable as error:  # a full disk: the next reading keeps it
                log.warning("Which files of the folders moved is not kept: %s", error)
        for document in found:
            mark = marks.get(document.id)
            yield replace(document, id=mark.slug) if mark else document

    return read


def settled(found: Iterable[Document], kept: Mapping[str, Mark]) -> dict[str, Mark]:
    """The marks after these documents were found: by the id that their path gives, the id that they keep."""
    there = {d.id: d for d in found if d.id.endswith(d.path) and _fits(d.id)}  # one that names its id itself keeps it anyway
    contents = {id: _contents(document) for id, document in there.items()}
    gone: dict[str, list[str]] = {}
    for id in sorted(kept.keys() - there.keys()):
        gone.setdefault(kept[id].version, []).append(id)
    marks = {id: mark for id, mark in kept.items() if id not in there}
    new = []
    for id in there:
        if id in kept:
            marks[id] = replace(kept[id], version=contents[id])
        elif olds := gone.get(contents[id]):
            old = olds.pop(0)
            marks[id] = kept[old]
            del marks[old]
        else:
            new.append(id)
    taken = {mark.slug for mark in marks.values()}
    for id in new:  # where another one lay that moved away and kept its id
        slug = f"{id}~{hashlib.sha256(contents[id].encode()).hexdigest()[:8]}" if id in taken else id
        marks[id] = Mark(contents[id], slug)
    for id in [id for id in marks if id not in there][MOST_GONE:]:
        del marks[id]
    return marks


def _keep(tx: Transaction, found: Sequence[Document], store: CopyStore) -> dict[str, Mark]:
    kept = store.marks(tx, FOLDERS)
    marks = settled(found, kept)
    store.drop(tx, FOLDERS, kept.keys() - marks.keys())
    kinds = {d.id: d.kind for d in found}
    store.put(
        tx,
        [
            Copy(FOLDERS, id, mark.version, mark.slug, Document(mark.slug, kinds[id], "", ""))
            for id, mark in marks.items()
            if kept.get(id) != mark
        ],
    )
    return marks


def _fits(id: str) -> bool:
    """A name that a database takes as it is."""
    return "\x00" not in id and id == id.encode("utf-8", "replace").decode()


def _contents(document: Document) -> str:
    """The same for the same contents, wherever they lie."""
    return hashlib.sha256(repr(replace(document, id="", path="", title="")).encode("utf-8", "surrogatepass")).hexdigest()
