"""Which problems are one incident: by service, call graph, time, labels and text, each with its reason.

Problems are first bundled by service and time; bundles are then linked to live incidents and to each other, and the
strongest links win. Everything is found through indexes and sorted by what the problems are, so the cost grows with the
batch alone, and the order of a batch changes nothing. Incidents that are closed are not asked, environments never mix.
"""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from bot.domain.alert import UNREADABLE
from bot.domain.incident import Incident
from bot.domain.service import Catalogue
from bot.incidents.bundles import NAMELESS, Arrival, Bundle, Joined, Span, apart, bundled, members
from bot.incidents.kinship import Kin, Kinship

SAME, NAMED, PLACE, TOLD = 1.0, 0.7, 0.5, 0.4  # weights beside those of kinship: same service, named in the text, ...
FADE = 0.3  # a link at the window's end weighs this much less than one at the same moment
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,}")


@dataclass(frozen=True, slots=True)
class Placing:
    """Who joins which incident (by id), and which arrivals open new ones together, the lead of each first."""

    joins: Mapping[str, tuple[Joined, ...]]
    opens: tuple[tuple[Joined, ...], ...]


@dataclass(frozen=True, slots=True)
class _Link:
    weight: float
    gap: timedelta
    reason: str


def place(arrivals: Iterable[Arrival], incidents: Iterable[Incident], catalogue: Catalogue, window: timedelta) -> Placing:
    """The place of every arrival; incidents that are not live are passed over."""
    kinship = Kinship(catalogue)
    bundles = bundled(arrivals, window)
    edges = _edges(bundles, kinship, window)
    live = sorted((i for i in incidents if i.live), key=lambda i: (i.opened_at, i.number, i.id))
    homes = _homes(bundles, edges, live, kinship, window)
    joins: dict[str, list[Joined]] = {}
    for number, (home, reason) in sorted(homes.items()):
        joins.setdefault(live[home].id, []).extend(members(bundles[number], reason))
    opens = tuple(_opened(group, bundles, edges, kinship) for group in _groups(bundles, edges, homes))
    return Placing({id: tuple(joined) for id, joined in joins.items()}, opens)


# --- links ------------------------------------------------------------------------------------------------------


def _link(weight: float, a: Span, b: Span, window: timedelta, sentence: str) -> _Link | None:
    gap = a.gap(b)
    if gap > window:
        return None
    faded = weight * (1 - FADE * (gap / window if window else 0))
    return _Link(faded, gap, f"{sentence}, {apart(gap)}")


def _relatives(bundle: Bundle, kinship: Kinship, present: Mapping[str, object]) -> Iterator[tuple[str, Kin]]:
    """The services among `present` that this bundle is related to: its own, those of the graph, those that its text names."""
    if bundle.service not in NAMELESS:
        yield bundle.service, Kin(SAME, f"also {bundle.service}")
        for name, kin in kinship.of(bundle.service).items():
            if name in present:
                yield name, kin
    for one in bundle.arrivals[:5]:
        for word in {*_WORD.findall(one.alert.summary), *_WORD.findall(one.alert.description[:1000])}:
            if word in present and word != bundle.service and kinship.knows(word):
                yield word, Kin(NAMED, f"the alert {one.alert.name} names {word}")


def _hook_sentence(hook: str) -> tuple[float, float, str]:
    """Weight, share of the window, sentence."""
    key, _, value = hook.partition("=")
    if key == "alert":
        return TOLD, 0.2, f"the same alert {value}"
    if key == "group":
        return TOLD, 1 / 3, f"grouped together by its sender ({value})"
    return PLACE, 1 / 3, f"the same {key} {value}"


def _edges(bundles: list[Bundle], kinship: Kinship, window: timedelta) -> dict[int, dict[int, _Link]]:
    """The strongest link between each two bundles that are linked, both ways."""
    edges: dict[int, dict[int, _Link]] = {number: {} for number in range(len(bundles))}

    def join(a: int, b: int, link: _Link | None) -> None:
        if link is not None and a != b and (b not in edges[a] or edges[a][b].weight < link.weight):
            edges[a][b] = edges[b][a] = link

    by_service: dict[str, dict[str, list[int]]] = {}
    by_hook: dict[tuple[str, str], list[int]] = {}
    for number, bundle in enumerate(bundles):
        if not bundle.alone:
            by_service.setdefault(bundle.environment, {}).setdefault(bundle.service, []).append(number)
            for hook in bundle.hooks:
                by_hook.setdefault((bundle.environment, hook), []).append(number)
    for number, bundle in enumerate(bundles):
        here = {} if bundle.alone else by_service[bundle.environment]
        for name, kin in _relatives(bundle, kinship, here):
            for other in here.get(name, ()):
                link = _link(kin.weight, bundle.span, bundles[other].span, window * kin.share, kin.sentence)
                join(number, other, link)
    for (_, hook), numbers in by_hook.items():
        weight, share, sentence = _hook_sentence(hook)
        in_time = sorted(numbers, key=lambda n: (bundles[n].hooks[hook].first, n))
        for a, b in pairwise(in_time):
            join(a, b, _link(weight, bundles[a].hooks[hook], bundles[b].hooks[hook], window * share, sentence))
    return edges


