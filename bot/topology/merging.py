"""One graph of what people declared and what sources saw, each edge with who says so and when it was last seen."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.service import Catalogue, ServiceGraph, spelling
from bot.domain.telemetry import Readings
from bot.domain.topology import DECLARED, EdgeOrigin, KnownCall

FADES = timedelta(days=14)  # an edge that nobody saw for so long is no edge any more
MOST_EDGES = 5_000  # that are learned, the latest first


@dataclass(frozen=True, slots=True)
class Unknown:
    """A service that was seen and that nobody described: who says so, since when, whom it calls and who calls it."""

    name: str
    external: bool
    sources: tuple[str, ...]
    last_seen: datetime
    callers: tuple[str, ...] = ()
    callees: tuple[str, ...] = ()


@dataclass(slots=True)
class _Edge:
    sources: dict[str, datetime | None] = field(default_factory=dict)
    latest: KnownCall | None = None
    external: bool = True


def merged(catalogue: Catalogue, known: Iterable[KnownCall], now: datetime, fades: timedelta = FADES) -> tuple[EdgeOrigin, ...]:
    """Every edge that is declared, or that some source saw lately, under the catalogue's names; sorted by name.

    What is known of the traffic comes from the source that counted it last.
    """
    edges: dict[tuple[str, str], _Edge] = {}
    for service in catalogue.services.values():
        for callee in service.depends_on:
            outside = catalogue.get(callee).external
            edges[service.name, callee] = _Edge({DECLARED: None}, external=outside)
    name_of = names(catalogue)
    fresh = [k for k in known if k.last_seen >= now - fades]
    for call in sorted(fresh, key=lambda k: k.last_seen, reverse=True)[:MOST_EDGES]:
        caller, callee = name_of(call.caller), name_of(call.callee)
        if caller == callee:
            continue
        edge = edges.setdefault((caller, callee), _Edge())
        edge.sources[call.source] = max(edge.sources.get(call.source) or call.last_seen, call.last_seen)
        edge.external = edge.external and call.external
        if edge.latest is None or (call.calls and not edge.latest.calls):
            edge.latest = call
    return tuple(_origin(caller, callee, edge, catalogue) for (caller, callee), edge in sorted(edges.items()))


def _origin(caller: str, callee: str, edge: _Edge, catalogue: Catalogue) -> EdgeOrigin:
    described = catalogue.resolve(callee)
    outside = described.external if described else edge.external
    plain = EdgeOrigin(caller, callee, edge.sources, external=outside)
    seen = edge.latest
    return replace(plain, calls=seen.calls, errors=seen.errors, latency_ms=seen.latency_ms) if seen else plain


def names(catalogue: Catalogue) -> Callable[[str], str]:
    """How the catalogue calls what a source names: by name, alias, spelling, or as the first part of a host's name.

    Of "payments.shop.svc.cluster.local:8080" the catalogue may know the whole, "payments.shop" or "payments".
    """
    found: dict[str, str] = {}

    def look(name: str) -> str:
        for form in _forms(name):
            service = catalogue.resolve(form) or catalogue.spelt(form)
            if service is not None:
                return service.name
        return name

    def name_of(name: str) -> str:
        if name not in found:
            found[name] = look(name)
        return found[name]

    return name_of


def as_known(readings: Iterable[Readings], catalogue: Catalogue) -> tuple[Readings, ...]:
    """The same readings, whose spans and edges call services as the catalogue does."""
    name_of = names(catalogue)
    return tuple(
        replace(
            reading,
            spans=tuple(s if (name := name_of(s.service)) == s.service else replace(s, service=name) for s in reading.spans),
            edges=tuple(replace(e, caller=name_of(e.caller), callee=name_of(e.callee)) for e in reading.edges),
        )
        if reading.spans or reading.edges
        else reading
        for reading in readings
    )


def _forms(name: str) -> Iterable[str]:
    yield name
    host, colon, port = name.rpartition(":")
    bare = host if colon and port.isdecimal() else name
    yield bare
    if not _is_address(bare) and (parts := bare.split("."))[1:]:
        if bare.endswith(".svc.cluster.local") or ".svc" in bare:
            yield ".".join(parts[:2])
            yield parts[0]
        elif len(parts) == 2:  # name.namespace, as meshes write it
            yield parts[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def learned(edges: Iterable[EdgeOrigin]) -> tuple[ServiceGraph, frozenset[str]]:
    """The graph of the edges that nobody declared, and the names of what lies outside by them."""
    calls: dict[str, list[str]] = {}
    outside: dict[str, bool] = {}
    for edge in edges:
        if not edge.declared:
            calls.setdefault(edge.caller, []).append(edge.callee)
        outside[edge.caller] = False
        outside[edge.callee] = outside.get(edge.callee, True) and edge.external
    return ServiceGraph({a: tuple(b) for a, b in calls.items()}), frozenset(n for n, out in outside.items() if out)


def unknown(edges: Sequence[EdgeOrigin], catalogue: Catalogue) -> tuple[Unknown, ...]:
    """What was seen and is not in the catalogue, services first, then what lies outside."""
    _, outside = learned(edges)
    mine: dict[str, list[EdgeOrigin]] = {}
    for edge in edges:
        for name in (edge.caller, edge.callee):
            if edge.last_seen is not None and catalogue.resolve(name) is None:
                mine.setdefault(name, []).append(edge)
    found = [
        Unknown(
            name,
            name in outside,
            tuple(sorted({source for edge in theirs for source in edge.sources})),
            max(edge.last_seen for edge in theirs if edge.last_seen),
            tuple(edge.caller for edge in theirs if edge.callee == name),
            tuple(edge.callee for edge in theirs if edge.caller == name),
        )
        for name, theirs in mine.items()
    ]
    return tuple(sorted(found, key=lambda u: (u.external, u.name)))


def of_spelling(edges: Iterable[EdgeOrigin], name: str) -> str:
    """How the graph spells a service that a person names; the name itself if the graph has none like it."""
    there: Mapping[str, str] = {spelling(n): n for e in edges for n in (e.caller, e.callee)}
    return there.get(spelling(name), name)
