"""The ranking of services for a case, and how it is said: how far one rose, and how much of that its callees explain."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.evidence import EvidenceKind
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Edge, Series
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.nodes.measures import Measure, statistic_of
from bot.investigation.nodes.ranking import Blame, rank_nodes
from bot.investigation.nodes.rises import Rise, see
from bot.investigation.vocabulary import Kind, kinds_of_text
from bot.signals.direction import words
from bot.signals.figures import figure, name_of

CLEAR = 0.5  # of all blame makes somebody the first
AHEAD = 2.0  # times as much as the next one
WORTH_SAYING = 0.15  # of all blame
LOUD = 3.0  # wobbles of a rise that is worth saying
MOST_SAID = 2
_ABOUT = (
    (Measure.CPU, frozenset({Kind.CPU})),
    (Measure.LATENCY, frozenset({Kind.LATENCY, Kind.TIMEOUT})),
    (Measure.ERRORS, frozenset({Kind.ERRORS})),
)


def blames_of(case: Case, begins: datetime, graph: ServiceGraph) -> tuple[Blame, ...]:
    """Whose own the trouble is that began then, most of it first; empty where nothing was measured before and during it."""
    series, edges = case.series, case.edges
    before, during = _until(series, begins), _since(series, begins)
    said = " ".join(f"{a.name} {a.summary} {a.labels.get('metric', '')}" for a in case.alerts)
    sight = see(before, during, _edges(edges, begins, late=False), _edges(edges, begins, late=True), statistic_of(words(said)))
    return tuple(b for b in rank_nodes(sight, graph, case.services, _about(said)) if b.score)


def clear_first(blames: Sequence[Blame], never: Collection[str] = ()) -> str:
    """The service that made most of the trouble, if it stands out among all; else "". Never one of `never`."""
    if not blames or blames[0].service in never or blames[0].score < CLEAR:
        return ""
    return blames[0].service if len(blames) == 1 or blames[0].score >= AHEAD * blames[1].score else ""


def say_blames(blames: Sequence[Blame], exhibits: Exhibits) -> None:
    """Adds the exhibits that say whose own the trouble is: conclusions, which a model contradicts no measurement with."""
    worth = [b for b in blames if b.score >= WORTH_SAYING and b.rise is not None and b.rise.loudness >= LOUD]
    for blame in worth[:MOST_SAID]:
        exhibits.cite(EvidenceKind.TOPOLOGY, sentence(blame), "metrics and the call graph", service=blame.service)


def sentence(blame: Blame) -> str:
    """A blame in words: "payments: p99 rose by 240 ms, its callees explain 12 ms of it"."""
    rise = blame.rise
    if rise is None:
        return f"{blame.service}: nothing of the trouble is its own"
    by, explained = _amount(max(rise.above), rise), _amount(blame.explained, rise)
    who = "the growth of its calls explains" if rise.measure is Measure.CPU else "its callees explain"
    rest = f"{who} {explained} of it" if blame.explained > 0 else f"{who} nothing of it"
    return f"{blame.service}: {name_of(rise.metric)} {'fell' if rise.inverted else 'rose'} by {by}, {rest}"


def _amount(value: float, rise: Rise) -> str:
    if rise.share:
        return f"{figure(100 * value, '')} points"
    return f"{figure(value, '')} {rise.unit}".strip()


def _about(said: str) -> Measure | None:
    kinds = kinds_of_text(said)
    return next((measure for measure, wanted in _ABOUT if kinds & wanted), None)


def _until(series: Sequence[Series], begins: datetime) -> tuple[Series, ...]:
    return tuple(replace(s, points=tuple(p for p in s.points if p[0] < begins)) for s in series)


def _since(series: Sequence[Series], begins: datetime) -> tuple[Series, ...]:
    return tuple(replace(s, points=tuple(p for p in s.points if p[0] >= begins)) for s in series)


def _edges(edges: Sequence[Edge], begins: datetime, *, late: bool) -> tuple[Edge, ...]:
    return tuple(e for e in edges if (e.at >= begins) is late)