def _homes(
    bundles: list[Bundle],
    edges: Mapping[int, Mapping[int, _Link]],
    live: Sequence[Incident],
    kinship: Kinship,
    window: timedelta,
) -> dict[int, tuple[int, str]]:
    """The incident (its place in `live`) and the reason of every bundle that has one, strongest links first.

    A bundle that is linked to a bundle with a home follows it there.
    """
    queue: list[tuple[float, timedelta, int, int, str]] = []
    for number, home, link in _home_links(bundles, live, kinship, window):
        heapq.heappush(queue, (-link.weight, link.gap, home, number, link.reason))
    homes: dict[int, tuple[int, str]] = {}
    while queue:
        _, _, home, number, reason = heapq.heappop(queue)
        if number in homes:
            continue
        homes[number] = (home, reason)
        for other, link in edges[number].items():
            if other not in homes:
                heapq.heappush(queue, (-link.weight, link.gap, home, other, link.reason))
    return homes


def _home_links(
    bundles: list[Bundle], live: Sequence[Incident], kinship: Kinship, window: timedelta
) -> Iterator[tuple[int, int, _Link]]:
    services: dict[str, dict[str, list[tuple[int, Span]]]] = {}
    hooks: dict[tuple[str, str], list[tuple[int, Span]]] = {}
    for home, incident in enumerate(live):
        by_service, by_hook = _spans(incident)
        for name, span in by_service.items():
            services.setdefault(incident.environment, {}).setdefault(name, []).append((home, span))
        for hook, span in by_hook.items():
            hooks.setdefault((incident.environment, hook), []).append((home, span))
    for number, bundle in enumerate(bundles):
        if bundle.alone:
            continue
        here = services.get(bundle.environment, {})
        for name, kin in _relatives(bundle, kinship, here):
            for home, span in here.get(name, ()):
                if link := _link(kin.weight, bundle.span, span, window * kin.share, kin.sentence):
                    yield number, home, link
        for hook, own in bundle.hooks.items():
            weight, share, sentence = _hook_sentence(hook)
            for home, span in hooks.get((bundle.environment, hook), ()):
                if link := _link(weight, own, span, window * share, sentence):
                    yield number, home, link


def _spans(incident: Incident) -> tuple[dict[str, Span], dict[str, Span]]:
    services: dict[str, Span] = {}
    hooks: dict[str, Span] = {}
    if not incident.members:  # opened by hand: no alert yet tells when it began
        services[incident.service] = Span(incident.opened_at, incident.opened_at)
    for member in incident.members:
        if member.service not in NAMELESS and member.name != UNREADABLE:
            services.setdefault(member.service, Span(member.joined_at, member.joined_at)).cover(member.joined_at)
        for hook in member.hooks:
            hooks.setdefault(hook, Span(member.joined_at, member.joined_at)).cover(member.joined_at)
    return services, hooks


# --- new incidents ----------------------------------------------------------------------------------------------


def _groups(bundles: list[Bundle], edges: Mapping[int, Mapping[int, _Link]], homes: Mapping[int, object]) -> Iterator[list[int]]:
    seen = set(homes)
    for start in range(len(bundles)):
        if start in seen:
            continue
        group, todo = [], [start]
        seen.add(start)
        while todo:
            number = todo.pop()
            group.append(number)
            fresh = [n for n in edges[number] if n not in seen]
            seen.update(fresh)
            todo += fresh
        yield sorted(group)


def _opened(
    group: list[int], bundles: list[Bundle], edges: Mapping[int, Mapping[int, _Link]], kinship: Kinship
) -> tuple[Joined, ...]:
    """The members of a new incident; it begins with the service that the others depend on, else the worst and first."""
    needed = Counter(name for n in group for name, kin in kinship.of(bundles[n].service).items() if kin.needed)
    worst = {n: min(a.alert.severity.rank for a in bundles[n].arrivals) for n in group}
    lead = min(group, key=lambda n: (-needed[bundles[n].service], worst[n], n))
    joined: list[Joined] = []
    queue, seen = [(-2.0, timedelta(0), lead, "it opened the incident")], set[int]()
    while queue:
        _, _, number, reason = heapq.heappop(queue)
        if number in seen:
            continue
        seen.add(number)
        joined += members(bundles[number], reason)
        for other, link in edges[number].items():
            heapq.heappush(queue, (-link.weight, link.gap, other, link.reason))
    return tuple(joined)
