"""Jaeger: traces of services as evidence, and who depends on whom; read-only.

Format: https://www.jaegertracing.io/docs/latest/architecture/apis/ (/api/traces, /api/dependencies).
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.payload import Node
from bot.domain.telemetry import Readings, SourceStatus, Span, Window
from bot.domain.topology import SeenCall
from bot.domain.traces import TraceHead, capped, pick
from bot.errors import BadPayload, BotError
from bot.ports import Connector, EdgeSource, EvidenceSource
from bot.wire.rest import Rest

NAME = "jaeger"
FOUND = 20  # traces of one search
MOST_SERVICES = 8  # are asked about: those that alert come first
FAILED, SLOW, USUAL = 3, 2, 2  # traces of each service that are read
MOST_SPANS = 2_000
MOST_BYTES = 10_000_000
DAY = timedelta(days=1)  # dependencies are counted by jobs that may run once a day


class JaegerSettings(BaseModel):
    """Where Jaeger's query service is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    timeout_seconds: float = Field(4.0, gt=0)


class Jaeger:
    """One Jaeger: traces as evidence, dependencies as edges."""

    name = NAME

    def __init__(self, settings: JaegerSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
        password = settings.password.get_secret_value() if settings.password else ""
        self._api = Rest(
            "Jaeger",
            settings.url,
            headers,
            auth=(settings.username, password) if settings.username else None,
            timeout=settings.timeout_seconds,
            most_bytes=MOST_BYTES,
            transport=transport,
        )

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, of the first eight; a failure is an answer with its reason."""
        return tuple(await asyncio.gather(*(self._service(service, window) for service in services[:MOST_SERVICES])))

    async def seen(self, window: Window) -> tuple[SeenCall, ...]:
        """The dependencies of the last day. Raises Unavailable, NotAllowed or BadPayload."""
        end, back = int(window.end.timestamp() * 1000), int(DAY.total_seconds() * 1000)
        answer = await self._api.get("/api/dependencies", endTs=str(end), lookback=str(back))
        return tuple(
            SeenCall(one["parent"].text(), one["child"].text(), _number(one["callCount"]) / DAY.total_seconds())
            for one in answer["data"].items()
        )

    async def _service(self, service: str, window: Window) -> Readings:
        query = f"traces of {service[:100]}, those with error=true first"
        try:
            bad, plain = await asyncio.gather(self._search(service, window, {"error": "true"}), self._search(service, window, {}))
        except BotError as error:
            return Readings(NAME, query, window, SourceStatus.FAILED, str(error)[:300])
        traces = {**plain, **bad}
        heads = [TraceHead(id, _length(spans), id in bad or any(s.failed for s in spans)) for id, spans in traces.items()]
        picked = pick(heads, failed=FAILED, slow=SLOW, usual=USUAL)
        spans = tuple(span for id in picked.all for span in traces[id])[:MOST_SPANS]
        if not spans:
            return Readings(NAME, query, window, SourceStatus.NO_DATA, "no trace goes through this service")
        told = f"{len(picked.failed)} failed, {len(picked.slow)} slow and {len(picked.usual)} usual traces"
        return Readings(NAME, query, window, SourceStatus.OK, told, spans=spans)

    async def _search(self, service: str, window: Window, tags: dict[str, str]) -> dict[str, list[Span]]:
        start, end = (int(at.timestamp() * 1_000_000) for at in (window.start, window.end))
        params = {"service": service, "start": str(start), "end": str(end), "limit": str(FOUND)}
        answer = await self._api.send("GET", "/api/traces", params={**params, "tags": json.dumps(tags)} if tags else params)
        return {trace["traceID"].needed()[:64]: list(spans_of(trace)) for trace in answer["data"].items()}


def spans_of(trace: Node) -> Iterator[Span]:
    """The spans of a trace as Jaeger's page gets it. Raises BadPayload."""
    processes = trace["processes"]
    for span in trace["spans"].items():
        tags = {t["key"].text(): _text(t["value"]) for t in span["tags"].optional_items()}
        parent = next((r["spanID"].text() for r in span["references"].optional_items() if r["refType"].text() == "CHILD_OF"), "")
        failed = tags.get("error") == "true" or tags.get("otel.status_code") == "ERROR"
        yield Span(
            trace_id=span["traceID"].needed()[:64],
            span_id=span["spanID"].needed()[:64],
            parent_id=parent[:64],
            service=processes[span["processID"].text()]["serviceName"].text()[:100],
            name=span["operationName"].text()[:200],
            start=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(_number(span["startTime"]))),
            duration_ms=_number(span["duration"]) / 1000,
            failed=failed,
            error=(tags.get("otel.status_description") or _thrown(span) if failed else "")[:500],
            attributes=capped(tags),
        )


def _thrown(span: Node) -> str:
    """What a span's log says was thrown."""
    for entry in span["logs"].optional_items():
        fields = {f["key"].text(): _text(f["value"]) for f in entry["fields"].optional_items()}
        if fields.get("event") in ("error", "exception"):
            kind, text = fields.get("exception.type", ""), fields.get("exception.message") or fields.get("message", "")
            return f"{kind}: {text}".strip(": ")
    return ""


def _length(spans: Sequence[Span]) -> float:
    """From the first start to the last end, in milliseconds."""
    if not spans:
        return 0.0
    first = min(s.start for s in spans)
    return max((s.start - first).total_seconds() * 1000 + s.duration_ms for s in spans)


def _text(node: Node) -> str:
    return str(node.value).lower() if isinstance(node.value, bool) else node.text()


def _number(node: Node) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float) or not 0 <= node.value < 1e17:
        raise BadPayload("is no number of microseconds or calls", path=node.path)
    return float(node.value)


def _source(settings: BaseModel) -> EvidenceSource | None:
    return Jaeger(settings) if isinstance(settings, JaegerSettings) and settings.url else None


def _edges(settings: BaseModel) -> EdgeSource | None:
    return Dependencies(Jaeger(settings)) if isinstance(settings, JaegerSettings) and settings.url else None


class Dependencies:
    """ports.EdgeSource alone, so that traces are not read twice."""

    name = NAME

    def __init__(self, jaeger: Jaeger) -> None:
        self.seen = jaeger.seen


CONNECTOR = Connector(
    name=NAME,
    title="Jaeger",
    settings=JaegerSettings,
    help="url of Jaeger's query service; token, or username and password, if something before it asks for them",
    evidence=_source,
    edges=_edges,
)
