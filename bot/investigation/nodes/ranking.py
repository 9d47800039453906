"""Whose own the trouble is: each service's rise, less what its callees explain of it, by how much that touches who alerts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from bot.domain.service import ServiceGraph
from bot.investigation.nodes.measures import Measure
from bot.investigation.nodes.rises import Rise, Sight

FAR = 99  # hops: everything that can be reached
WOBBLE = 1.0  # wobbles that a rise must exceed before it is anybody's own
CLEAR = 5.0  # wobbles at which the rise of whoever alerts is certain
LOUD = 5.0  # excesses of processor use at which it is near certain
LEAST_CPU = 0.03  # share of a processor below which more use is nothing
WIDER = 0.2  # or this share of its usual use
GROWTH = 4.0  # times as many calls, at most, that excuse more use
ASIDE = 0.25  # what a measure weighs that the alert is not about


@dataclass(frozen=True, slots=True)
class Blame:
    """How much of the trouble is a service's own: `score` in [0, 1], all together at most 1, and why in words.

    `rise` is what it rests on, None for a service without any; `explained` is the part of it that its callees made.
    """

    service: str
    score: float
    rise: Rise | None = None
    explained: float = 0.0


def rank_nodes(
    sight: Sight, graph: ServiceGraph, alerting: Sequence[str] = (), about: Measure | None = None
) -> tuple[Blame, ...]:
    """The services that alert and all they depend on, whoever made most of the trouble first; without alerts, all services."""
    reach = _reach(sight, graph, alerting)
    found: dict[str, list[Blame]] = {name: [Blame(name, 0.0)] for name in reach}
    sure = {m: _sureness(sight, m, alerting or tuple(reach)) for m in (Measure.LATENCY, Measure.ERRORS)}
    decided = sure.get(about, 0.0) if about else 0.0
    for measure in sure:
        weight = sure[measure] * (1.0 if about is measure else ASIDE * (1.0 - decided))
        for blame in _excess(sight, measure, graph, reach, alerting, weight):
            found[blame.service].append(blame)
    weight = 1.0 if about in (None, Measure.CPU) else ASIDE
    for rise in sight.rises.get(Measure.CPU, {}).values():
        if rise.service in found:
            found[rise.service].append(_hot(sight, rise, weight))
    whole = max(1.0, sum(b.score for blames in found.values() for b in blames))
    told = []
    for name, blames in found.items():
        best = max(blames, key=lambda b: b.score)
        told.append(Blame(name, sum(b.score for b in blames) / whole, best.rise, best.explained))
    return tuple(sorted(told, key=lambda b: (-b.score, reach[b.service], b.service)))


def _reach(sight: Sight, graph: ServiceGraph, alerting: Sequence[str]) -> dict[str, int]:
    """Hops to each service that may be to blame."""
    hops: dict[str, int] = {}
    for start in alerting:
        for name, far in graph.upstreams(start, FAR).items():
            hops[name] = min(far, hops.get(name, FAR))
    return hops or dict.fromkeys({name for rises in sight.rises.values() for name in rises}, 0)


def _sureness(sight: Sight, measure: Measure, alerting: Sequence[str]) -> float:
    """How clearly those who alert deviate in this measure, in [0, 1]."""
    rises = sight.rises.get(measure, {})
    return min(1.0, max((rises[name].loudness for name in alerting if name in rises), default=0.0) / CLEAR)


def _excess(
    sight: Sight, measure: Measure, graph: ServiceGraph, reach: Collection[str], alerting: Sequence[str], weight: float
) -> list[Blame]:
    """What each service adds by itself to the rise of whoever alerts, in shares of that."""
    rises = {name: sight.rises[measure][name] for name in reach if name in sight.rises.get(measure, {})}
    heard = [rises[name] for name in alerting if name in rises] or list(rises.values())
    moments = np.sum([r.above for r in heard], axis=0) if heard else np.zeros(sight.moments)
    if not np.any(moments):
        return []
    moments = moments / np.sum(moments)
    entries = max((sight.calls.get(name, 0.0) for name in (alerting or rises)), default=0.0)
    own: list[tuple[str, float, float]] = []
    for name, rise in rises.items():
        parts = [_per_call(sight, graph, name, y) * rises[y].above for y in graph.callees(name) if y in rises and y != name]
        explained = np.sum(parts, axis=0) if parts else np.zeros(sight.moments)
        left = np.maximum(0.0, rise.above - explained - WOBBLE * rise.wobble)
        visits = _visits(sight, graph, name, reach, entries)
        loudest = int(np.argmax(rise.above))
        own.append((name, _with(left, moments) * visits, min(float(explained[loudest]), float(rise.above[loudest]))))
    whole = sum(score for _, score, _ in own)
    if not whole:
        return []
    return [Blame(name, weight * score / whole, rises[name], explained) for name, score, explained in own]


def _with(left: np.ndarray, moments: np.ndarray) -> float:
    """How much of this there was while somebody suffered; less if it was there as well while nobody did.

    The mean over the moments, weighted by how much they hurt, times the cosine of the angle between both courses.
    """
    length = float(np.linalg.norm(left) * np.linalg.norm(moments))
    together = float(np.dot(left, moments))
    return together * together / length if length else 0.0


def _visits(sight: Sight, graph: ServiceGraph, name: str, reach: Collection[str], entries: float) -> float:
    """How often a call of those who alert comes to a service; calls that come by other ways are left out."""
    if not entries or name not in sight.calls:
        return 1.0
    flows = {c: sight.edge_calls.get((c, name), 0.0) or sight.calls.get(c, 0.0) for c in graph.callers(name)}
    every, ours = sum(flows.values()), sum(flow for c, flow in flows.items() if c in reach)
    return sight.calls[name] / entries * (ours / every if ours else 1.0)


def _per_call(sight: Sight, graph: ServiceGraph, caller: str, callee: str) -> float:
    """How often a call of the one calls the other: as measured, else all calls shared evenly among the callers' calls."""
    if (caller, callee) in sight.edge_calls and sight.calls.get(caller):
        return sight.edge_calls[caller, callee] / sight.calls[caller]
    callers = sum(sight.calls.get(name, 0.0) for name in graph.callers(callee))
    return sight.calls[callee] / callers if callers and callee in sight.calls else 1.0


def _hot(sight: Sight, rise: Rise, weight: float) -> Blame:
    """More processor use than the growth of its calls excuses."""
    usual, now = sight.usual_calls.get(rise.service, 0.0), sight.calls.get(rise.service, 0.0)
    growth = min(GROWTH, max(1.0, now / usual)) if usual else 1.0
    excused = rise.usual * (growth - 1.0)
    left = max(0.0, float(np.max(rise.above, initial=0.0)) - excused)
    excess = left / max(LEAST_CPU, WIDER * rise.usual)
    return Blame(rise.service, weight * (1.0 - float(np.exp(-excess / LOUD))), rise, excused)
