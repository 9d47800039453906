"""Search in tiers: what the alert links to, what carries its name, what reads like it, and an honest "none".

The score that orders documents is a sum of parts (`likeness`). It cannot tell whether even the first fits: that is `confidence`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote, urlsplit

import numpy as np

from bot.domain.document import Audience, Document, DocumentKind, Found, Inquiry, Tier
from bot.knowledge.confidence import FIRST, FOLDER_ODDS, judge
from bot.knowledge.documents import Section, sections
from bot.knowledge.header import says_of_itself
from bot.knowledge.kinship import Kinship
from bot.knowledge.likeness import Likeness, Mask, weights
from bot.knowledge.pieces import Indexed, Part, Piece, indexed, stem
from bot.knowledge.query import LONGEST, normal, shape, words
from bot.knowledge.steps import steps
from bot.knowledge.words import Scores

Vectors = Mapping[Part, Mapping[str, float]]  # the cosine of the nearest pieces by key

NEAREST = 300  # pieces asked of the vector store: several belong to one document
SAME_SERVICE = 0.15  # added to the fused score of a document about one of the services
OTHER_SERVICE = -0.10  # a document about other services only
KIN_COUNTS = 0.1  # of a past incident's kinship (`kinship`), in which all but words is counted
PASSAGE = 600  # characters


_BEGIN = re.compile(r"\b(check|first|diagnos\w*|triage|investigat\w*|steps|what to do|action\w*)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document in the full ranking: its place in the corpus, the tier that put it there, and how sure we are."""

    number: int
    tier: Tier
    score: float
    sure: float


@dataclass(frozen=True, slots=True)
class Explained:
    """What each part adds to a document's score, and to the logarithm of the odds that it is about the inquiry."""

    score: Mapping[str, float]
    odds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Weighed:
    parts: Mapping[str, Scores]  # of the score
    odds: Mapping[str, Scores]
    coverage: Scores
    nearest: Scores  # the cosine of the nearest piece
    visible: Mask


