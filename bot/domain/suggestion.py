"""What people said of the documents that they were shown for a problem, and what follows from it.

A problem here is an alert's name on a service; for a question it is the question's own words, on no service. A link that a
person made counts for exactly that problem. Its neighbours, the same alert on another service or an alert of the same family
on the same service, inherit it once two people said so, or one person in two incidents.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.interaction import Opinion

INDEPENDENT = 2  # people, or incidents, until neighbours inherit a link
UNWANTED = 2  # people who say "not useful" until a document steps back


@dataclass(frozen=True, slots=True)
class Subject:
    """The problem that something was said about: the alert's name in its normal form, and the service ("" for a question)."""

    problem: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One person's word on one document for one problem. `alert` is the problem as people write it."""

    subject: Subject
    document: str
    opinion: Opinion  # LINKED, USEFUL or NOT_USEFUL
    by: str
    at: datetime
    alert: str = ""
    incident_id: str = ""  # where it was said, "" for a question

    @property
    def key(self) -> tuple[str, ...]:
        """The same for the same word said twice: a link counts once per person and incident, an opinion once per person."""
        where = self.incident_id if self.opinion is Opinion.LINKED else ""
        return (self.subject.problem, self.subject.service, self.document, self.by, self.opinion.value, where)


Kin = Callable[[str, str], bool]


def confirmed(said: Iterable[Judgement], problem: str, services: Sequence[str], family: Kin) -> tuple[str, ...]:
    """Ids of the documents that people linked to this problem, the surest first: its own links before inherited ones.

    `family` tells whether two alerts (as people write them, or normal names) are of one family.
    """
    links = [s for s in said if s.opinion is Opinion.LINKED]
    places = set(services) or {""}
    own = [s for s in links if s.subject.problem == problem and s.subject.service in places]
    near = [s for s in links if s not in own and _neighbour(s, problem, places, family)]
    inherited = [d for d in _by_strength(near) if _independent([s for s in near if s.document == d])]
    return tuple(dict.fromkeys((*_by_strength(own), *inherited)))


def unwanted(said: Iterable[Judgement], problem: str, services: Sequence[str]) -> frozenset[str]:
    """Documents that step back for this problem: at least two people found them useless, and more than found them useful."""
    places = set(services) or {""}
    mine = [s for s in said if s.subject.problem == problem and s.subject.service in places]
    against: dict[str, set[str]] = {}
    for s in mine:
        if s.opinion is Opinion.NOT_USEFUL:
            against.setdefault(s.document, set()).add(s.by)
    speak = {d: {s.by for s in mine if s.document == d and s.opinion is not Opinion.NOT_USEFUL} for d in against}
    return frozenset(d for d, who in against.items() if len(who) >= UNWANTED and len(who) > len(speak[d]))


def _neighbour(said: Judgement, problem: str, places: set[str], family: Kin) -> bool:
    if not said.subject.service or "" in places:  # questions have no neighbours
        return False
    if said.subject.problem == problem:
        return True
    return said.subject.service in places and family(said.alert or said.subject.problem, problem)


def _independent(said: Sequence[Judgement]) -> bool:
    return len({s.by for s in said}) >= INDEPENDENT or len({s.incident_id for s in said} - {""}) >= INDEPENDENT


def _by_strength(said: Sequence[Judgement]) -> list[str]:
    """The documents, those with the most links first, then the latest."""
    counts: dict[str, list[datetime]] = {}
    for s in said:
        counts.setdefault(s.document, []).append(s.at)
    return sorted(counts, key=lambda d: (-len(counts[d]), -max(counts[d]).timestamp(), d))
