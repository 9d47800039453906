"""Which problems are one incident: by service, calls, time, labels, changes, text and what people said, each with its reason.

Problems are first bundled by service and time; bundles are then linked to live incidents and to each other, and the
strongest links win. A link by calls counts only where the trouble of both sides begins in one place (`roots`). Everything
is found through indexes and sorted by what the problems are, so the cost grows with the batch alone, and the order of a
batch changes nothing. Incidents that are closed are not asked, environments never mix.
"""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from bot.domain.alert import UNREADABLE, Severity
from bot.domain.belonging import Belongings
from bot.domain.incident import Incident
from bot.domain.service import Catalogue
from bot.incidents import weights
from bot.incidents.bundles import NAMELESS, Arrival, Bundle, Joined, Span, apart, bundled, members
from bot.incidents.kinship import Kin, Kinship, kin, kinship_of
from bot.incidents.roots import Ground, fits, ground, ground_of
from bot.incidents.weights import FADE, OVER

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,}")


@dataclass(frozen=True, slots=True)
class Placing:
    """Who joins which incident (by id), and which arrivals open new ones together, the lead of each first."""

    joins: Mapping[str, tuple[Joined, ...]]
    opens: tuple[tuple[Joined, ...], ...]


@dataclass(frozen=True, slots=True)
class _Link:
    """Why two things may be one; `free`: whatever their roots are."""

    weight: float
    gap: timedelta
    reason: str
    free: bool = False


@dataclass(slots=True)
class _Home:
    """A live incident as correlation sees it: when each service and each hook had news, and what fires."""

    incident: Incident
    ground: Ground
    hooks: dict[str, Span]
    firing: frozenset[str]  # services and hooks with a problem that fires
    loud: frozenset[str]  # services with a problem that is more than a notice
    hosts: frozenset[str]  # hooks of problems without a service: these are about the node itself


@dataclass(slots=True)
class _Table:
    """What one placing works on; `edges[n]` are the links of bundle n to others, at most one of each sort."""

    bundles: list[Bundle]
    kinship: Kinship
    window: timedelta
    said: Belongings
    edges: dict[int, dict[tuple[int, bool], _Link]] = field(default_factory=dict)

    def link(self, relation: Kin, a: Span, b: Span, *, free: bool = False, over: bool = False) -> _Link | None:
        """A link by this relation if both lie near enough in time; what is over, or is seen at the caller first, for less."""
        gap, window = a.gap(b), self.window * relation.share * (OVER if over else 1.0)
        if relation.directed and (b.first > a.last if relation.needed else a.first > b.last):
            window *= weights.BACKWARDS
        if gap > window:
            return None
        faded = relation.weight * (1 - FADE * (gap / window if window else 0))
        return _Link(faded, gap, f"{relation.sentence}, {apart(gap)}", free)

    def parted(self, a: Ground, b: Ground) -> bool:
        """Somebody said that a problem of one has nothing to do with a problem of the other."""
        few, many = (a, b) if len(a.problems) < len(b.problems) else (b, a)
        return bool(self.said.apart) and any(self.said.apart.get(one, frozenset()) & many.problems for one in few.problems)

    def fits(self, a: Ground, at_a: str, b: Ground, at_b: str, link: _Link) -> bool:
        """The link makes them one."""
        if self.parted(a, b):
            return False
        return link.free or fits(a, at_a, b, at_b, self.kinship, self.window)


def place(
    arrivals: Iterable[Arrival],
    incidents: Iterable[Incident],
    catalogue: Catalogue,
    window: timedelta,
    said: Belongings | None = None,
) -> Placing:
    """The place of every arrival; incidents that are not live are passed over. `said` is what people judged before."""
    kinship, opinions = kinship_of(catalogue), said or Belongings()
    table = _Table(bundled(arrivals, window, opinions.judged), kinship, window, opinions)
    table.edges = _edges(table)
    live = sorted((i for i in incidents if i.live), key=lambda i: (i.opened_at, i.number, i.id))
    places = {bundle.environment for bundle in table.bundles}
    homes = [_home(incident, kinship) for incident in live if incident.environment in places]
    settled = _settled(table, homes)
    joins: dict[str, list[Joined]] = {}
    for number, (home, reason) in sorted(settled.items()):
        joins.setdefault(homes[home].incident.id, []).extend(members(table.bundles[number], reason))
    opens = tuple(_opened(group, table) for group in _groups(table, settled))
    return Placing({id: tuple(joined) for id, joined in joins.items()}, opens)


