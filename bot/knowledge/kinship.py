"""What a past incident and a new one have in common besides words: services, neighbours, alerts, what had been changed.

There is no labelled set for this; the weights are set by judgement and held to a made-up estate (tests/knowledge): the same
service counts more than a neighbour, a neighbour more than a service of the same kind.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bot.domain.document import Document, DocumentKind, Found, Inquiry, Tier
from bot.knowledge.query import normal, shape, spellings, words
from bot.knowledge.words import Scores

SERVICES = 3.0  # added to the odds of a past incident, times how close its services are to those in question
NEIGHBOUR = 0.45  # how close a service one hop away is
SAME_ROLE = 0.15  # how close another service of the same kind is: two databases, two gateways
ALERT = 1.0  # if the same alert fired then
FAMILY = 0.4  # if one of the same family did
CHANGE = 0.4  # if the same kind of change had shipped
STRANGERS = -0.5  # if it hit services that have nothing to do with these
SURE = 0.8  # from here on an incident that shares alert and service is called the same
OF_ONE_FAMILY = 0.5  # the share of words that two alert names have in common

_ROLES = re.compile(
    r"(?:^|[-_.])(api|gateway|proxy|lb|ingress|web|frontend|bff|db|database|postgres|mysql|redis|cache|queue|kafka|broker|"
    r"worker|consumer|scheduler|cron|search|auth)(?:$|[-_.\d])"
)
_KINDS = {"postgres": "db", "mysql": "db", "database": "db", "redis": "cache", "kafka": "queue", "broker": "queue"}
_KINDS |= {"consumer": "worker", "cron": "scheduler", "lb": "proxy", "ingress": "gateway", "frontend": "web"}


@dataclass(frozen=True, slots=True)
class Kin:
    """What one past incident has in common with an inquiry; names as the past incident or the inquiry writes them."""

    closeness: float = 0.0  # of the services, in [0, 1]
    services: tuple[str, ...] = ()
    neighbours: tuple[tuple[str, str], ...] = ()  # (the service now, the one then)
    roles: tuple[tuple[str, str], ...] = ()
    alerts: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    change: str = ""

    @property
    def odds(self) -> float:
        """What this adds to the logarithm of the odds that both are the same problem."""
        alert = ALERT if self.alerts else FAMILY if self.family else 0.0
        return SERVICES * self.closeness + alert + (CHANGE if self.change else 0.0)


class Kinship:
    """What past incidents are about besides their words, ready to be compared; documents of other kinds are kin of nothing."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._sides = {n: _Sides.of(d) for n, d in enumerate(documents) if d.kind is DocumentKind.INCIDENT}
        self._numbers = {documents[n].id: n for n in self._sides}
        self._placed = np.array([n in self._sides and bool(d.services) for n, d in enumerate(documents)], dtype=bool)
        self._with: dict[str, set[int]] = {}
        self._alerts: dict[str, set[int]] = {}
        for number, sides in self._sides.items():
            for mark in _marks(sides):
                self._with.setdefault(mark, set()).add(number)
            for name in sides.alerts.values():
                self._alerts.setdefault(name, set()).add(number)

    def odds(self, inquiry: Inquiry) -> Scores:
        """What is added to the logarithm of the odds that each document is like the inquiry; minus infinity for those unmeant."""
        odds = np.where(self._placed & bool(inquiry.services), STRANGERS, 0.0)
        asked = _Sides.asked(inquiry)
        akin = (there for name, there in self._alerts.items() if any(_alike(name, a) for a in asked.alerts.values()))
        for number in set().union(*akin, *(self._with.get(mark, ()) for mark in _marks(asked))):
            odds[number] = _kin(self._sides[number], asked).odds or odds[number]
        for id in inquiry.without:
            if id in self._numbers:
                odds[self._numbers[id]] = -np.inf
        return odds


@dataclass(frozen=True, slots=True)
class _Sides:
    """One side of the comparison."""

    services: tuple[str, ...]
    near: frozenset[str]
    alerts: dict[str, str]  # in normal form, and as written
    changes: frozenset[str]

    @staticmethod
    def of(document: Document) -> "_Sides":
        near = frozenset(n.strip() for n in document.facts.get("neighbours", "").split(",")) - {""}
        changes = frozenset({document.facts.get("change_kind", "")} - {""})
        return _Sides(document.services, near, {normal(a): a for a in document.alerts}, changes)

    @staticmethod
    def asked(inquiry: Inquiry) -> "_Sides":
        names = dict.fromkeys((inquiry.name, *inquiry.alerts))
        alerts = {normal(a): a for a in names if normal(a)}
        return _Sides(inquiry.services, frozenset(inquiry.neighbours), alerts, frozenset(inquiry.changes))


def _marks(sides: "_Sides") -> set[str]:
    """By which two sides find each other, besides alerts: without one in common their services have nothing in common."""
    services = {f"at {s}" for s in (*sides.services, *sides.near)}
    kinds = {f"role {kind}" for s in sides.services if (kind := role(s))}
    return services | kinds


def kin(document: Document, inquiry: Inquiry) -> Kin:
    """What a past incident and an inquiry have in common."""
    return _kin(_Sides.of(document), _Sides.asked(inquiry))


