"""What is already known, as text: runbooks and past incidents, cut into sections, and what a search found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class DocumentKind(StrEnum):
    """What kind of knowledge a document is."""

    RUNBOOK = "runbook"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True)
class Document:
    """One runbook or past incident. `id` is stable across edits; `text` is Markdown without front matter."""

    id: str
    kind: DocumentKind
    title: str
    text: str
    path: str = ""
    link: str = ""
    services: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    owner: str = ""
    reviewed: date | None = None
    trusted: bool = True  # False: from outside the reviewed folders, or not confirmed by a person
    facts: Mapping[str, str] = field(default_factory=dict)  # past incidents: cause, change, fix, started, resolved, confirmed_by

    @property
    def name(self) -> str:
        """The id as people say it, without its kind: "INC-17"."""
        return self.id.removeprefix(f"{self.kind.value}:")


class Tier(StrEnum):
    """How a document was found; shown to people."""

    LINKED = "linked by the alert"
    NAMED = "same alert name"
    SEARCH = "found by search"
    WORDS = "found by words only"
    POSSIBLE = "possible match"


@dataclass(frozen=True, slots=True)
class Found:
    """One search result: the document, its best section, and how sure we are (score in [0, 1])."""

    document: Document
    section: str
    anchor: str
    passage: str
    tier: Tier
    score: float


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is searched for: an alert, or a question in words."""

    name: str = ""
    text: str = ""
    services: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str = ""