# --- links ------------------------------------------------------------------------------------------------------


def _relatives(bundle: Bundle, kinship: Kinship, present: Mapping[str, object]) -> Iterator[tuple[str, Kin, bool]]:
    """The services among `present` that this bundle is related to, and whether whatever their roots are.

    Its own, those of the graph, those that its text names.
    """
    if bundle.service not in NAMELESS:
        yield bundle.service, kin(weights.SAME, f"also {bundle.service}"), False
        for name, relation in kinship.wide(bundle.service).items():
            if name in present:
                yield name, relation, False
    for one in bundle.arrivals[:5]:
        for word in {*_WORD.findall(one.alert.summary), *_WORD.findall(one.alert.description[:1000])}:
            if word in present and word != bundle.service and kinship.knows(word):
                yield word, kin(weights.NAMED, f"the alert {one.alert.name} names {word}"), True


def _hook(hook: str, *, host: bool = False) -> Kin:
    """What it means that two have this in common; `host`: one of them is about the node itself."""
    key, _, value = hook.partition("=")
    if key == "node":
        return kin(weights.HOST if host else weights.BESIDE, f"the same node {value}")
    if key == "at":
        return kin(weights.PLACE, f"the same node {value.partition(' ')[0]}")
    if key == "alert":
        return kin(weights.ALIKE, f"the same alert {value}")
    if key == "group":
        return kin(weights.TOLD, f"grouped together by its sender ({value})")
    if key == "change":
        return kin(weights.CHANGED, f"both touched by {value}")
    return kin(weights.PLACE, f"the same {key} {value}")


def _edges(table: _Table) -> dict[int, dict[tuple[int, bool], _Link]]:
    """The strongest links between each two bundles that are linked, both ways."""
    bundles = table.bundles
    edges: dict[int, dict[tuple[int, bool], _Link]] = {number: {} for number in range(len(bundles))}
    by_service: dict[str, dict[str, list[int]]] = {}
    by_hook: dict[tuple[str, str], list[int]] = {}
    by_problem: dict[str, int] = {}
    for number, bundle in enumerate(bundles):
        if bundle.alone:
            continue
        by_service.setdefault(bundle.environment, {}).setdefault(bundle.service, []).append(number)
        for hook in bundle.hooks:
            by_hook.setdefault((bundle.environment, hook), []).append(number)
        by_problem |= dict.fromkeys(bundle.fingerprints & table.said.judged, number)
    for number, bundle in enumerate(bundles):
        here = {} if bundle.alone else by_service[bundle.environment]
        for name, relation, free in _relatives(bundle, table.kinship, here):
            for other in here.get(name, ()):
                if name == bundle.service or bundle.loud or bundles[other].loud:
                    _join(edges, number, other, table.link(relation, bundle.span, bundles[other].span, free=free))
    for (_, hook), numbers in by_hook.items():
        for a, b, relation in _hooked(bundles, hook, numbers):
            _join(edges, a, b, table.link(relation, bundles[a].hooks[hook], bundles[b].hooks[hook], free=True))
    for number, other in _friends(table, by_problem):
        _join(edges, number, other, table.link(_SAID, bundles[number].span, bundles[other].span, free=True))
    return edges


