"""Datadog's metrics as evidence, read-only: what traces, containers, hosts and runtimes of a service report.

Formats: https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points and .../#get-active-metrics-list; names:
https://docs.datadoghq.com/tracing/metrics/metrics_namespace/, https://docs.datadoghq.com/containers/kubernetes/data_collected/.
"""

import asyncio
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import Field, SecretStr, field_validator

from bot.domain.payload import Node
from bot.domain.service import Service
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.errors import BadPayload, BotError
from bot.ports import EvidenceSource, WebhookSettings
from bot.wire.rest import Rest
from connectors.datadog.webhook import NAME

MOST_BYTES = 10_000_000
MOST_POINTS = 720
MOST_NAMES = 20_000  # active metrics that are looked through
MOST_KEPT = 500  # services whose metrics are remembered
AT_ONCE = 4  # Datadog counts requests by the hour
LOOK_AGAIN = 300.0  # seconds after which it is asked anew which metrics there are
LOOK_BACK = timedelta(hours=1)
_SITE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_HITS = re.compile(r"trace\.([\w.]{1,100})\.hits")
# Operations by which a service is entered, the most telling first; others of a service are its own calls.
_ENTRIES = re.compile(
    r"(?:grpc\.server(?:\.request)?|(?:web|http|servlet|spring|django|flask|fastapi|express|koa|rack|rails|laravel|gin|echo|aspnet(?:_core)?"
    r"|netty|undertow|play|vertx|tornado|pylons|sinatra|http\.server)\.request)"
)


class DatadogSettings(WebhookSettings):
    """For evidence: both keys, the site ("datadoghq.eu") and the tag that names a service."""

    api_key: SecretStr | None = None
    app_key: SecretStr | None = None
    site: str = "datadoghq.com"
    tag: str = Field("service", pattern=r"^[a-z][a-z0-9_./-]{0,99}$")
    timeout_seconds: float = Field(4.0, gt=0)
    max_series: int = Field(100, gt=0, le=1000)

    @field_validator("site")
    @classmethod
    def _is_a_host(cls, site: str) -> str:
        if not _SITE.fullmatch(site):
            raise ValueError('is the site\'s name alone, such as "datadoghq.eu" or "us5.datadoghq.com"')
        return site


@dataclass(frozen=True, slots=True)
class Signal:
    """One expression: what its answer is called here, and the metric that has to be there."""

    metric: str
    needs: str
    expression: str  # {in} stands for the tags


def _usual(metric: str, needs: str, expression: str = "") -> Signal:
    return Signal(metric, needs, expression or f"max:{needs}{{in}}")


_LOOP = "runtime.node.event_loop.delay.max"  # nanoseconds
USUAL = (
    _usual("container_cpu_cores", "container.cpu.usage", "sum:container.cpu.usage{in} / 1000000000"),
    _usual("container_cpu_cores", "kubernetes.cpu.usage.total", "sum:kubernetes.cpu.usage.total{in} / 1000000000"),
    _usual("container_memory_bytes", "container.memory.usage"),
    _usual("container_memory_bytes", "kubernetes.memory.usage"),
    _usual("container_memory_used_ratio", "kubernetes.memory.usage_pct"),
    _usual("container_cpu_throttled_periods_per_second", "container.cpu.throttled.periods"),
    _usual("container_restarts", "kubernetes.containers.restarts", "sum:kubernetes.containers.restarts{in}"),
    _usual("host_cpu_used_ratio", "system.cpu.idle", "1 - avg:system.cpu.idle{in} / 100"),
    _usual("host_memory_used_ratio", "system.mem.pct_usable", "1 - min:system.mem.pct_usable{in}"),
    _usual("host_disk_used_ratio", "system.disk.in_use"),
    _usual("jvm_heap_used_ratio", "jvm.heap_memory", "max:jvm.heap_memory{in} / max:jvm.heap_memory_max{in}"),
    _usual("process_memory_bytes", "runtime.python.mem.rss"),
    _usual("process_memory_bytes", "runtime.node.mem.rss"),
    _usual("event_loop_lag_seconds", _LOOP, f"max:{_LOOP}{{in}} / 1000000000"),
    _usual("db_connections_used_ratio", "postgresql.percent_usage_connections"),
    _usual("certificate_remaining_days", "http.ssl.days_left", "min:http.ssl.days_left{in}"),
    _usual("queue_consumer_lag", "kafka.consumer_lag", "sum:kafka.consumer_lag{in}"),
)


def signals(active: Collection[str]) -> list[Signal]:
    """What is asked of a service that reports these metrics."""
    found = {signal.metric: signal for signal in reversed(USUAL) if signal.needs in active}
    operations = sorted({match[1] for name in active if (match := _HITS.fullmatch(name)) and _ENTRIES.fullmatch(match[1])})
    for operation in operations:
        what = "rpc_request" if "grpc" in operation else "http_request"
        if f"{what}s_per_second" not in found:
            found |= {signal.metric: signal for signal in _entry(operation, what)}
    return list(found.values())


