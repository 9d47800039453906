"""Loki: log lines of services, read-only.

Format: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
"""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.domain.payload import Node, read_json
from bot.domain.telemetry import LogLine, Readings, SourceStatus, Window
from bot.errors import BadPayload, BotError
from bot.ports import Connector, EvidenceSource
from bot.wire.loglines import TELLING_WORDS, RawLine, read_lines
from bot.wire.logsamples import Part, answered, both_ends, guessed
from bot.wire.rest import Rest

NAME = "loki"
MOST_BYTES = 20_000_000
MOST_AT_ONCE = 6  # questions that wait for an answer
_TELLING = "|".join(TELLING_WORDS)
_LEVELS = ("level", "detected_level", "severity")  # labels


class LokiSettings(BaseModel):
    """Where Loki is and how a service is selected; `{service}` in the selector is the service's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    tenant: str = ""
    selector: str = '{{service="{service}"}}'
    timeout_seconds: float = Field(4.0, gt=0)
    limit: int = Field(1000, gt=0, le=5000)

    @field_validator("selector")
    @classmethod
    def _names_the_service(cls, value: str) -> str:
        try:
            if "{service}" in value and value.format(service="x"):
                return value
        except (KeyError, IndexError, ValueError):
            pass
        raise ValueError('has to hold {service}, and braces of the query doubled, such as {{app="{service}"}}')


class Loki:
    """All lines of each service; where they are too many, the first and last ones, those that tell of trouble apart."""

    name = NAME

    def __init__(self, settings: LokiSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._rest = _rest(settings, transport)
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        return tuple(await asyncio.gather(*(self._service(s, window) for s in services)))

    async def _service(self, service: str, window: Window) -> Readings:
        query = self._settings.selector.format(service=_quoted(service))

        async def whole() -> tuple[Sequence[RawLine], bool]:
            lines = await self._lines(service, query, window, "backward")
            return lines, len(lines) < self._settings.limit

        reading = Readings(NAME, query, window, SourceStatus.NO_DATA)
        return await answered(reading, "Loki", whole, lambda: self._sample(service, query, window))

    async def _sample(self, service: str, query: str, window: Window) -> Sequence[Part]:
        """Lines that tell of trouble, which are few, and the others; where lines cannot be told apart, all alike."""
        kinds = (("|~", "that tell of trouble"), ("!~", "others"))
        try:
            asked = [self._part(service, f'{query} {way} "(?i){_TELLING}"', window, what) for way, what in kinds]
            return await asyncio.gather(*asked)
        except BadPayload:
            return [await self._part(service, query, window, "")]

    async def _part(self, service: str, query: str, window: Window, what: str) -> Part:
        ways = ("forward", "backward")
        first, last = await asyncio.gather(*(self._lines(service, query, window, way) for way in ways))
        limit = self._settings.limit
        lines = both_ends(first, last, limit)
        complete = len(first) < limit or first[-1].at >= last[0].at
        total = len(lines) if complete else await self._count(query, window)
        how = f"first {limit:,} and last {limit:,}"
        return Part(what, lines, guessed(lines, window) if total is None else total, how, counted=total is not None)

    async def _lines(self, service: str, query: str, window: Window, direction: str) -> tuple[RawLine, ...]:
        asked = {"query": query, "limit": str(self._settings.limit), "direction": direction}
        return _lines_in(await self._ask(asked, window), service)

    async def _count(self, query: str, window: Window) -> float | None:
        """How many lines of the window match; None where this Loki does not tell."""
        seconds = max(1, math.ceil((window.end - window.start).total_seconds()))
        asked = {"query": f"sum(count_over_time({query} [{seconds}s]))", "step": f"{seconds}s"}
        at_the_end = Window(window.end, window.end)
        try:
            answer = await self._ask(asked, at_the_end)
            rows = list(answer["data"]["result"].items())
            if answer["data"]["resultType"].text() != "matrix":
                return None
            return max((_count_in(row["values"]) for row in rows), default=0.0)
        except BotError:
            return None

    async def _ask(self, asked: dict[str, str], window: Window) -> Node:
        span = {"start": str(_nanoseconds(window.start)), "end": str(_nanoseconds(window.end) + 1)}
        async with self._turns:
            return await self._rest.send("GET", "/loki/api/v1/query_range", params=asked | span)


def lines_of(body: bytes, service: str) -> tuple[LogLine, ...]:
    """What the lines of an answer say, oldest first. Raises BadPayload naming the path."""
    return read_lines(_lines_in(read_json(body), service))


def _lines_in(answer: Node, service: str) -> tuple[RawLine, ...]:
    found: list[RawLine] = []
    for row in answer["data"]["result"].items():
        labels = row["stream"].texts()
        stream = repr(sorted((k, v) for k, v in labels.items() if k not in _LEVELS))
        level = next((labels[k] for k in _LEVELS if labels.get(k, "unknown") != "unknown"), "")
        trace = labels.get("trace_id") or labels.get("traceID") or ""
        values = row["values"].items()
        found.extend(_line(value, labels.get("service") or service, stream, level, trace) for value in values)
    return tuple(sorted(found, key=lambda line: line.at))


def _line(value: Node, service: str, stream: str, level: str, trace: str) -> RawLine:
    match value.value:
        case [str(at), str(text), *_] if at.isdecimal() and len(at) < 20:
            when = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at) // 1000)
            return RawLine(when, service, text, stream, level, trace)
    raise BadPayload("is not [nanoseconds, line]", path=value.path)


def _count_in(values: Node) -> float:
    match values.value:
        case [*_, [_, str(count)]] if count.isdecimal():
            return float(count)
    raise BadPayload("is not a list of [time, count]", path=values.path)


def _rest(settings: LokiSettings, transport: httpx.AsyncBaseTransport | None) -> Rest:
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
    if settings.tenant:
        headers["X-Scope-OrgID"] = settings.tenant
    password = settings.password.get_secret_value() if settings.password else ""
    return Rest(
        "Loki",
        settings.url,
        headers,
        auth=(settings.username, password) if settings.username else None,
        timeout=settings.timeout_seconds,
        most_bytes=MOST_BYTES,
        quotes=True,
        transport=transport,
    )


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _source(settings: BaseModel) -> EvidenceSource | None:
    return Loki(settings) if isinstance(settings, LokiSettings) and settings.url else None


CONNECTOR = Connector(
    name=NAME,
    title="Loki",
    settings=LokiSettings,
    help='url of Loki; token and tenant if it asks for them; selector says how a service is found, such as {{app="{service}"}}',
    evidence=_source,
)