def _friends(table: _Table, by_problem: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Bundles of one environment with problems that people put together before."""
    for problem, number in by_problem.items():
        for friend in table.said.together.get(problem, ()):
            other = by_problem.get(friend, number)
            if table.bundles[number].environment == table.bundles[other].environment:
                yield number, other


def _join(edges: dict[int, dict[tuple[int, bool], _Link]], a: int, b: int, link: _Link | None) -> None:
    if link is None or a == b:
        return
    known = edges[a].get((b, link.free))
    if known is None or known.weight < link.weight:
        edges[a][b, link.free] = edges[b][a, link.free] = link


def _hooked(bundles: Sequence[Bundle], hook: str, numbers: Iterable[int]) -> Iterator[tuple[int, int, Kin]]:
    """Bundles that have this in common: each with the next in time, and with the first that is about the node itself."""
    in_time = sorted(numbers, key=lambda n: (bundles[n].hooks[hook].first, n))
    hosts = {n for n in in_time if bundles[n].service in NAMELESS}
    first = [n for n in in_time if n in hosts][:1]
    for a, b in (*pairwise(in_time), *((host, n) for host in first for n in in_time)):
        yield a, b, _hook(hook, host=a in hosts or b in hosts)


_SAID = kin(weights.SAID, "people put these two together before")


# --- live incidents ---------------------------------------------------------------------------------------------


def _settled(table: _Table, homes: list[_Home]) -> dict[int, tuple[int, str]]:
    """The home (its place in `homes`) and the reason of every bundle that has one, strongest links first.

    A bundle that is linked to a bundle with a home follows it there.
    """
    bundles = table.bundles
    queue: list[tuple[float, timedelta, int, int, bool, str, str]] = []
    for number, home, there, link in (*_home_links(table, homes), *_hook_links(table, homes)):
        heapq.heappush(queue, (-link.weight, link.gap, home, number, link.free, there, link.reason))
    settled: dict[int, tuple[int, str]] = {}
    while queue:
        weight, gap, home, number, free, there, reason = heapq.heappop(queue)
        base, mine = homes[home].ground, ground(bundles[number])
        if number in settled or not table.fits(mine, bundles[number].service, base, there, _Link(-weight, gap, reason, free)):
            continue
        settled[number] = (home, reason)
        base.take(mine, table.kinship)
        for (other, free_too), link in table.edges[number].items():
            if other not in settled:
                here = bundles[number].service
                heapq.heappush(queue, (-link.weight, link.gap, home, other, free_too, here, link.reason))
    return settled


def _home_links(table: _Table, homes: Sequence[_Home]) -> Iterator[tuple[int, int, str, _Link]]:
    """Bundle, home, the service there that the link leads to ("": none), link."""
    services: dict[str, dict[str, list[tuple[int, Span]]]] = {}
    problems: dict[tuple[str, str], list[int]] = {}
    for number, home in enumerate(homes):
        where = home.incident.environment
        for name, span in home.ground.services.items():
            services.setdefault(where, {}).setdefault(name, []).append((number, Span(span.first, span.last)))
        for problem in home.ground.problems & table.said.known:
            problems.setdefault((where, problem), []).append(number)
    for number, bundle in enumerate(table.bundles):
        if bundle.alone:
            continue
        here = services.get(bundle.environment, {})
        for name, relation, free in _relatives(bundle, table.kinship, here):
            for which, span in here.get(name, ()):
                over = name not in homes[which].firing
                explains = name == bundle.service or name in homes[which].loud  # a notice joins, but explains no trouble
                if explains and (link := table.link(relation, bundle.span, span, free=free, over=over)):
                    yield number, which, name, link
        for problem in sorted(bundle.fingerprints & table.said.judged):
            for friend in sorted(table.said.together.get(problem, ())):
                for which in problems.get((bundle.environment, friend), ()):
                    yield number, which, "", _Link(_SAID.weight, timedelta(0), _SAID.sentence, free=True)


def _hook_links(table: _Table, homes: Sequence[_Home]) -> Iterator[tuple[int, int, str, _Link]]:
    """As `_home_links`, by what a bundle and a home have in common."""
    hooks: dict[tuple[str, str], list[tuple[int, Span]]] = {}
    for number, home in enumerate(homes):
        for hook, span in home.hooks.items():
            hooks.setdefault((home.incident.environment, hook), []).append((number, span))
    for number, bundle in enumerate(table.bundles):
        for hook, own in bundle.hooks.items():
            for which, span in hooks.get((bundle.environment, hook), ()):
                over = hook not in homes[which].firing
                host = bundle.service in NAMELESS or hook in homes[which].hosts
                if link := table.link(_hook(hook, host=host), own, span, free=True, over=over):
                    yield number, which, "", link


def _home(incident: Incident, kinship: Kinship) -> _Home:
    services: dict[str, Span] = {}
    hooks: dict[str, Span] = {}
    firing: set[str] = set()
    if not incident.members:  # opened by hand: no alert yet tells when it began
        services[incident.service] = Span(incident.opened_at, incident.opened_at)
        firing.add(incident.service)
    for member in sorted(incident.members, key=lambda m: (m.firing == 0, m.joined_at)):  # those that fire first
        at, fires = member.joined_at, member.firing > 0
        named = member.service not in NAMELESS and member.name != UNREADABLE
        for key, spans in ((member.service, services), *((hook, hooks) for hook in member.hooks)):
            if key == member.service and spans is services and not named:
                continue
            if fires:
                spans.setdefault(key, Span(at, at)).cover(at)
                firing.add(key)
            elif key not in firing:  # what is over counts from its latest beginning
                spans[key] = Span(at, at)
    problems = (member.fingerprint for member in incident.members)
    base = ground_of(services, problems, kinship, firing & services.keys())
    hosts = frozenset(hook for m in incident.members if m.service in NAMELESS for hook in m.hooks)
    loud = frozenset(m.service for m in incident.members if m.severity is not Severity.SEV4) or frozenset({incident.service})
    return _Home(incident, base, hooks, frozenset(firing), loud, hosts)


# --- new incidents ----------------------------------------------------------------------------------------------


def _groups(table: _Table, settled: Mapping[int, object]) -> Iterator[list[int]]:
    """Bundles without a home, put together along their links, the strongest first, as long as their roots allow it."""
    free = [number for number in range(len(table.bundles)) if number not in settled]
    head = {number: number for number in free}
    grounds = {number: ground(table.bundles[number]) for number in free}
    parts: dict[int, list[int]] = {number: [number] for number in free}
    links = (
        (-link.weight, link.gap, number, other, link)
        for number in free
        for (other, _), link in table.edges[number].items()
        if number < other and other in head
    )
    for _, _, number, other, link in sorted(links, key=lambda one: one[:4]):
        a, b = head[number], head[other]
        here, there = table.bundles[number].service, table.bundles[other].service
        if a == b or not table.fits(grounds[a], here, grounds[b], there, link):
            continue
        if len(parts[a]) < len(parts[b]):
            a, b = b, a
        grounds[a].take(grounds.pop(b), table.kinship)
        for moved in parts[b]:
            head[moved] = a
        parts[a] += parts.pop(b)
    yield from sorted(sorted(group) for group in parts.values())


def _opened(group: list[int], table: _Table) -> tuple[Joined, ...]:
    """The members of a new incident; it begins with the service that the others depend on, else the worst and first."""
    bundles, mine = table.bundles, set(group)
    needed = Counter(name for n in group for name, one in table.kinship.of(bundles[n].service).items() if one.needed)
    worst = {n: min(a.alert.severity.rank for a in bundles[n].arrivals) for n in group}
    lead = min(group, key=lambda n: (-needed[bundles[n].service], worst[n], n))
    joined: list[Joined] = []
    queue, seen = [(-3.0, timedelta(0), lead, "it opened the incident")], set[int]()
    while queue:
        _, _, number, reason = heapq.heappop(queue)
        if number in seen:
            continue
        seen.add(number)
        joined += members(bundles[number], reason)
        for (other, _), link in table.edges[number].items():
            if other in mine:
                heapq.heappush(queue, (-link.weight, link.gap, other, link.reason))
    return tuple(joined)
