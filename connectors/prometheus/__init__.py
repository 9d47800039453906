"""Prometheus and what speaks its HTTP API (Mimir, Thanos, VictoriaMetrics): numbers of services, read-only.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

import asyncio
import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.errors import BadPayload
from bot.ports import Connector, EvidenceSource, QueryProbe
from connectors.prometheus.probe import PrometheusProbe

NAME = "prometheus"
MOST_POINTS = 720
MOST_BYTES = 20_000_000
_LEFT_OUT = re.compile(r"_(?:bucket|created)$|^(?:go|python|scrape|promhttp)_|^up$")
_COUNTER = re.compile(r"_(?:total|count|sum)$")


class PrometheusSettings(BaseModel):
    """Where Prometheus is and how a service is selected; `{service}` in the selector is the service's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = None
    selector: str = '{{service="{service}"}}'
    timeout_seconds: float = Field(4.0, gt=0)
    max_series: int = Field(300, gt=0)

    @field_validator("selector")
    @classmethod
    def _names_the_service(cls, value: str) -> str:
        if "{service}" not in value:
            raise ValueError('has to hold {service}, such as {{app="{service}"}}')
        try:
            value.format(service="x")
        except (KeyError, IndexError, ValueError):
            raise ValueError("braces of the query are doubled: {{...}}; only {service} is filled in") from None
        return value


class Prometheus:
    """Series per service over a window, at most 720 points each; counters become rates per second."""

    name = NAME

    def __init__(self, settings: PrometheusSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        own = self._settings
        headers = {"Authorization": f"Bearer {own.token.get_secret_value()}"} if own.token else {}
        async with httpx.AsyncClient(
            base_url=own.url.rstrip("/"), headers=headers, timeout=own.timeout_seconds, transport=self._transport, trust_env=False
        ) as client:
            return tuple(await asyncio.gather(*(self._service(client, s, window) for s in services)))

    async def _service(self, client: httpx.AsyncClient, service: str, window: Window) -> Readings:
        query = self._settings.selector.format(service=_quoted(service))
        try:
            series = await self._ask(client, service, query, window)
        except httpx.TimeoutException:
            return _failed(query, window, f"did not answer within {self._settings.timeout_seconds:g} s")
        except httpx.HTTPError as error:
            return _failed(query, window, f"cannot be reached: {type(error).__name__}")
        except BadPayload as error:
            return _failed(query, window, str(error))
        status = SourceStatus.OK if series else SourceStatus.NO_DATA
        return Readings(NAME, query, window, status, "" if series else "no series match", series=series)

    async def _ask(self, client: httpx.AsyncClient, service: str, query: str, window: Window) -> tuple[Series, ...]:
        step = step_seconds(window)
        form = {
            "query": query,
            "start": f"{window.start.timestamp():.3f}",
            "end": f"{window.end.timestamp():.3f}",
            "step": f"{step:g}",
            "timeout": f"{self._settings.timeout_seconds:g}s",
        }
        response = await client.post("/api/v1/query_range", data=form)
        if len(response.content) > MOST_BYTES:
            raise BadPayload("the answer is larger than 20 MB; narrow the selector")
        if response.status_code != 200:
            raise BadPayload(f"answered {response.status_code}: {response.text[:150]}")
        return series_of(response.content, service)[: self._settings.max_series]


def step_seconds(window: Window) -> float:
    """The time between points: at least one second, at most 720 points in the window."""
    return float(max(1, math.ceil((window.end - window.start).total_seconds() / (MOST_POINTS - 1))))


def series_of(body: bytes, service: str) -> tuple[Series, ...]:
    """The series of an answer; histogram buckets are left out. Raises BadPayload naming the path."""
    found = []
    for n, row in enumerate(_rows(body)):
        labels, values = row.get("metric"), row.get("values")
        if not isinstance(labels, dict) or not isinstance(values, list):
            raise BadPayload("needs the objects metric and values", path=f"$.data.result[{n}]")
        metric = str(labels.get("__name__", "value"))
        if _LEFT_OUT.search(metric):
            continue
        points = _points(values, f"$.data.result[{n}].values")
        if _COUNTER.search(metric):
            metric, points = f"{metric}_per_second", rates(points)
        kept = {str(k): str(v) for k, v in labels.items() if k not in ("service", "__name__")}
        if points:
            found.append(Series(str(labels.get("service", service)), metric, tuple(points), kept))
    return tuple(sorted(found, key=lambda s: ("instance" in s.labels, s.metric, sorted(s.labels.items()))))


def _rows(body: bytes) -> list[dict[str, object]]:
    try:
        data = json.loads(body)
        rows = data["data"]["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadPayload("is not an answer of the range query API", path="$.data.result") from error
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise BadPayload("is not a list of series", path="$.data.result")
    return rows


def _points(values: list[object], path: str) -> list[tuple[datetime, float]]:
    found = []
    for value in values[:MOST_POINTS]:
        if not isinstance(value, list) or len(value) != 2:
            raise BadPayload("is not a list of [time, value]", path=path)
        try:
            at, number = datetime.fromtimestamp(float(value[0]), UTC), float(value[1])
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise BadPayload("is not a list of [time, value]", path=path) from error
        if math.isfinite(number):
            found.append((at, number))
    return found


def rates(points: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """A counter's growth per second between its points; a counter that fell began again at zero."""
    found = []
    for (before, a), (at, b) in pairwise(points):
        seconds = (at - before).total_seconds()
        if seconds > 0:
            found.append((at, (b - a if b >= a else b) / seconds))
    return found


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _failed(query: str, window: Window, reason: str) -> Readings:
    return Readings(NAME, query, window, SourceStatus.FAILED, f"Prometheus {reason}")


def _source(settings: BaseModel) -> EvidenceSource | None:
    return Prometheus(settings) if isinstance(settings, PrometheusSettings) and settings.url else None


def _probe(settings: BaseModel) -> QueryProbe | None:
    if not isinstance(settings, PrometheusSettings) or not settings.url:
        return None
    return PrometheusProbe(settings.url, settings.token.get_secret_value() if settings.token else "")


CONNECTOR = Connector(
    name=NAME,
    title="Prometheus",
    settings=PrometheusSettings,
    help='url of the HTTP API; token if it asks for one; selector says how a service is found, such as {{app="{service}"}}',
    evidence=_source,
    probe=_probe,
)
