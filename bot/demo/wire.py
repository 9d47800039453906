"""The telemetry in documented wire formats: Prometheus' HTTP API and Loki's query_range.

Shapes: https://prometheus.io/docs/prometheus/latest/querying/api/ and https://grafana.com/docs/loki/latest/reference/loki-http-api/.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.demo.query import BadQuery, parse_duration, parse_selector, parse_time
from bot.demo.series import Key, Labels
from bot.demo.telemetry import Archive, LogLine

LOOKBACK_SECONDS = 5.0
MOST_POINTS = 11_000
DEFAULT_LINES = 100
MOST_LINES = 5_000


class Wire:
    """Read-only HTTP doors to one Archive."""

    def __init__(self, telemetry: Archive) -> None:
        self._telemetry = telemetry

    def routes(self) -> list[web.RouteDef]:
        """Every path, for GET and, where Prometheus allows it, form POST."""
        paths = {
            "/api/v1/query_range": self.query_range,
            "/api/v1/query": self.query,
            "/api/v1/series": self.series,
            "/api/v1/label/__name__/values": self.names,
        }
        doors = [route for path, door in paths.items() for route in (web.get(path, door), web.post(path, door))]
        return [*doors, web.get("/loki/api/v1/query_range", self.loki), web.get("/-/healthy", self.healthy)]

    async def healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="Prometheus Server is Healthy.\n")

    async def query_range(self, request: web.Request) -> web.Response:
        return await _answer(request, self._range)

    async def query(self, request: web.Request) -> web.Response:
        return await _answer(request, self._instant)

    async def series(self, request: web.Request) -> web.Response:
        return await _answer(request, self._series)

    async def names(self, request: web.Request) -> web.Response:
        return await _answer(request, lambda _: sorted({name for name, _ in self._telemetry.series}))

    async def loki(self, request: web.Request) -> web.Response:
        return await _answer(request, self._streams)

    def _range(self, given: Mapping[str, str]) -> dict[str, Any]:
        start, end = parse_time(_need(given, "start")), parse_time(_need(given, "end"))
        step = parse_duration(_need(given, "step"))
        if end < start:
            raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            raise BadQuery('invalid parameter "step": zero or negative query resolution step widths are not accepted')
        if (end - start) / step > MOST_POINTS:
            raise BadQuery("exceeded maximum resolution of 11,000 points per timeseries")
        times = [start + step * n for n in range(int((end - start) / step) + 1)]
        result = []
        for key, series in self._select(_need(given, "query")):
            values = [(at, series.last(at, LOOKBACK_SECONDS)) for at in times]
            points = [[at, _number(value)] for at, value in values if value is not None]
            if points:
                result.append({"metric": _metric(key), "values": points})
        return {"resultType": "matrix", "result": result}

    def _instant(self, given: Mapping[str, str]) -> dict[str, Any]:
        newest = max((series.times[-1] for series in self._telemetry.series.values()), default=0.0)
        at = parse_time(given["time"]) if "time" in given else newest
        found = [(key, series.last(at, LOOKBACK_SECONDS)) for key, series in self._select(_need(given, "query"))]
        result = [{"metric": _metric(key), "value": [at, _number(value)]} for key, value in found if value is not None]
        return {"resultType": "vector", "result": result}

    def _series(self, given: Mapping[str, str]) -> list[dict[str, str]]:
        return [_metric(key) for key, _ in self._select(_need(given, "match[]"))]

    def _select(self, query: str) -> list[tuple[Key, Any]]:
        selector = parse_selector(query)
        return list(self._telemetry.select(selector.matches, selector.name))

    def _streams(self, given: Mapping[str, str]) -> dict[str, Any]:
        selector = parse_selector(_need(given, "query"))
        if selector.name is not None:
            raise BadQuery("parse error: a log query begins with a stream selector in braces")
        limit = min(int(parse_duration(given.get("limit", str(DEFAULT_LINES)))), MOST_LINES)
        newest = max((line.at for line in self._telemetry.logs), default=0)
        end = _nanoseconds(given["end"]) if "end" in given else newest + 1
        start = _nanoseconds(given["start"]) if "start" in given else end - 3600 * 10**9
        backward = given.get("direction", "backward") == "backward"
        chosen = [line for line in self._telemetry.logs if start <= line.at < end and selector.matches(_stream(line))]
        chosen.sort(key=lambda line: line.at, reverse=backward)
        streams: dict[Labels, list[list[str]]] = {}
        for line in chosen[:limit]:
            streams.setdefault(_stream(line), []).append([str(line.at), line.text])
        result = [{"stream": dict(labels), "values": values} for labels, values in streams.items()]
        return {"resultType": "streams", "result": result, "stats": {}}


async def _answer(request: web.Request, ask: Any) -> web.Response:
    form = await request.post() if request.method == "POST" else {}
    given = {**{k: v for k, v in form.items() if isinstance(v, str)}, **request.query}
    try:
        return web.json_response({"status": "success", "data": ask(given)})
    except BadQuery as error:
        refusal = {"status": "error", "errorType": "bad_data", "error": str(error)}
        return web.json_response(refusal, status=400)


def _need(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise BadQuery(f'invalid parameter "{name}": it is missing')
    return given[name]


def _metric(key: Key) -> dict[str, str]:
    return {"__name__": key[0], **dict(key[1])}


def _stream(line: LogLine) -> Labels:
    return (("service", line.service), ("level", line.level), ("instance", line.instance))


def _nanoseconds(text: str) -> int:
    """Loki takes nanoseconds, seconds or RFC 3339."""
    if text.isdigit() and len(text) > 12:
        return int(text)
    return int(parse_time(text) * 1e9)


def _number(value: float) -> str:
    return f"{value:.6g}"
