"""Who calls whom by service-graph metrics, of any server that speaks Prometheus' API: rates, errors, latency per edge.

Four families are known and found by their names: Tempo's metrics-generator and OpenTelemetry's servicegraph connector
(https://grafana.com/docs/tempo/latest/metrics-generator/service_graphs/), Istio
(https://istio.io/latest/docs/reference/config/metrics/), Linkerd (https://linkerd.io/2/reference/proxy-metrics/), and span
metrics that carry their peer (https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/connector/spanmetricsconnector).
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from bot.domain.payload import Node
from bot.domain.service import Service, spelling
from bot.domain.telemetry import Edge, Readings, SourceStatus, Window
from bot.domain.topology import SeenCall
from bot.errors import BadPayload, BotError
from bot.wire.rest import Rest

NAME = "prometheus service graph"
MOST_EDGES = 300  # of one answer, the busiest first
MOST_POINTS = 120  # of one edge
LOOK_AGAIN = 300.0  # seconds after which it is asked anew which families there are
SMOOTH = 120  # seconds that a rate is taken over, at least: two scrapes a minute apart
LONGEST = 100  # characters of a service's name
_NOBODY = frozenset({"", "unknown", "user", "unknown_service", "BlackHoleCluster", "PassthroughCluster"})
_BETTER = {"source": 0, "waypoint": 1, "destination": 2}  # Istio's reporters: the caller's own first


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics of one kind. `calls` counts; `failed` are matchers of it, or the name of another counter; `latency` in ms × `unit`.

    `caller` and `callee` are labels, the first that says something names the service; one of `outside` names an address.
    """

    title: str
    calls: str
    failed: str
    latency: str  # without _sum and _count
    unit: float  # milliseconds of one
    caller: tuple[str, ...]
    callee: tuple[str, ...]
    where: str = ""
    outside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # one of these labels has to be there for the family to be told apart from its namesakes
    more: tuple[str, ...] = ()  # labels that are read beside

    @property
    def labels(self) -> tuple[str, ...]:
        """Everything that is summed by."""
        return tuple(dict.fromkeys((*self.caller, *self.callee, *self.outside, *self.more)))


def _graph(latency: str, unit: float) -> Family:
    return Family(
        title="service graph",
        calls="traces_service_graph_request_total",
        failed="traces_service_graph_request_failed_total",
        latency=latency,
        unit=unit,
        caller=("client",),
        callee=("server",),
        more=("connection_type",),
    )


def _spans(calls: str, latency: str, unit: float, service: str) -> Family:
    return Family(
        title="span metrics",
        calls=calls,
        failed='status_code="STATUS_CODE_ERROR"',
        latency=latency,
        unit=unit,
        caller=(service,),
        callee=("peer_service",),
        where='span_kind=~"SPAN_KIND_CLIENT|SPAN_KIND_PRODUCER"',
        outside=("server_address", "net_peer_name"),
        needs=("peer_service", "server_address", "net_peer_name"),
    )


FAMILIES: tuple[Family, ...] = (
    _graph("traces_service_graph_request_client_seconds", 1000.0),
    Family(
        title="Istio",
        calls="istio_requests_total",
        failed='response_code=~"5..|0"',
        latency="istio_request_duration_milliseconds",
        unit=1.0,
        caller=("source_canonical_service", "source_workload"),
        callee=("destination_canonical_service", "destination_workload"),
        outside=("destination_service_name",),
        more=("reporter",),
    ),
    Family(
        title="Linkerd",
        calls="response_total",
        failed='classification="failure"',
        latency="response_latency_ms",
        unit=1.0,
        caller=("deployment", "statefulset", "daemonset"),
        callee=("dst_deployment", "dst_statefulset", "dst_daemonset"),
        where='direction="outbound"',
        needs=("dst_deployment", "dst_statefulset", "dst_daemonset"),
    ),
    _spans("traces_spanmetrics_calls_total", "traces_spanmetrics_latency", 1000.0, "service"),
    _spans("traces_span_metrics_calls_total", "traces_span_metrics_duration_milliseconds", 1.0, "service_name"),
    _spans("calls_total", "duration_milliseconds", 1.0, "service_name"),
)