def _entry(operation: str, what: str) -> Iterator[Signal]:
    hits, errors, base = f"trace.{operation}.hits", f"trace.{operation}.errors", f"trace.{operation}"
    yield Signal(f"{what}s_per_second", hits, f"sum:{hits}{{in}}.as_rate()")
    yield Signal(f"{what}_error_ratio", hits, f"default_zero(sum:{errors}{{in}}.as_count()) / sum:{hits}{{in}}.as_count()")
    yield Signal(f"{what}_latency_p50_seconds", hits, f"p50:{base}{{in}}")
    yield Signal(f"{what}_latency_p99_seconds", hits, f"p99:{base}{{in}}")


class DatadogMetrics:
    """Golden signals per service over a window; Datadog itself bounds the points of an answer to some hundred."""

    name = NAME
    numbers = True

    def __init__(
        self,
        settings: DatadogSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        service: Callable[[str], Service] = Service,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._service = service
        self._ticks = ticks
        keys = {"DD-API-KEY": settings.api_key, "DD-APPLICATION-KEY": settings.app_key}
        self._rest = Rest(
            "Datadog",
            f"https://api.{settings.site}",
            {name: key.get_secret_value() for name, key in keys.items() if key},
            timeout=settings.timeout_seconds,
            most_bytes=MOST_BYTES,
            quotes=True,
            transport=transport,
        )
        self._active: dict[str, tuple[float, frozenset[str]]] = {}

    def catalogued(self, service: Callable[[str], Service]) -> EvidenceSource:
        """The same source, told the tags of services."""
        return DatadogMetrics(self._settings, self._transport, service, self._ticks)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(service: str) -> Readings:
            async with turn:
                return await self._of(service, window)

        return tuple(await asyncio.gather(*(one(service) for service in services)))

    async def _of(self, service: str, window: Window) -> Readings:
        tags = self._service(service).metrics.datadog or (f"{self._settings.tag}:{tag_value(service)}",)
        query = f"metrics with {' AND '.join(tags)}"
        try:
            asked = signals(await self._metrics(tags, window))
            if not asked:
                reason = "no trace, container, host or runtime metric carries these tags"
                return Readings(NAME, query, window, SourceStatus.NO_DATA, reason)
            query = ", ".join(signal.expression.replace("{in}", f"{{{','.join(tags)}}}") for signal in asked)
            span = {"from": f"{window.start.timestamp():.0f}", "to": f"{window.end.timestamp():.0f}"}
            answer = await self._rest.get("/api/v1/query", **span, query=query)
            series = series_of(answer, service, asked)[: self._settings.max_series]
        except BotError as error:
            return Readings(NAME, query, window, SourceStatus.FAILED, str(error).removeprefix("$: ")[:300])
        status = SourceStatus.OK if series else SourceStatus.NO_DATA
        return Readings(NAME, query, window, status, "" if series else "no points in this window", series=series)

    async def _metrics(self, tags: Sequence[str], window: Window) -> frozenset[str]:
        """The names of the metrics that carry these tags; asked again after some minutes."""
        wanted = " AND ".join(tags)
        until, known = self._active.get(wanted, (0.0, frozenset()))
        if until > self._ticks():
            return known
        since = min(window.start, window.end - LOOK_BACK)
        answer = await self._rest.get("/api/v1/metrics", **{"from": f"{since.timestamp():.0f}", "tag_filter": wanted})
        names = answer["metrics"].items()
        found = frozenset(name.text()[:200] for name, _ in zip(names, range(MOST_NAMES), strict=False))
        if len(self._active) >= MOST_KEPT:
            self._active.clear()
        self._active[wanted] = (self._ticks() + LOOK_AGAIN, found)
        return found


def tag_value(name: str) -> str:
    """A name as Datadog writes the values of tags: https://docs.datadoghq.com/getting_started/tagging/#define-tags."""
    return re.sub(r"[^\w./:-]+", "_", name.lower()).strip("_")[:190] or "none"


def series_of(answer: Node, service: str, asked: Sequence[Signal]) -> tuple[Series, ...]:
    """The series of an answer, called as they were asked for. Raises BadPayload where Datadog says or sends something else."""
    if answer["status"].text() == "error":
        raise BadPayload(f"Datadog could not answer: {answer['error'].text()[:150]}")
    found = []
    for row in answer["series"].items():
        number = row["query_index"].value
        if not isinstance(number, int) or not 0 <= number < len(asked):
            raise BadPayload("says for no expression that it is its answer", path=f"{row.path}.query_index")
        points = tuple(_points(row["pointlist"]))
        if points:
            found.append(Series(service, asked[number].metric, points))
    return tuple(found)


def _points(points: Node) -> Iterator[tuple[datetime, float]]:
    """Times in milliseconds; a null is a gap."""
    for point, _ in zip(points.items(), range(MOST_POINTS), strict=False):
        pair = point.value
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], int | float):
            raise BadPayload("is no [time, value]", path=point.path)
        if isinstance(pair[1], int | float):
            try:
                yield datetime.fromtimestamp(pair[0] / 1000, UTC), float(pair[1])
            except (ValueError, OverflowError, OSError):
                raise BadPayload("is no time", path=point.path) from None
