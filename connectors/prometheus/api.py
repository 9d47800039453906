"""Prometheus' HTTP API as far as evidence needs it: ranges of a query, and which series there are.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/. Mimir, Thanos and VictoriaMetrics answer alike; Mimir
wants a tenant in the header X-Scope-OrgID.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import urlencode

import httpx

from bot.domain.payload import Node
from bot.domain.telemetry import Series, Window
from bot.errors import BadPayload
from bot.wire.rest import Rest
from connectors.prometheus.settings import PrometheusSettings

MOST_POINTS = 720
MOST_BYTES = 20_000_000
MOST_FOUND = 20_000  # series of one look at what there is
_LEFT_OUT = re.compile(r"_(?:bucket|created)$|^(?:go|python|scrape|promhttp)_|^up$")
_COUNTER = re.compile(r"_(?:total|count|sum)$")
Points = list[tuple[datetime, float]]


def rest_of(settings: PrometheusSettings, transport: httpx.AsyncBaseTransport | None = None) -> Rest:
    """The way to one Prometheus, with what proves who asks."""
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
    if settings.tenant:
        headers["X-Scope-OrgID"] = settings.tenant
    return Rest(
        "Prometheus",
        settings.url,
        headers,
        auth=settings.auth,
        timeout=settings.timeout_seconds,
        most_bytes=MOST_BYTES,
        quotes=True,
        transport=transport,
    )


class PrometheusApi:
    """One Prometheus. Every method raises Unavailable, NotAllowed, NotFound or BadPayload."""

    def __init__(self, settings: PrometheusSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._rest = rest_of(settings, transport)

    async def range(self, query: str, window: Window, step: float, most: int) -> Node:
        """The answer to a range query, of about `most` series where this Prometheus knows limits."""
        form = {
            "query": query,
            "start": f"{window.start.timestamp():.3f}",
            "end": f"{window.end.timestamp():.3f}",
            "step": f"{step:g}",
            "timeout": f"{self._settings.timeout_seconds:g}s",
            "limit": str(most),
        }
        return await self._rest.send("POST", "/api/v1/query_range", form=form)

    async def series(self, selectors: Sequence[str], window: Window) -> list[Mapping[str, str]]:
        """The labels of the series that fit one of the selectors and have samples in the window."""
        form: dict[str, str | Sequence[str]] = {
            "match[]": list(selectors),
            "start": f"{window.start.timestamp():.3f}",
            "end": f"{window.end.timestamp():.3f}",
            "limit": str(MOST_FOUND),
        }
        answer = await self._rest.send("POST", "/api/v1/series", form=form)
        return [row.texts() for row, _ in zip(answer["data"].items(), range(MOST_FOUND), strict=False)]

    def page(self, query: str, window: Window) -> str:
        """Where people see the same query drawn; "" unless the settings say where its pages are."""
        if not self._settings.link:
            return ""
        minutes = max(1, math.ceil((window.end - window.start).total_seconds() / 60))
        shown = {
            "g0.expr": query,
            "g0.tab": "0",
            "g0.range_input": f"{minutes}m",
            "g0.end_input": f"{window.end:%Y-%m-%d %H:%M:%S}",
        }
        return f"{self._settings.link.rstrip('/')}/graph?{urlencode(shown)}"


def step_seconds(window: Window) -> float:
    """The time between points: at least one second, at most 720 points in the window."""
    return float(max(1, math.ceil((window.end - window.start).total_seconds() / (MOST_POINTS - 1))))


def quoted(value: str) -> str:
    """A value as it stands between double quotes in PromQL."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def series_of(rows: Sequence[tuple[Mapping[str, str], Points]], service: str) -> tuple[Series, ...]:
    """The series that a selector found; histogram buckets are left out, counters become rates."""
    found = []
    for labels, values in rows:
        metric = labels.get("__name__", "value")
        if _LEFT_OUT.search(metric):
            continue
        points = values
        if _COUNTER.search(metric):
            metric, points = f"{metric}_per_second", rates(points)
        kept = {k: v for k, v in labels.items() if k not in ("service", "__name__")}
        if points:
            found.append(Series(labels.get("service", service), metric, tuple(points), kept))
    return tuple(sorted(found, key=lambda s: ("instance" in s.labels, s.metric, sorted(s.labels.items()))))


def rows_of(answer: Node) -> list[tuple[dict[str, str], Points]]:
    """The labels and the finite points of each series of an answer. Raises BadPayload naming the path."""
    times: dict[float, datetime] = {}  # the series of an answer have the same
    return [(row["metric"].object().texts(), _points(row["values"], times)) for row in answer["data"]["result"].items()]


def _points(values: Node, times: dict[float, datetime]) -> Points:
    found: Points = []
    if not isinstance(values.value, list):
        raise BadPayload("is not a list of [time, value]", path=values.path)
    try:
        for at, told in values.value[:MOST_POINTS]:
            number = float(told)
            if math.isfinite(number):
                if at not in times:
                    times[at] = datetime.fromtimestamp(float(at), UTC)
                found.append((times[at], number))
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise BadPayload("is not a list of [time, value]", path=values.path) from error
    return found


def rates(points: Sequence[tuple[datetime, float]]) -> Points:
    """A counter's growth per second between its points; a counter that fell began again at zero."""
    found = []
    for (before, a), (at, b) in pairwise(points):
        seconds = (at - before).total_seconds()
        if seconds > 0:
            found.append((at, (b - a if b >= a else b) / seconds))
    return found