class ServiceGraphMetrics:
    """ports.EvidenceSource and ports.EdgeSource on one server; a server without such metrics answers nothing at all."""

    name = NAME

    def __init__(self, api: Rest, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._known: tuple[float, tuple[Family, ...]] | None = None
        self._described: Callable[[str], Service] = Service

    def catalogued(self, service: Callable[[str], Service]) -> "ServiceGraphMetrics":
        """The same source, which asks for a service under its other names too."""
        told = copy(self)
        told._described = service
        return told

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """The edges from and to these services, one answer per family that is there; a failure is an answer with its reason."""
        if not services:
            return ()
        try:
            families = await self._families(window)
        except BotError as error:
            return (Readings(NAME, "", window, SourceStatus.FAILED, str(error).removeprefix("$: ")[:200]),)
        return tuple(await asyncio.gather(*(self._edges(f, services, window) for f in families)))

    async def seen(self, window: Window) -> tuple[SeenCall, ...]:
        """Every call of the window, whoever called. Raises Unavailable, NotAllowed or BadPayload."""
        over = f"{max(SMOOTH, int((window.end - window.start).total_seconds()))}s"
        found: dict[tuple[str, str], SeenCall] = {}
        for family in await self._families(window):
            queries = queries_of(family, (), over)
            at = {"time": f"{window.end.timestamp():.0f}"}
            answers = await asyncio.gather(*(self._ask("/api/v1/query", {"query": q, **at}) for q in queries))
            for call in _calls_of(family, answers):
                found.setdefault((call.caller, call.callee), call)  # the families come in the order in which they are believed
        return tuple(sorted(found.values(), key=lambda c: (-c.calls, c.caller, c.callee)))[: 10 * MOST_EDGES]

    async def _families(self, window: Window) -> tuple[Family, ...]:
        if self._known is not None and self._clock() - self._known[0] < LOOK_AGAIN:
            return self._known[1]
        asked = [s for f in FAMILIES for s in _signatures(f)]
        since = min(window.start, window.end - timedelta(hours=1))
        span = [("start", f"{since.timestamp():.0f}"), ("end", f"{window.end.timestamp():.0f}")]
        path = "/api/v1/label/__name__/values?" + urlencode([*(("match[]", s) for s in asked), *span])
        names = {n.text() for n in (await self._api.send("GET", path))["data"].items()}
        there = tuple(f for f in FAMILIES if f.calls in names)
        self._known = (self._clock(), there)
        return there

    async def _edges(self, family: Family, services: Sequence[str], window: Window) -> Readings:
        step = max(15, math.ceil((window.end - window.start).total_seconds() / MOST_POINTS))
        named = {spelling(other): s for s in services for other in (s, *self._described(s).aliases)}
        queries = queries_of(family, named, f"{max(SMOOTH, step)}s")
        span = {"start": f"{window.start.timestamp():.0f}", "end": f"{window.end.timestamp():.0f}", "step": str(step)}
        try:
            answers = await asyncio.gather(*(self._ask("/api/v1/query_range", {"query": q, **span}) for q in queries))
            edges = tuple(_over_time(family, answers, timedelta(seconds=step), named))
        except BotError as error:
            return Readings(NAME, queries[0], window, SourceStatus.FAILED, str(error).removeprefix("$: ")[:200])
        status = SourceStatus.OK if edges else SourceStatus.NO_DATA
        return Readings(NAME, queries[0], window, status, "" if edges else "no edge of these services", edges=edges)

    async def _ask(self, path: str, form: Mapping[str, str]) -> Node:
        return (await self._api.send("POST", path, form=form))["data"]["result"]


def queries_of(family: Family, services: Collection[str], over: str) -> tuple[str, str, str]:
    """What is asked for calls, failed calls and mean latency, of edges from and to these services; of all where none is named."""
    by = ", ".join(family.labels)
    named = "|".join(_pattern(s) for s in services)
    labels = (*family.caller, *family.callee) if named else ("",)
    asked = [f'{label}=~"(?i:{named})"' if label else "" for label in labels]

    def rate(metric: str, *more: str) -> str:
        parts = []
        for one in asked:
            inside = ", ".join(m for m in (family.where, *more, one) if m)
            parts.append(f"sum by ({by}) (rate({metric}{{{inside}}}[{over}]))")
        return " or ".join(parts)

    failed = rate(family.failed) if "=" not in family.failed else rate(family.calls, family.failed)
    total, count = rate(f"{family.latency}_sum"), rate(f"{family.latency}_count")
    return rate(family.calls), failed, f"({total}) / ({count})"


def _signatures(family: Family) -> Iterator[str]:
    if not family.needs:
        yield family.calls
    for label in family.needs:
        yield f'{family.calls}{{{label}!=""}}'


def _pattern(service: str) -> str:
    """A service's name in any of its spellings, inside a quoted PromQL regular expression."""
    parts = [re.escape(part).replace("\\", "\\\\").replace('"', '\\"') for part in re.split(r"[-_. ]", service[:LONGEST])]
    return "[-_. ]".join(parts).replace("\n", " ")


def _ends(family: Family, labels: Mapping[str, str]) -> tuple[str, str, bool] | None:
    """Caller, callee and whether the callee is outside; None if one of them is nobody, or both are one."""
    caller = next((v for name in family.caller if (v := labels.get(name, "")) not in _NOBODY), "")
    callee = next((v for name in family.callee if (v := labels.get(name, "")) not in _NOBODY), "")
    outside = labels.get("connection_type", "") in ("database", "virtual_node")
    if not callee:
        callee = next((v for name in family.outside if (v := labels.get(name, "")) not in _NOBODY), "")
        outside = True
    caller, callee = " ".join(caller.split())[:LONGEST], " ".join(callee.split())[:LONGEST]
    return (caller, callee, outside) if caller and callee and caller != callee else None


def _rows(family: Family, answer: Node) -> Iterator[tuple[tuple[str, str, bool], int, Node]]:
    """Each row's edge, how much its reporter is believed, and the row itself."""
    for row in answer.items():
        labels = row["metric"].texts()
        ends = _ends(family, labels)
        if ends is not None:
            yield ends, _BETTER.get(labels.get("reporter", ""), 0), row


def _number(value: object, path: str) -> tuple[float, float]:
    try:
        at, number = (float(part) for part in value)  # type: ignore[attr-defined]  # what is no list raises, as a wrong one does
        return at, number
    except (TypeError, ValueError):
        raise BadPayload("is not [time, value]", path=path) from None


def _calls_of(family: Family, answers: Sequence[Node]) -> Iterator[SeenCall]:
    """The calls of instant answers: counts, failures, latency."""
    numbers: dict[tuple[str, str, bool], dict[int, list[float]]] = {}
    for place, answer in enumerate(answers):
        for ends, rank, row in _rows(family, answer):
            _, number = _number(row["value"].value, row.path)
            if math.isfinite(number):
                _put(numbers.setdefault(ends, {}).setdefault(rank, [0.0, 0.0, 0.0]), place, number)
    for (caller, callee, outside), ranked in numbers.items():
        calls, errors, latency = ranked[min(ranked)]
        if calls > 0:
            yield SeenCall(caller, callee, calls, min(errors, calls), latency * family.unit, outside)


def _over_time(family: Family, answers: Sequence[Node], step: timedelta, asked: Mapping[str, str]) -> Iterable[Edge]:
    """The edges of range answers, each service by its name of those asked for, the busiest edges if there are too many."""
    points: dict[tuple[str, str], dict[int, dict[float, list[float]]]] = {}
    for place, answer in enumerate(answers):
        for (caller, callee, _), rank, row in _rows(family, answer):
            ends = (asked.get(spelling(caller), caller), asked.get(spelling(callee), callee))
            line = points.setdefault(ends, {}).setdefault(rank, {})
            for value in row["values"].items():
                at, number = _number(value.value, value.path)
                if math.isfinite(number):
                    _put(line.setdefault(at, [0.0, 0.0, 0.0]), place, number)
    best = {ends: ranked[min(ranked)] for ends, ranked in points.items()}
    busiest = sorted(best, key=lambda e: (-sum(n[0] for n in best[e].values()), e))[:MOST_EDGES]
    for caller, callee in busiest:
        for at, (calls, errors, latency) in sorted(best[caller, callee].items()):
            begins = datetime.fromtimestamp(at, UTC) - step
            yield Edge(begins, caller, callee, calls, min(errors, calls), latency * family.unit)


def _put(numbers: list[float], place: int, number: float) -> None:
    """Counts of several rows of one edge add up; of latencies the worst counts."""
    numbers[place] = max(numbers[place], number) if place == 2 else numbers[place] + number
