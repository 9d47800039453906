"""Which service did it, from metrics and a call graph alone: what a service's own callees do not explain is its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Series
from bot.investigation.vocabulary import Kind, kinds_of_metric
from bot.signals.direction import bad_direction, counts_traffic

FAR = 99  # hops: everything that can be reached


class Measure(StrEnum):
    """What a metric measures of a service."""

    LATENCY = "latency"
    ERRORS = "errors"
    CPU = "cpu"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Blame:
    """How much of the trouble a service made itself: `score` in [0, 1] of all that was found."""

    service: str
    score: float


def measure_of(metric: str) -> Measure | None:
    """What a metric measures by its name, or None."""
    if counts_traffic(metric):
        return Measure.CALLS
    kinds = kinds_of_metric(metric, rising=True)
    if Kind.LATENCY in kinds:
        return Measure.LATENCY
    if Kind.ERRORS in kinds or "availability" in metric:
        return Measure.ERRORS
    return Measure.CPU if Kind.CPU in kinds else None


def rank_nodes(
    normal: Sequence[Series], during: Sequence[Series], graph: ServiceGraph, alerting: str, about: Measure
) -> tuple[Blame, ...]:
    """The services that the alerting one depends on, and itself, whoever explains most of the trouble first."""
    calls = {s.service: median(v for _, v in s.points) for s in during if measure_of(s.metric) is Measure.CALLS and s.points}
    rise: dict[str, float] = {}
    usual = {(s.service, s.metric, tuple(s.labels.items())): s for s in normal}
    for s in during:
        before = usual.get((s.service, s.metric, tuple(s.labels.items())))
        if measure_of(s.metric) is about and s.points and before is not None and before.points:
            way = bad_direction(s.metric) or 1
            found = max(way * v for _, v in s.points) - median(way * v for _, v in before.points)
            rise[s.service] = max(found, rise.get(s.service, 0.0))
    scores = {}
    for name in graph.upstreams(alerting, FAR):
        own = calls.get(name, 0.0)
        explained = [rise.get(y, 0.0) * min(1.0, calls.get(y, 0.0) / own) for y in graph.callees(name) if own]
        excess = max(0.0, rise.get(name, 0.0) - max(explained, default=0.0))
        scores[name] = excess * min(1.0, own / calls[alerting]) if calls.get(alerting) else excess
    whole = sum(scores.values())
    ordered = sorted(scores, key=lambda n: (-scores[n], n))
    return tuple(Blame(n, scores[n] / whole if whole else 0.0) for n in ordered)
