"""Grafana Tempo: traces of services as evidence, read-only; those that failed first, then slow ones, then a few usual ones.

Format: https://grafana.com/docs/tempo/latest/api_docs/ (search by TraceQL, a trace by its id as OTLP in JSON).
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.payload import Node
from bot.domain.service import Service
from bot.domain.telemetry import Readings, SourceStatus, Span, Window
from bot.domain.traces import TraceHead, capped, pick
from bot.errors import BadPayload, BotError, NotFound
from bot.ports import Connector, EvidenceSource
from bot.wire.rest import Rest

NAME = "tempo"
FOUND = 20  # traces of one search
FAILED, SLOW, USUAL = 6, 4, 4  # traces that are read whole
MOST_SPANS = 2_000  # of all of them
MOST_BYTES = 10_000_000
_HEX = re.compile(r"(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})")


class TempoSettings(BaseModel):
    """Where Tempo is. `service` is the attribute that names a service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    tenant: str = ""
    service: str = Field("resource.service.name", pattern=r"^[A-Za-z_][\w.]{0,100}$")
    timeout_seconds: float = Field(4.0, gt=0)


class Tempo:
    """Spans of the most telling traces of these services in a window."""

    name = NAME

    def __init__(self, settings: TempoSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
        if settings.tenant:
            headers["X-Scope-OrgID"] = settings.tenant
        password = settings.password.get_secret_value() if settings.password else ""
        self._settings = settings
        self._described: Callable[[str], Service] = Service
        self._api = Rest(
            "Tempo",
            settings.url,
            headers,
            auth=(settings.username, password) if settings.username else None,
            timeout=settings.timeout_seconds,
            most_bytes=MOST_BYTES,
            transport=transport,
        )

    def catalogued(self, service: Callable[[str], Service]) -> "Tempo":
        """The same source, which asks for a service under its other names too."""
        told = copy(self)
        told._described = service
        return told

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer for all services; a failure is an answer with its reason."""
        if not services:
            return ()
        names = [name for s in services for name in (s, *self._described(s).aliases)]
        any_, bad = traceql(self._settings.service, names), traceql(self._settings.service, names, "status = error")
        try:
            failed, plain = await asyncio.gather(self._search(bad, window), self._search(any_, window))
            heads = [*(TraceHead(h.id, h.duration_ms, True) for h in failed)]
            heads += [h for h in plain if h.id not in {f.id for f in failed}]
            picked = pick(heads, failed=FAILED, slow=SLOW, usual=USUAL)
            whole = await asyncio.gather(*(self._trace(id) for id in picked.all))
        except BotError as error:
            return (Readings(NAME, bad, window, SourceStatus.FAILED, str(error)[:300]),)
        spans = tuple(span for trace in whole for span in trace)[:MOST_SPANS]
        told = f"{len(picked.failed)} failed, {len(picked.slow)} slow and {len(picked.usual)} usual traces"
        if not spans:
            return (Readings(NAME, any_, window, SourceStatus.NO_DATA, "no trace goes through these services"),)
        return (Readings(NAME, bad if failed else any_, window, SourceStatus.OK, told, spans=spans),)

    async def _search(self, query: str, window: Window) -> list[TraceHead]:
        start, end = int(window.start.timestamp()), int(window.end.timestamp()) + 1
        answer = await self._api.get("/api/search", q=query, start=str(start), end=str(end), limit=str(FOUND))
        if answer["traces"].value is None and not answer["metrics"]:
            raise BadPayload("there is no list of traces", path="$.traces")
        found = answer["traces"].optional_items()
        return [TraceHead(t["traceID"].needed()[:64], _float(t["durationMs"])) for t in found]

    async def _trace(self, id: str) -> list[Span]:
        if not re.fullmatch(r"[0-9a-fA-F]{1,32}", id):
            raise BadPayload(f"{id[:40]!r} is no id of a trace", path="$.traces")
        try:
            return list(spans_of(await self._api.get(f"/api/traces/{id}"), id.lower().rjust(32, "0")))
        except NotFound:  # it was found a moment ago, and is just being moved or forgotten
            return []


def traceql(attribute: str, services: Sequence[str], also: str = "") -> str:
    """The traces through one of these services."""
    named = " || ".join(f'{attribute} = "{_quoted(service)}"' for service in services)
    return f"{{ ({named}) && {also} }}" if also else f"{{ {named} }}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")[:200]


def spans_of(trace: Node, id: str) -> Iterator[Span]:
    """The spans of a trace as OTLP writes it in JSON, in either form of Tempo. Raises BadPayload."""
    inside = trace["trace"] if trace["trace"] else trace
    batches = inside["batches"] if inside["batches"].value is not None else inside["resourceSpans"]
    for batch in batches.items():
        service = _attributes(batch["resource"]).get("service.name", "")
        scopes = batch["scopeSpans"] if batch["scopeSpans"].value is not None else batch["instrumentationLibrarySpans"]
        for scope in scopes.optional_items():
            for span in scope["spans"].optional_items():
                yield _span(span, id, service)


def _span(span: Node, id: str, service: str) -> Span:
    start, end = _nanoseconds(span["startTimeUnixNano"]), _nanoseconds(span["endTimeUnixNano"])
    attributes, status = _attributes(span), span["status"]
    failed = status["code"].text() in ("STATUS_CODE_ERROR", "2")
    thrown = (_attributes(event) for event in span["events"].optional_items() if event["name"].text() == "exception")
    error = status["message"].text() or next(
        (f"{e.get('exception.type', '')}: {e.get('exception.message', '')}".strip(": ") for e in thrown), ""
    )
    return Span(
        trace_id=id,
        span_id=_id(span["spanId"].needed()),
        parent_id=_id(span["parentSpanId"].text()),
        service=service[:100],
        name=span["name"].text()[:200],
        start=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=start // 1000),
        duration_ms=max(0.0, (end - start) / 1e6),
        failed=failed,
        error=error[:500] if failed or error else "",
        attributes=capped(attributes),
    )


def _attributes(of: Node) -> dict[str, str]:
    found = {}
    for one in of["attributes"].optional_items():
        value = one["value"]
        plain = next((value[kind].text() for kind in ("stringValue", "intValue", "doubleValue") if value[kind].text()), "")
        if isinstance(value["boolValue"].value, bool):
            plain = str(value["boolValue"].value).lower()
        if plain:
            found[one["key"].text()] = plain
    return found


def _id(text: str) -> str:
    """An id in hexadecimal; Tempo writes base64, others write it as OTLP says."""
    if not text or _HEX.fullmatch(text):
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except (ValueError, binascii.Error):
        return text[:64]


def _nanoseconds(node: Node) -> int:
    text = node.text()
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        raise BadPayload("is no time in nanoseconds", path=node.path)
    return int(text)


def _float(node: Node) -> float:
    try:
        return float(node.text("0"))
    except ValueError:
        raise BadPayload("is no number", path=node.path) from None


def _source(settings: BaseModel) -> EvidenceSource | None:
    return Tempo(settings) if isinstance(settings, TempoSettings) and settings.url else None


CONNECTOR = Connector(
    name=NAME,
    title="Grafana Tempo",
    settings=TempoSettings,
    help="url of Tempo's query frontend; token, or username and password, and tenant if it asks for them",
    evidence=_source,
)
