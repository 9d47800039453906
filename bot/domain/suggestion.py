"""What people said of the documents that they were shown for a problem, and what follows from it.

A problem here is an alert's name on a service; for a question it is the question's own words, on no service. A link that a
person made counts for exactly that problem. Its neighbours, the same alert on another service or an alert of the same family
on the same service, inherit it once two people said so, or one person in two incidents.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.interaction import Opinion

INDEPENDENT = 2  # people, or incidents, until neighbours inherit a link
UNWANTED = 2  # people who say "not useful" until a document steps back


def reference(document: str) -> str:
    """A short name of a document, for buttons: its id may be longer than a button can carry."""
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Subject:
    """The problem that something was said about: the alert's name in its normal form, and the service ("" for a question).

    `alert` is the name as people write it.
    """

    problem: str
    service: str = ""
    alert: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One person's word on one document for one problem."""

    subject: Subject
    document: str
    opinion: Opinion  # LINKED, USEFUL or NOT_USEFUL
    by: str
    at: datetime
    incident_id: str = ""  # where it was said, "" for a question

    @property
    def key(self) -> tuple[str, ...]:
        """The same for the same word said twice: a link counts once per person and incident, an opinion once per person."""
        where = self.incident_id if self.opinion is Opinion.LINKED else ""
        return (self.subject.problem, self.subject.service, self.document, self.by, self.opinion.value, where)


Kin = Callable[[str, str], bool]


def confirmed(said: Iterable[Judgement], subjects: Collection[Subject], family: Kin) -> tuple[str, ...]:
    """Ids of the documents that people linked to one of these problems, the surest first: own links before inherited ones.

    `family` tells whether two alerts (as people write them, or normal names) are of one family.
    """
    links = [s for s in said if s.opinion is Opinion.LINKED]
    own = [s for s in links if s.subject in subjects]
    near = [s for s in links if s.subject not in subjects and any(_neighbours(s, of, family) for of in subjects)]
    inherited = [d for d in _by_strength(near) if _independent([s for s in near if s.document == d])]
    return tuple(dict.fromkeys((*_by_strength(own), *inherited)))


def unwanted(said: Iterable[Judgement], subjects: Collection[Subject]) -> frozenset[str]:
    """Documents that step back for these problems: at least two people found them useless, and more than speak for them."""
    mine = [s for s in said if s.subject in subjects]
    against: dict[str, set[str]] = {}
    for s in mine:
        if s.opinion is Opinion.NOT_USEFUL:
            against.setdefault(s.document, set()).add(s.by)
    speak = {d: {s.by for s in mine if s.document == d and s.opinion is not Opinion.NOT_USEFUL} for d in against}
    return frozenset(d for d, who in against.items() if len(who) >= UNWANTED and len(who) > len(speak[d]))


def _neighbours(said: Judgement, of: Subject, family: Kin) -> bool:
    if not said.subject.service or not of.service:  # questions have no neighbours
        return False
    if said.subject.problem == of.problem:
        return True
    return said.subject.service == of.service and family(said.subject.alert or said.subject.problem, of.alert or of.problem)


def _independent(said: Sequence[Judgement]) -> bool:
    return len({s.by for s in said}) >= INDEPENDENT or len({s.incident_id for s in said} - {""}) >= INDEPENDENT


def _by_strength(said: Sequence[Judgement]) -> list[str]:
    """The documents, those with the most links first, then the latest."""
    counts: dict[str, list[datetime]] = {}
    for s in said:
        counts.setdefault(s.document, []).append(s.at)
    return sorted(counts, key=lambda d: (-len(counts[d]), -max(counts[d]).timestamp(), d))
