"""What of a document is embedded, and which words it is found by.

Three parts, each with its own use: the title (what it is about), the head (how it begins) and every section (where the
answer stands), each prefixed with the title so that it can be understood alone.
"""

import hashlib
import re
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.document import Document
from bot.knowledge.documents import sections
from bot.knowledge.marks import Marks, letter_marks, pair_marks, word_marks
from bot.knowledge.query import split_name, words

LONGEST = 1_000  # characters; the default model reads about 256 tokens
MOST_SECTIONS = 60
MOST_TEXT = 200_000  # characters of a document whose words are counted

_TELLS_NOTHING = frozenset({"readme", "index", "overview", "runbook", "doc", "docs"})
_MARKUP = re.compile(r"`{1,3}|\*{1,3}|^#{1,6} |^[-*] |<[^<>\n]{1,200}>|\]\([^()\s]{0,500}\)|!?\[", re.MULTILINE)


class Part(StrEnum):
    """Which part of a document a piece is."""

    TITLE = "title"
    HEAD = "head"
    SECTION = "section"


@dataclass(frozen=True, slots=True)
class Piece:
    """A text to embed; `number` is the section's place in the document, 0 for title and head; `audience` as `audience_of` it."""

    document: str
    part: Part
    number: int
    text: str
    audience: str = ""

    @property
    def key(self) -> str:
        """The same text has the same key, wherever it stands."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


class Tally:
    """How often each word occurs; takes a tenth of a Counter's memory, and is only gone through."""

    __slots__ = ("_counts", "_words", "total")

    def __init__(self, counted: Iterable[str]) -> None:
        counts = Counter(counted)
        self._words = tuple(map(sys.intern, counts))
        self._counts = array("I", counts.values())
        self.total = sum(self._counts)

    def items(self) -> Iterator[tuple[str, int]]:
        """Each word with its count."""
        return zip(self._words, self._counts, strict=True)


@dataclass(frozen=True, slots=True)
class Indexed:
    """One document with what it is searched by."""

    document: Document
    fields: Mapping[str, Tally]
    pieces: tuple[Piece, ...]
    names: tuple[Marks, ...]  # the words of its title, of each alert and of the file's name
    pairs: Marks
    letters: Marks
    sections: tuple[Marks, ...]  # the words of each section


def indexed(documents: Iterable[Document], before: Iterable[Indexed] = ()) -> tuple[Indexed, ...]:
    """Every document with what it is searched by; that of unchanged ones is taken from `before`."""
    known = {one.document.id: one for one in before}
    return tuple(known[d.id] if d.id in known and known[d.id].document == d else index(d) for d in documents)


def index(document: Document) -> Indexed:
    """The document with what it is searched by."""
    body = words("\n".join((document.text[:MOST_TEXT], *document.facts.values())))
    names = (document.title, *document.alerts, *stem(document))
    return Indexed(
        document=document,
        fields=_fields(document, body),
        pieces=tuple(pieces(document)),
        names=tuple(word_marks(words(name)) for name in dict.fromkeys(names)),
        pairs=pair_marks([*words(document.title), *body]),
        letters=letter_marks(" ".join(dict.fromkeys(names))),
        sections=tuple(word_marks(words(f"{s.heading} {s.text}")) for s in sections(document.text[:MOST_TEXT])[:MOST_SECTIONS]),
    )


def pieces(document: Document) -> list[Piece]:
    """All that is embedded of a document."""
    title, audience = spoken_title(document), audience_of(document)
    found = [
        Piece(document.id, Part.TITLE, 0, title, audience),
        Piece(document.id, Part.HEAD, 0, f"{title}\n{_plain(document.text[: 2 * LONGEST])}"[:LONGEST], audience),
    ]
    for number, section in enumerate(sections(document.text)[:MOST_SECTIONS]):
        body = _plain(section.text[: 2 * LONGEST])
        if len(body) >= 20:
            found.append(Piece(document.id, Part.SECTION, number, f"{title} › {section.heading}\n{body}"[:LONGEST], audience))
    return found


def audience_of(document: Document) -> str:
    """The same for all documents that the same people may see; "" is everybody."""
    if not (document.channels or document.groups):
        return ""
    who = repr((sorted(document.channels), sorted(document.groups)))
    return hashlib.sha256(who.encode()).hexdigest()[:12]


def spoken_title(document: Document) -> str:
    """The title and the alerts it answers, as words: "KubePodCrashLooping" is read as "Kube Pod Crash Looping"."""
    names = dict.fromkeys((document.title, *document.alerts, *stem(document)))
    spoken = dict.fromkeys(" ".join(split_name(name)) if " " not in name else name for name in names)
    return " / ".join(spoken)[:300]


def stem(document: Document) -> tuple[str, ...]:
    """The file's name where it tells something: one item, or none."""
    name = document.path.rsplit("/", 1)[-1].removesuffix(".md").removesuffix(".html")
    return (name,) if name and name.lower() not in _TELLS_NOTHING else ()


def _fields(document: Document, body: list[str]) -> dict[str, Tally]:
    """The words of each field of a document, counted, for the word index."""
    headings = " \n ".join(s.heading for s in sections(document.text[:MOST_TEXT]))
    return {
        "name": Tally(words(" \n ".join((*document.alerts, *stem(document))))),
        "title": Tally(words(document.title)),
        "headings": Tally(words(" \n ".join((headings, *document.services, folder(document))))),
        "body": Tally(body),
    }


def folder(document: Document) -> str:
    """The name of the folder that the document lies in, which often is a service or a technology; "" if it lies in none."""
    return document.path.rpartition("/")[0].rpartition("/")[2]


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", text).split())
