"""Which problems are one incident: by service, calls, time, labels, changes, text and what people said, each with its reason.

Problems are first bundled by service and time. A bundle joins the live incident for which most speaks, if that is enough
(`evidence`); those that are left are put together along the strongest links among them. Calls count only where the trouble
of both sides begins in one place (`roots`). Everything is found through indexes and sorted by what the problems are, so the
cost grows with the batch alone, and the order of a batch changes nothing. Incidents that are closed are not asked,
environments never mix.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

from bot.domain.belonging import Belongings
from bot.domain.incident import Incident
from bot.domain.service import Catalogue
from bot.incidents import weights
from bot.incidents.bundles import NAMELESS, Arrival, Bundle, Joined, Span, bundled, members
from bot.incidents.evidence import (
    CROWDS,
    Home,
    Reason,
    chance,
    fresh,
    home_of,
    hook_kin,
    needed,
    reasons_for,
    relatives,
    together,
)
from bot.incidents.kinship import Kin, Kinship, kin, kinship_of
from bot.incidents.roots import Ground, fits, ground

_SAID = kin(weights.SAID, "people put these two together before")
_AT_ONCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Placing:
    """Who joins which incident (by id), and which arrivals open new ones together, the lead of each first.

    `unsure` are the problems (fingerprints) that join although not very much speaks for it.
    """

    joins: Mapping[str, tuple[Joined, ...]]
    opens: tuple[tuple[Joined, ...], ...]
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Link:
    """Why two bundles of a batch may be one; `free`: whatever their roots are."""

    why: Reason
    free: bool = False


@dataclass(slots=True)
class _Table:
    """What one placing works on; `edges[n]` are the links of bundle n to others, at most one of each sort."""

    bundles: list[Bundle]
    kinship: Kinship
    window: timedelta
    said: Belongings
    edges: dict[int, dict[tuple[int, bool], _Link]] = field(default_factory=dict)

    def parted(self, a: Ground, b: Ground) -> bool:
        """Somebody said that a problem of one has nothing to do with a problem of the other."""
        few, many = (a, b) if len(a.problems) < len(b.problems) else (b, a)
        return bool(self.said.apart) and any(self.said.apart.get(one, frozenset()) & many.problems for one in few.problems)

    def join(self, a: int, b: int, relation: Kin, one: Span, two: Span, *, free: bool = False, times: int = 1) -> None:
        """Link two bundles, if that says enough: by this relation, seen so many times."""
        why = chance(relation, one, two, self.window)
        if why is None or a == b:
            return
        if times > 1:
            why = Reason(together([why] * times), why.gap, why.sentence)
        known = self.edges[a].get((b, free))
        enough = why.chance >= max(needed(self.bundles[a]), needed(self.bundles[b]))
        if enough and (known is None or known.why.chance < why.chance):
            self.edges[a][b, free] = self.edges[b][a, free] = _Link(why, free)


def place(
    arrivals: Iterable[Arrival],
    incidents: Iterable[Incident],
    catalogue: Catalogue,
    window: timedelta,
    said: Belongings | None = None,
) -> Placing:
    """The place of every arrival; incidents that are not live are passed over. `said` is what people judged before."""
    kinship, opinions = kinship_of(catalogue), said or Belongings()
    bundles = bundled(arrivals, window, opinions.judged)
    table = _Table(bundles, kinship, window, opinions, {number: {} for number in range(len(bundles))})
    _link(table)
    live = sorted((i for i in incidents if i.live), key=lambda i: (i.opened_at, i.number, i.id))
    places = {bundle.environment for bundle in bundles}
    homes = [home_of(incident, kinship) for incident in live if incident.environment in places]
    settled = _settled(table, homes)
    joins: dict[str, list[Joined]] = {}
    unsure: set[str] = set()
    for number, (home, reason) in sorted(settled.items()):
        joins.setdefault(homes[home].incident.id, []).extend(members(bundles[number], reason.sentence))
        if reason.chance < weights.SURE:
            unsure |= bundles[number].fingerprints
    opens = tuple(_opened(group, table) for group in _groups(table, settled))
    return Placing({id: tuple(joined) for id, joined in joins.items()}, opens, frozenset(unsure))


# --- links within the batch ---------------------------------------------------------------------------------------


def _link(table: _Table) -> None:
    """The strongest links between each two bundles that are linked, both ways."""
    bundles = table.bundles
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
        for name, relation, free in relatives(bundle, table.kinship, here):
            for other in here.get(name, ()):
                if name == bundle.service or bundle.loud or bundles[other].loud:
                    table.join(number, other, relation, bundle.span, bundles[other].span, free=free)
    for (_, hook), numbers in by_hook.items():
        for a, b, relation, times in _hooked(bundles, hook, numbers):
            table.join(a, b, relation, bundles[a].hooks[hook], bundles[b].hooks[hook], free=True, times=times)
    for number, other in _friends(table, by_problem):
        table.join(number, other, _SAID, bundles[number].span, bundles[other].span, free=True)


def _friends(table: _Table, by_problem: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Bundles of one environment with problems that people put together before."""
    for problem, number in by_problem.items():
        for friend in table.said.together.get(problem, ()):
            other = by_problem.get(friend, number)
            if table.bundles[number].environment == table.bundles[other].environment:
                yield number, other


