"""What is already known, as text: runbooks and past incidents, cut into sections, and what a search found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class DocumentKind(StrEnum):
    """What kind of knowledge a document is."""

    RUNBOOK = "runbook"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who would see what is found: the channel where it appears (its id and name), the groups of the person who asks.

    Nobody in particular sees what everybody may see; `whole` is the terminal of somebody who has the files anyway.
    """

    channels: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Only:
    """Who alone may see something: channels by id or name, user groups by handle or id; both empty: everybody."""

    channels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def lets(self, audience: Audience) -> bool:
        """Nothing restricts it, or the channel or a group of the audience is named."""
        if audience.whole or not (self.channels or self.groups):
            return True
        return not audience.channels.isdisjoint(self.channels) or not audience.groups.isdisjoint(self.groups)


EVERYBODY = Only()


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
    source: str = ""  # the name of where it comes from, as the settings call it
    updated: datetime | None = None
    channels: tuple[str, ...] = ()  # ids or names of the channels that may see it; with `groups` empty too: everybody
    groups: tuple[str, ...] = ()  # handles or ids of the user groups that may see it
    actions: str = ""  # the front matter as written, where it speaks of actions; `bot.actions.automation` says what that means
    facts: Mapping[str, str] = field(default_factory=dict)  # past incidents: cause, change, fix, started, resolved, confirmed_by

    @property
    def name(self) -> str:
        """The id as people say it, without its kind: "INC-17"."""
        return self.id.removeprefix(f"{self.kind.value}:")

    @property
    def only(self) -> Only:
        """Who alone may see it."""
        return Only(self.channels, self.groups)

    def visible_to(self, audience: Audience) -> bool:
        """Nothing restricts it, or the restriction names the channel or a group of the audience."""
        return self.only.lets(audience)


class Tier(StrEnum):
    """How a document was found; shown to people."""

    CONFIRMED = "linked by people"
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
    why: tuple[str, ...] = ()  # of a past incident: what it has in common with this one, for people
    likeness: str = ""  # of a past incident: "same as", "like", "possibly like"
    steps: tuple[str, ...] = ()  # of a runbook: the list items and commands of the section that fit, as Markdown lines

    @property
    def link(self) -> str:
        """The address of the section, as far as its document has one."""
        page = self.document.link.partition("#")[0]
        return f"{page}#{self.anchor}" if page and self.anchor else self.document.link

    @property
    def place(self) -> str:
        """Where it lies within its source; down to the section where no address leads there."""
        path = self.document.path
        return f"{path}#{self.anchor}" if path and self.anchor and not self.document.link else path

    def steps_beyond(self, shown: str) -> tuple[str, ...]:
        """The steps that are not to be read in what is shown of the passage already."""
        told = " ".join(shown.split())
        return tuple(step for step in self.steps if step.strip("`…") not in told)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is searched for: an alert, or a question in words."""

    name: str = ""
    text: str = ""
    services: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str = ""
    confirmed: tuple[str, ...] = ()  # ids of documents that people linked to this problem, the surest first
    neighbours: tuple[str, ...] = ()  # services one hop from `services`
    audience: Audience = Audience()
    alerts: tuple[str, ...] = ()  # the names of all alerts of the incident, `name` among them
    changes: tuple[str, ...] = ()  # kinds of change that shipped around it: "deploy", "config", "flag"
    without: tuple[str, ...] = ()  # ids of past incidents that are not meant: itself, those merged with it
