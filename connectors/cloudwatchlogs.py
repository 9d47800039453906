"""Amazon CloudWatch Logs: log lines of services, read-only.

Format: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bot.domain.payload import Node
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.errors import BadPayload
from bot.ports import Connector, EvidenceSource
from bot.wire.loglines import TELLING_WORDS, RawLine
from bot.wire.logsamples import Part, answered
from bot.wire.rest import Rest
from bot.wire.sigv4 import sign

NAME = "cloudwatchlogs"
MOST_BYTES = 20_000_000
MOST_AT_ONCE = 4  # Amazon allows a few questions a second
MOST_PAGES = 8  # of one question; pages may be empty though there is more
MOST_MILLISECONDS = 10**15  # since 1970; Python's years end before
SPANS = 4  # of a window with too many lines; the first lines of each are read
_NO_GROUP = "The specified log group does not exist"  # as Amazon says it, with status 400
_GROUP = re.compile(r"[\w./#-]{1,512}")
# Patterns know neither flags nor brackets for groups, and blanks are not among the characters that are documented.
_WORDS = tuple(word for word in TELLING_WORDS if " " not in word)
_PATTERN = "%" + "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in _WORDS) + "%"
_TELLING = re.compile("|".join(_WORDS), re.IGNORECASE)  # the same lines as the pattern finds


class CloudWatchLogsSettings(BaseModel):
    """Whose log groups are read; `{service}` in `log_group` is the service's name, `log_groups` names those called otherwise.

    `url` is the endpoint where it is not Amazon's public one of the region.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str = ""
    access_key_id: str = ""
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    log_group: str = "/ecs/{service}"
    log_groups: Mapping[str, str] = Field(default_factory=dict)
    url: str = ""
    timeout_seconds: float = Field(4.0, gt=0)
    limit: int = Field(1000, ge=SPANS, le=10_000)

    @field_validator("region")
    @classmethod
    def _is_a_region(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", value):
            raise ValueError(f"{value[:40]!r} is no region; one looks like eu-west-1")
        return value

    @field_validator("log_group")
    @classmethod
    def _names_the_service(cls, value: str) -> str:
        if "{service}" not in value or not _GROUP.fullmatch(value.replace("{service}", "x")):
            raise ValueError('has to hold {service}, such as "/aws/lambda/{service}"')
        return value

    @model_validator(mode="after")
    def _can_sign(self) -> Self:
        if self.region and not (self.access_key_id and self.secret_access_key):
            raise ValueError("with region it needs access_key_id and secret_access_key")
        return self


class CloudWatchLogs:
    """All lines of each service; where they are too many, the first of each quarter, those that tell of trouble apart."""

    name = NAME

    def __init__(
        self,
        settings: CloudWatchLogsSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._clock = clock
        home = "amazonaws.com.cn" if settings.region.startswith("cn-") else "amazonaws.com"
        self._url = (settings.url or f"https://logs.{settings.region}.{home}").rstrip("/")
        self._rest = Rest(
            "CloudWatch Logs",
            self._url,
            {},
            timeout=settings.timeout_seconds,
            most_bytes=MOST_BYTES,
            quotes=True,
            transport=transport,
        )
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        return tuple(await asyncio.gather(*(self._service(s, window) for s in services)))

    async def _service(self, service: str, window: Window) -> Readings:
        group = self._settings.log_groups.get(service) or self._settings.log_group.replace("{service}", service)
        reading = await answered(
            Readings(NAME, f"log group {group[:512]}", window, SourceStatus.NO_DATA),
            "CloudWatch Logs",
            lambda: self._events(group, service, window, self._settings.limit),
            lambda: self._sample(group, service, window),
        )
        return replace(reading, status=SourceStatus.NO_DATA) if _NO_GROUP in reading.reason else reading

    async def _sample(self, group: str, service: str, window: Window) -> Sequence[Part]:
        """Lines that tell of trouble, which are few, and the others; the API does not count, so density is measured."""
        limit = self._settings.limit // SPANS
        spans = _spans(window)
        telling, *others = await asyncio.gather(
            self._events(group, service, window, self._settings.limit, _PATTERN),
            *(self._events(group, service, span, limit) for span in spans),
        )
        parts = [_part("that tell of trouble", f"first {self._settings.limit:,}", telling, window)]
        for number, (span, (lines, ended)) in enumerate(zip(spans, others, strict=True), 1):
            calm = [line for line in lines if not _TELLING.search(line.text)]
            parts.append(_part(f"others in quarter {number}", f"first {len(calm):,}", (calm, ended), span))
        return parts

    async def _events(
        self, group: str, service: str, window: Window, limit: int, pattern: str = ""
    ) -> tuple[Sequence[RawLine], bool]:
        """The first lines of a window, and whether these are all."""
        asked: dict[str, object] = {
            "logGroupName": group,
            "startTime": _milliseconds(window.start),
            "endTime": _milliseconds(window.end),
        }
        if pattern:
            asked["filterPattern"] = pattern
        found: list[RawLine] = []
        for _ in range(MOST_PAGES):
            answer = await self._ask(asked | {"limit": limit - len(found)})
            found.extend(_line(event, service) for event in answer["events"].items())
            token = answer["nextToken"].text()
            if not token:
                return found, True
            if len(found) >= limit:
                return found, False
            asked["nextToken"] = token
        if not found:
            raise BadPayload(f"CloudWatch Logs had found no line after {MOST_PAGES} pages and was not done")
        return found, False

    async def _ask(self, asked: Mapping[str, object]) -> Node:
        own = self._settings
        body = json.dumps(asked).encode()
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.FilterLogEvents"}
        secret = own.secret_access_key.get_secret_value() if own.secret_access_key else ""
        token = own.session_token.get_secret_value() if own.session_token else ""
        async with self._turns:
            signed = sign(
                "POST", f"{self._url}/", headers, body, own.region, "logs", own.access_key_id, secret, token, self._clock()
            )
            return await self._rest.send("POST", "/", headers=signed, content=body)


def _part(what: str, how: str, found: tuple[Sequence[RawLine], bool], window: Window) -> Part:
    """The first lines of a window, with how many it has if it goes on as densely."""
    lines, ended = found
    if ended or len(lines) < 2:
        return Part(what, lines, len(lines), how, counted=ended)
    seen = max((lines[-1].at - window.start).total_seconds(), 0.001)
    return Part(what, lines, len(lines) * (window.end - window.start).total_seconds() / seen, how, counted=False)


def _spans(window: Window) -> list[Window]:
    """Equal parts of a window; events of a millisecond belong to one."""
    length = (window.end - window.start) / SPANS
    borders = [window.start + n * length for n in range(SPANS)] + [window.end]
    last = timedelta(milliseconds=1)  # both ends of a question are within it
    return [Window(a, b if b == window.end else b - last) for a, b in pairwise(borders)]


def _line(event: Node, service: str) -> RawLine:
    at = event["timestamp"].value
    if isinstance(at, bool) or not isinstance(at, int) or abs(at) > MOST_MILLISECONDS:
        raise BadPayload("is no number of milliseconds", path=f"{event.path}.timestamp")
    when = Node(at / 1000, f"{event.path}.timestamp").time()
    if when is None:
        raise BadPayload("is no time", path=f"{event.path}.timestamp")
    return RawLine(when, service, event["message"].text().rstrip("\r\n"), event["logStreamName"].text())


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _source(settings: BaseModel) -> EvidenceSource | None:
    return CloudWatchLogs(settings) if isinstance(settings, CloudWatchLogsSettings) and settings.region else None


CONNECTOR = Connector(
    name=NAME,
    title="Amazon CloudWatch Logs",
    settings=CloudWatchLogsSettings,
    help='region; access_key_id, secret_access_key of a user with logs:FilterLogEvents; log_group, such as "/ecs/{service}"',
    evidence=_source,
)