class Corpus:
    """An immutable snapshot of all documents of one kind, ready to be searched.

    What was worked out for the snapshot `before` is taken from there, where a document is the same.
    """

    def __init__(self, kind: DocumentKind, documents: Sequence[Document], before: "Corpus | None" = None) -> None:
        self.kind = kind
        self.documents = tuple(documents)
        self._indexed: tuple[Indexed, ...] = indexed(self.documents, before._indexed if before else ())
        self._likeness = Likeness(kind, self._indexed)
        self._kinship = Kinship(self.documents)
        self._places = {document.id: number for number, document in enumerate(self.documents)}
        self._restricted = tuple(n for n, d in enumerate(self.documents) if d.channels or d.groups)
        self._named: dict[str, list[int]] = {}
        self._linked: dict[str, list[int]] = {}
        for number, document in enumerate(self.documents):
            for name in {normal(n) for n in (*document.alerts, document.title, *stem(document))} - {""}:
                self._named.setdefault(name, []).append(number)
            for link in _links(document):
                self._linked.setdefault(link, []).append(number)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """All that is embedded."""
        return tuple(piece for one in self._indexed for piece in one.pieces)

    @cached_property
    def _where(self) -> dict[tuple[Part, str], list[tuple[int, int]]]:
        numbers = {document.id: number for number, document in enumerate(self.documents)}
        where: dict[tuple[Part, str], list[tuple[int, int]]] = {}
        for piece in self.pieces:
            where.setdefault((piece.part, piece.key), []).append((numbers[piece.document], piece.number))
        return where

    def rank(self, inquiry: Inquiry, vectors: Vectors | None = None, most: int | None = None) -> list[Ranked]:
        """The documents that have to do with the inquiry, the best first; without vectors by words only.

        `most` bounds how many of those that were searched for are looked at; None means all.
        """
        weighed = self._weigh(inquiry, vectors)
        coverage, nearest, visible = weighed.coverage, weighed.nearest, weighed.visible
        confidence, kin = judge(self.kind, by_meaning=vectors is not None), weighed.odds["kin"]
        total = np.sum(list(weighed.odds.values()), axis=0)
        sure = 1 / (1 + np.exp(-total))
        fused = np.where(visible, np.sum(list(weighed.parts.values()), axis=0), -np.inf)
        best = np.argsort(-fused, kind="stable")[:most]
        order = [int(n) for n in best if coverage[n] > 0 or nearest[n] > 0 or kin[n] > 0]
        enough = confidence.beside if confidence.shows([float(total[n]) for n in order[:FIRST]]) else math.inf
        tier = Tier.SEARCH if vectors is not None else Tier.WORDS
        searched = (Ranked(n, tier if sure[n] >= enough else Tier.POSSIBLE, float(fused[n]), float(sure[n])) for n in order)
        certain = self._certain(inquiry, fused, visible)
        known = {r.number for r in certain}
        return [*certain, *(r for r in searched if r.number not in known)]

    def explain(self, id: str, inquiry: Inquiry, vectors: Vectors | None = None) -> Explained:
        """What each part adds to the score of one document and to the logarithm of its odds. Raises KeyError."""
        number, weighed = self._places[id], self._weigh(inquiry, vectors)
        parts, odds = ({k: round(float(v[number]), 3) for k, v in d.items()} for d in (weighed.parts, weighed.odds))
        return Explained(parts, odds)

    def _weigh(self, inquiry: Inquiry, vectors: Vectors | None) -> _Weighed:
        shaped = shape(inquiry)
        visible = self._visible(inquiry.audience)
        coverage, pairs = visible * self._likeness.coverage(shaped), visible * self._likeness.pairs(shaped)
        cosine = {part: visible * c for part, c in self._cosines(vectors).items()} if vectors is not None else None
        nearest = np.max(list(cosine.values()), axis=0) if cosine else np.zeros(len(self.documents))
        parts = self._likeness.parts(shaped, inquiry, coverage, pairs, cosine, visible)
        kin = self._kinship.odds(inquiry)
        parts |= {"services": self._service_bonus(inquiry.services), "kin": KIN_COUNTS * kin}
        confidence = judge(self.kind, by_meaning=vectors is not None)
        beyond, run = self._likeness.beyond(shaped, visible), self._likeness.run(shaped)
        odds = confidence.parts(inquiry, {**parts, "coverage": coverage, "beyond": beyond, "run": run, "cosine": nearest})
        odds |= {"kin": kin, "folder": (parts["folder"] > 0).astype(np.float64) * FOLDER_ODDS}
        return _Weighed(parts, odds, coverage, nearest, visible)

    def found(self, ranked: Ranked, inquiry: Inquiry, vectors: Vectors | None = None) -> Found:
        """A ranked document with the section that answers best."""
        document = self.documents[ranked.number]
        section = self._best_section(ranked, inquiry, vectors)
        return Found(
            document=document,
            section=section.heading,
            anchor=section.anchor,
            passage=section.text[:PASSAGE],
            tier=ranked.tier,
            score=round(ranked.sure, 4),
            steps=steps(section.text, weights(shape(inquiry))) if self.kind is DocumentKind.RUNBOOK else (),
        )

    def _visible(self, audience: Audience) -> Mask:
        """Which documents this audience may see; the others take no part, not even in what scores are measured against."""
        visible = np.ones(len(self.documents), dtype=bool)
        for number in self._restricted:
            visible[number] = self.documents[number].visible_to(audience)
        return visible

    def _certain(self, inquiry: Inquiry, fused: Scores, visible: Mask) -> list[Ranked]:
        """What people linked, what the alert links to, then what carries its name; past incidents are found by likeness only."""
        if self.kind is not DocumentKind.RUNBOOK:
            return []
        linked = dict.fromkeys(n for link in _keys(inquiry.runbook_url) for n in self._linked.get(link, ()) if visible[n])
        if len(linked) > 3:  # a link that fits many documents names none
            linked = {}
        called = self._named.get(normal(inquiry.name), []) if inquiry.name else self._asked_by_name(inquiry.text)
        named = [n for n in called if visible[n]]
        wanted = set(inquiry.services)

        if wanted:  # a page about other services is not meant, even if the alert has the same name there
            named = [n for n in named if not (s := set(self.documents[n].services)) or s & wanted]

        def order(number: int) -> tuple[bool, float]:
            return (not wanted & set(self.documents[number].services), -float(fused[number]))

        said = [n for id in inquiry.confirmed if (n := self._places.get(id)) is not None and visible[n]]
        tier = {n: Tier.LINKED if n in linked else Tier.CONFIRMED for n in said}
        return [
            *(Ranked(n, tier[n], float(fused[n]), 1.0) for n in said),
            *(Ranked(n, Tier.LINKED, float(fused[n]), 1.0) for n in sorted(set(linked) - set(said), key=order)),
            *(Ranked(n, Tier.NAMED, float(fused[n]), 0.95) for n in sorted(set(named) - set(linked) - set(said), key=order)),
        ]

    def _asked_by_name(self, question: str) -> list[int]:
        """The pages for an alert that a question names as alerts are written: HighErrorRate, high_error_rate."""
        names = {normal(w) for w in re.findall(r"\w+", question[:LONGEST]) if any(c.isupper() or c == "_" for c in w[1:])} - {""}
        holding = sorted({n for name in names for n in self._named.get(name, ())})
        return [n for n in holding if names & {normal(alert) for alert in self.documents[n].alerts}]

    def _cosines(self, vectors: Vectors) -> dict[Part, Scores]:
        found = {part: np.zeros(len(self.documents)) for part in Part}
        for part, nearest in vectors.items():
            for key, cosine in nearest.items():
                for number, _ in self._where.get((part, key), ()):
                    found[part][number] = max(found[part][number], cosine)
        return found

    def _service_bonus(self, services: Sequence[str]) -> Scores:
        bonus = np.zeros(len(self.documents))
        wanted = set(services)
        for number, document in enumerate(self.documents if wanted else ()):
            if document.services:
                bonus[number] = SAME_SERVICE if wanted & set(document.services) else OTHER_SERVICE
        return bonus

    def _best_section(self, ranked: Ranked, inquiry: Inquiry, vectors: Vectors | None) -> Section:
        document = self.documents[ranked.number]
        parts = sections(document.text) or (Section("", "", ""),)
        certain = ranked.tier in (Tier.CONFIRMED, Tier.LINKED, Tier.NAMED)
        anchor = urlsplit(inquiry.runbook_url).fragment if certain else ""
        for part in parts if certain else ():  # the whole page is meant: the linked section, else where to begin
            if part.text and (part.anchor == anchor if anchor else _BEGIN.search(part.heading)):
                return part
        near = {
            place: cosine
            for key, cosine in (vectors or {}).get(Part.SECTION, {}).items()
            for number, place in self._where.get((Part.SECTION, key), ())
            if number == ranked.number and place < len(parts)
        }
        written = [place for place, part in enumerate(parts) if part.text]
        written = [place for place in written if not says_of_itself(parts[place].text)] or written or [0]
        if near and (nearest := max(written, key=lambda place: near.get(place, 0.0))) in near:
            return parts[nearest]
        query = weights(shape(inquiry))

        def fits(place: int) -> float:
            mine = set(words(f"{parts[place].heading} {parts[place].text}"))
            return sum(weight for word, weight in query.items() if word in mine)

        return parts[max(written, key=fits)]


def _links(document: Document) -> set[str]:
    found = _keys(document.link)
    if document.path:
        found |= _keys(document.path)
    found |= {f"/{normal(name)}" for name in (document.title, *document.alerts)}
    return found - {"", "/"}


def _keys(link: str) -> set[str]:
    """What a link can be recognised by: the whole of it, its path's end, its last name, its fragment."""
    if not link:
        return set()
    parts = urlsplit(link.strip())
    path = unquote(parts.path).rstrip("/").lower()
    path = path.removesuffix(".md").removesuffix(".html")
    names = [name for name in path.split("/") if name]
    keys = {f"{parts.netloc.lower()}{path}"} if parts.netloc else set()
    if names:
        keys |= {f"/{normal(names[-1])}", "/".join(names[-2:])}
    if parts.fragment:
        keys.add(f"/{normal(parts.fragment)}")
    return keys - {"/readme", "/index", "/"}