def family(one: str, other: str) -> bool:
    """Two alert names are of one family: half of their words, or more, are the same."""
    a, b = _said(one), _said(other)
    return bool(a and b) and len(a & b) / len(a | b) >= OF_ONE_FAMILY


def _alike(one: str, other: str) -> bool:
    return normal(one) == normal(other) or family(one, other)


@lru_cache(maxsize=16_384)
def _said(name: str) -> frozenset[str]:
    return frozenset(words(name))


@lru_cache(maxsize=16_384)
def role(service: str) -> str:
    """What kind of part a service is, as far as its name tells: "db", "gateway"; "" if it does not."""
    found = _ROLES.search(service.lower())
    return _KINDS.get(found[1], found[1]) if found else ""


def _kin(then: _Sides, now: _Sides) -> Kin:
    same = tuple(s for s in now.services if s in then.services)
    neighbours, roles = _pairs(then, now)
    alerts = tuple(a for key, a in now.alerts.items() if key in then.alerts)
    akin = () if alerts else tuple(o for o in then.alerts.values() if any(family(a, o) for a in now.alerts.values()))
    changed = sorted(then.changes & now.changes)
    return Kin(
        closeness=(_reached(now, then) + _reached(then, now)) / max(len(now.services) + len(then.services), 1),
        services=same,
        neighbours=neighbours,
        roles=roles,
        alerts=alerts,
        family=akin,
        change=changed[0] if changed else "",
    )


def _reached(of: _Sides, other: _Sides) -> float:
    """How close the services of one side are to the nearest of the other, summed up."""
    if not other.services:
        return 0.0
    theirs, kinds = set(other.services), {role(s) for s in other.services} - {""}
    around = other.near | _reverse(of, theirs)
    return sum(1.0 if s in theirs else NEIGHBOUR if s in around else SAME_ROLE if role(s) in kinds else 0.0 for s in of.services)


def _reverse(of: _Sides, theirs: Collection[str]) -> frozenset[str]:
    """This side's own services, if the other's lie in its neighbourhood: being neighbours is mutual."""
    return frozenset(of.services) if not of.near.isdisjoint(theirs) else frozenset()


def _pairs(then: _Sides, now: _Sides) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    neighbours: list[tuple[str, str]] = []
    roles: list[tuple[str, str]] = []
    for service in now.services:
        if service in then.services:
            continue
        for other in then.services:
            if other in now.near or service in then.near:
                neighbours.append((service, other))
            elif role(service) and role(service) == role(other):
                roles.append((service, other))
    return tuple(neighbours), tuple(roles)


def explained(found: Found, inquiry: Inquiry) -> Found:
    """A past incident with what it has in common with the inquiry, in words; other documents as they are."""
    if found.document.kind is not DocumentKind.INCIDENT:
        return found
    shared = kin(found.document, inquiry)
    told = reasons(shared, shared_words(found.document, inquiry))
    return replace(found, why=told, likeness=_likeness(found, shared, inquiry))


def reasons(shared: Kin, said: Sequence[str] = ()) -> tuple[str, ...]:
    """What both have in common, the strongest first, as ends of "because ..."."""
    told = []
    if shared.alerts:
        told.append(f"{shared.alerts[0]} fired then too")
    if shared.services:
        told.append(f"{_and(shared.services)} {'was' if len(shared.services) == 1 else 'were'} hit then too")
    elif shared.neighbours:
        now, then = shared.neighbours[0]
        told.append(f"{then}, next to {now}, was hit then")
    if shared.family:
        told.append(f"{shared.family[0]}, an alert of the same family, fired then")
    if shared.change:
        told.append(f"a {shared.change} had shipped then too")
    if not (shared.services or shared.neighbours) and shared.roles:
        now, then = shared.roles[0]
        told.append(f"{then}, a {role(then)} like {now}, was hit then")
    if said:
        told.append(f"both speak of {_and(tuple(said))}")
    return tuple(told)


def shared_words(document: Document, inquiry: Inquiry, most: int = 3) -> tuple[str, ...]:
    """The words that a past incident's text shares with the inquiry's, long ones first; names of services and alerts left out."""
    names = (*document.services, *document.alerts, inquiry.name, *inquiry.alerts, *inquiry.services)
    named = {word for name in names for word in words(name)}
    mine = set(words(f"{document.title} {document.text[:4_000]}")) - named
    both = dict.fromkeys(w for w in shape(inquiry).text if w in mine and len(w) > 3)
    spelling = spellings(inquiry.text)
    return tuple(sorted((spelling.get(w, w) for w in both), key=lambda w: (-len(w), w))[:most])


def _likeness(found: Found, shared: Kin, inquiry: Inquiry) -> str:
    """The same alerts on the same services are not the same problem if something had shipped only this time, or only then."""
    if found.tier is Tier.POSSIBLE:
        return "possibly like"
    shipped = bool(inquiry.changes) or bool(found.document.facts.get("change_kind"))
    akin = shared.services and (shared.alerts or shared.family) and (shared.change or not shipped)
    return "same as" if found.score >= SURE and akin else "like"


def _and(names: Sequence[str]) -> str:
    shown = list(names[:3])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
