"""Copies of documents that lie elsewhere: what is kept of each, and how a source is doing."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.document import Document


@dataclass(frozen=True, slots=True)
class Mark:
    """What is kept of one document, without the document; `slug` is its id without the kind, `size` its characters."""

    version: str
    slug: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """A document of a source as it is kept: Markdown without secrets.

    `ref` is the source's own id of it and `version` the source's of its contents; `slug` stays when it is renamed or moved.
    """

    source: str
    ref: str
    version: str
    slug: str
    document: Document


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is doing. `mark` is where it stood when all of it was last copied (a commit), `trouble` "" or why it is not.

    `brought` says for people what the last synchronisation brought.
    """

    name: str
    mark: str = ""
    tried_at: datetime | None = None
    synced_at: datetime | None = None
    trouble: str = ""
    brought: str = ""