def _hooked(bundles: Sequence[Bundle], hook: str, numbers: Iterable[int]) -> Iterator[tuple[int, int, Kin, int]]:
    """Bundles that have this in common: each with the next in time, and with the first that is about the node itself."""
    in_time = sorted(numbers, key=lambda n: (bundles[n].hooks[hook].first, n))
    hosts = {n for n in in_time if bundles[n].service in NAMELESS}
    crowd = hook.partition("=")[0] in CROWDS
    for a, b in pairwise(in_time):
        times = 1
        if crowd:
            begin = bundles[b].hooks[hook].first
            times = len({bundles[n].service for n in in_time if abs(bundles[n].hooks[hook].first - begin) <= _AT_ONCE}) - 1
        if times:
            yield a, b, hook_kin(hook, host=a in hosts or b in hosts), times
    for host in [n for n in in_time if n in hosts][:1]:
        for n in in_time:
            yield host, n, hook_kin(hook, host=True), 1


# --- live incidents ---------------------------------------------------------------------------------------------


def _settled(table: _Table, homes: list[Home]) -> dict[int, tuple[int, Reason]]:
    """The home (its place in `homes`) and the reason of every bundle that has one, the best founded first.

    Once a bundle has a home, those that are linked to it ask there too.
    """
    bundles = table.bundles
    queue: list[tuple[float, timedelta, int, int, str, Reason]] = []

    def ask(number: int, home: int) -> None:
        if found := _founded(table, bundles[number], homes[home]):
            heapq.heappush(queue, (-found.chance, found.gap, home, number, found.sentence, found))

    for number, home in _candidates(table, homes):
        ask(number, home)
    settled: dict[int, tuple[int, Reason]] = {}
    while queue:
        *_, home, number, _, reason = heapq.heappop(queue)
        if number in settled or table.parted(ground(bundles[number]), homes[home].ground):
            continue
        settled[number] = (home, reason)
        homes[home].take(bundles[number], table.kinship)
        for other, _ in table.edges[number]:
            if other not in settled:
                ask(other, home)
    return settled


def _founded(table: _Table, bundle: Bundle, home: Home) -> Reason | None:
    """All that speaks for the bundle in this incident, under the strongest reason's name, if it is enough."""
    said = any(table.said.together.get(problem, frozenset()) & home.ground.problems for problem in bundle.fingerprints)
    if said:
        return Reason(_SAID.weight, timedelta(0), _SAID.sentence)
    found = reasons_for(bundle, home, table.kinship, table.window)
    total = together(found) * fresh(home, bundle)
    return Reason(total, found[0].gap, found[0].sentence) if found and total >= needed(bundle) else None


def _candidates(table: _Table, homes: Sequence[Home]) -> Iterator[tuple[int, int]]:
    """Bundle and home that have anything in common."""
    services: dict[str, dict[str, list[int]]] = {}
    hooks: dict[tuple[str, str], list[int]] = {}
    problems: dict[tuple[str, str], list[int]] = {}
    for number, home in enumerate(homes):
        where = home.incident.environment
        for name in home.services:
            services.setdefault(where, {}).setdefault(name, []).append(number)
        for hook in home.hooks:
            hooks.setdefault((where, hook), []).append(number)
        for problem in home.ground.problems & table.said.known:
            problems.setdefault((where, problem), []).append(number)
    for number, bundle in enumerate(table.bundles):
        if bundle.alone:
            continue
        here, where = services.get(bundle.environment, {}), bundle.environment
        found = {which for name, _, _ in relatives(bundle, table.kinship, here) for which in here.get(name, ())}
        found.update(which for hook in bundle.hooks for which in hooks.get((where, hook), ()))
        friends = {friend for one in bundle.fingerprints for friend in table.said.together.get(one, ())}
        found.update(which for friend in friends for which in problems.get((where, friend), ()))
        for which in sorted(found):
            yield number, which


# --- new incidents ----------------------------------------------------------------------------------------------


def _groups(table: _Table, settled: Mapping[int, object]) -> Iterator[list[int]]:
    """Bundles without a home, put together along their links, the strongest first, as long as their roots allow it."""
    free = [number for number in range(len(table.bundles)) if number not in settled]
    head = {number: number for number in free}
    grounds = {number: ground(table.bundles[number]) for number in free}
    parts: dict[int, list[int]] = {number: [number] for number in free}
    links = (
        (-link.why.chance, link.why.gap, number, other, link.free)
        for number in free
        for (other, _), link in table.edges[number].items()
        if number < other and other in head
    )
    for _, _, number, other, whatever in sorted(links):
        a, b = head[number], head[other]
        here, there = table.bundles[number].service, table.bundles[other].service
        if a == b or table.parted(grounds[a], grounds[b]):
            continue
        if not whatever and not fits(grounds[a], here, grounds[b], there, table.kinship):
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
    depended = Counter(name for n in group for name, one in table.kinship.of(bundles[n].service).items() if one.needed)
    worst = {n: min(a.alert.severity.rank for a in bundles[n].arrivals) for n in group}
    lead = min(group, key=lambda n: (-depended[bundles[n].service], worst[n], n))
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
                heapq.heappush(queue, (-link.why.chance, link.why.gap, other, link.why.sentence))
    return tuple(joined)
