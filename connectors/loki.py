"""Loki: log lines of services, read-only.

Format: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.domain.telemetry import LogLine, Readings, SourceStatus, Window
from bot.errors import BadPayload
from bot.ports import Connector, EvidenceSource

NAME = "loki"
LONGEST = 4000  # characters of one line that are kept
MOST_BYTES = 20_000_000
_LEVELS = {"WARNING": "WARN", "ERR": "ERROR", "CRIT": "CRITICAL", "INFORMATION": "INFO", "TRACE": "DEBUG", "EMERG": "FATAL"}
_LEVEL_IN_TEXT = re.compile(r"\b(?:level=)?(debug|info|warn(?:ing)?|error|fatal|critical|panic)\b", re.IGNORECASE)


class LokiSettings(BaseModel):
    """Where Loki is and how a service is selected; `{service}` in the selector is the service's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = None
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
    """The newest lines of each service, and some from the beginning of the window where there are too many."""

    name = NAME

    def __init__(self, settings: LokiSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        own = self._settings
        headers = {"Authorization": f"Bearer {own.token.get_secret_value()}"} if own.token else {}
        if own.tenant:
            headers["X-Scope-OrgID"] = own.tenant
        async with httpx.AsyncClient(
            base_url=own.url.rstrip("/"), headers=headers, timeout=own.timeout_seconds, transport=self._transport, trust_env=False
        ) as client:
            return tuple(await asyncio.gather(*(self._service(client, s, window) for s in services)))

    async def _service(self, client: httpx.AsyncClient, service: str, window: Window) -> Readings:
        query = self._settings.selector.format(service=_quoted(service))
        try:
            lines = await self._ask(client, service, query, window, "backward")
            if len(lines) >= self._settings.limit:
                early = Window(window.start, lines[0].at)
                lines = (*await self._ask(client, service, query, early, "forward"), *lines)
        except httpx.TimeoutException:
            return _failed(query, window, f"did not answer within {self._settings.timeout_seconds:g} s")
        except httpx.HTTPError as error:
            return _failed(query, window, f"cannot be reached: {type(error).__name__}")
        except BadPayload as error:
            return _failed(query, window, str(error))
        status = SourceStatus.OK if lines else SourceStatus.NO_DATA
        return Readings(NAME, query, window, status, "" if lines else "no lines match", logs=tuple(lines))

    async def _ask(
        self, client: httpx.AsyncClient, service: str, query: str, window: Window, direction: str
    ) -> tuple[LogLine, ...]:
        given = {
            "query": query,
            "start": str(_nanoseconds(window.start)),
            "end": str(_nanoseconds(window.end) + 1),
            "limit": str(self._settings.limit),
            "direction": direction,
        }
        response = await client.get("/loki/api/v1/query_range", params=given)
        if len(response.content) > MOST_BYTES:
            raise BadPayload("the answer is larger than 20 MB; lower the limit")
        if response.status_code != 200:
            token = self._settings.token.get_secret_value() if self._settings.token else ""
            told = response.text[:150] if not token or token not in response.text else "it repeats our token"
            raise BadPayload(f"answered {response.status_code}: {told}")
        return lines_of(response.content, service)


def lines_of(body: bytes, service: str) -> tuple[LogLine, ...]:
    """The lines of an answer, oldest first. Raises BadPayload naming the path."""
    try:
        streams = json.loads(body)["data"]["result"]
        found = [
            _line(str(at), str(text), stream.get("stream") or {}, service)
            for stream in streams
            for at, text, *_ in stream["values"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise BadPayload("is not an answer of Loki's range query", path="$.data.result") from error
    return tuple(sorted(found, key=lambda line: line.at))


def _line(at: str, text: str, labels: Mapping[str, object], service: str) -> LogLine:
    said = _inside(text)
    message = str(said.get("message") or said.get("msg") or text)[:LONGEST]
    level = str(labels.get("level") or labels.get("detected_level") or said.get("level") or said.get("severity") or "").upper()
    if not level and (found := _LEVEL_IN_TEXT.search(text[:200])):
        level = found[1].upper()
    when = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at) // 1000)
    trace = str(said.get("trace_id") or said.get("traceId") or "")[:64]
    return LogLine(when, str(labels.get("service") or service), _LEVELS.get(level, level)[:12], message, trace)


def _inside(text: str) -> Mapping[str, object]:
    """The fields of a line that is a JSON object; none otherwise."""
    if not text.startswith("{"):
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _failed(query: str, window: Window, reason: str) -> Readings:
    return Readings(NAME, query, window, SourceStatus.FAILED, f"Loki {reason}")


def _source(settings: BaseModel) -> EvidenceSource | None:
    return Loki(settings) if isinstance(settings, LokiSettings) and settings.url else None


CONNECTOR = Connector(
    name=NAME,
    title="Loki",
    settings=LokiSettings,
    help='url of Loki; token and tenant if it asks for them; selector says how a service is found, such as {{app="{service}"}}',
    evidence=_source,
)
