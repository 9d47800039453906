"""Elasticsearch and OpenSearch: log lines of services, read-only, by the search API that both have.

Formats: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search and https://opensearch.org/docs/latest/api-reference/search/.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import httpx

from bot.domain.payload import Node
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.errors import BadPayload
from bot.wire.loglines import RawLine, first_of
from bot.wire.logsamples import Part, answered, both_ends, guessed
from bot.wire.rest import Rest
from connectors.elastic.alerts import NAME
from connectors.elastic.settings import ElasticSettings

MOST_BYTES = 20_000_000
MOST_MILLISECONDS = 10**15  # since 1970; Python's years end before
MOST_LINES = 10**15  # that a server may say to have
MOST_AT_ONCE = 6  # questions that wait for an answer
_LOUD = ("warn", "warning", "error", "err", "severe", "critical", "crit", "fatal", "panic", "alert", "emergency", "emerg")
_LOUD_LEVELS = [spelt for word in _LOUD for spelt in (word, word.upper(), word.capitalize())]
# Whole words, as the analyzer of a text field makes them: it knows of no parts of words.
_TELLING = (
    "error errors exception fatal panic critical warn warning fail failed failing fails failure timeout timeouts timed refused"
    " denied rejected unavailable unreachable aborted crashed killed exhausted expired"
)
Search = dict[str, object]


class ElasticLogs:
    """All lines of each service; where they are too many, the first and last ones, those that tell of trouble apart."""

    name = NAME

    def __init__(self, settings: ElasticSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._rest = _rest(settings, transport)
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        return tuple(await asyncio.gather(*(self._service(s, window) for s in services)))

    async def _service(self, service: str, window: Window) -> Readings:
        own = self._settings
        mine: list[Search] = [{"term": {own.service_field: service}}, {"range": {own.time_field: _between(window)}}]
        doubts: list[str] = []

        async def whole() -> tuple[Sequence[RawLine], bool]:
            lines, total, doubt = await self._search({"filter": mine}, service, "desc")
            doubts.append(doubt)
            return lines, total is not None and total <= len(lines)

        reading = Readings(NAME, f"{own.index}: {json.dumps(mine[0])}", window, SourceStatus.NO_DATA)
        reading = await answered(reading, "Elasticsearch", whole, lambda: self._sample(mine, service, window))
        return replace(reading, reason="; ".join(part for part in (reading.reason, *doubts) if part))

    async def _sample(self, mine: Sequence[Search], service: str, window: Window) -> Sequence[Part]:
        """Lines that tell of trouble, which are few, and the others."""
        own = self._settings
        telling = {
            "should": [{"terms": {own.level_field: _LOUD_LEVELS}}, {"match": {own.message_field: _TELLING}}],
            "minimum_should_match": 1,
        }
        return await asyncio.gather(
            self._part({"filter": [*mine, {"bool": telling}]}, service, window, "that tell of trouble"),
            self._part({"filter": mine, "must_not": [{"bool": telling}]}, service, window, "others"),
        )

    async def _part(self, query: Search, service: str, window: Window, what: str) -> Part:
        ways = ("asc", "desc")
        (first, total, _), (last, _, _) = await asyncio.gather(*(self._search(query, service, way) for way in ways))
        limit = self._settings.limit
        lines = both_ends(first, last, limit)
        how = f"first {limit:,} and last {limit:,}"
        return Part(what, lines, guessed(lines, window) if total is None else total, how, counted=total is not None)

    async def _search(self, query: Search, service: str, way: str) -> tuple[tuple[RawLine, ...], int | None, str]:
        """Lines in the order of time, how many there are (None where the server only says "at least"), and what is doubtful."""
        own = self._settings
        body = {
            "size": own.limit,
            "track_total_hits": True,
            "sort": [{own.time_field: {"order": way, "unmapped_type": "date"}}],
            "query": {"bool": query},
        }
        path = f"/{quote(own.index, safe='*,.:+-_')}/_search"
        params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
        async with self._turns:
            answer = await self._rest.send("POST", path, body, params=params)
        hits = answer["hits"].object()
        lines = [self._line(hit, service) for hit in hits["hits"].items()]
        return tuple(sorted(lines, key=lambda line: line.at)), _total(hits["total"]), _doubt(answer)

    def _line(self, hit: Node, service: str) -> RawLine:
        own = self._settings
        source = hit["_source"].object().value
        fields: Mapping[str, object] = source if isinstance(source, dict) else {}
        at = hit["_source"][own.time_field].time() or Node(first_of(fields, (own.time_field,)), hit.path).time()
        message = first_of(fields, (own.message_field,))
        return RawLine(
            at or _sorted_by(hit),
            service,
            message,
            first_of(fields, own.stream_fields),
            first_of(fields, (own.level_field,)),
            first_of(fields, (own.trace_field,)),
            {**fields, "message": message} if message else fields,
        )


def _between(window: Window) -> Search:
    start, end = (at.astimezone(UTC).isoformat(timespec="milliseconds") for at in (window.start, window.end))
    return {"gte": start, "lte": end, "format": "strict_date_optional_time"}


def _total(total: Node) -> int | None:
    """How many lines match: an object since Elasticsearch 7, a number before and where the server was told so."""
    count = total["value"] if isinstance(total.value, dict) else total
    exact = total["relation"].text("eq") == "eq"
    if isinstance(count.value, int) and not isinstance(count.value, bool) and 0 <= count.value < MOST_LINES:
        return count.value if exact else None
    raise BadPayload("is no number of hits", path=total.path)


def _sorted_by(hit: Node) -> datetime:
    """The time that the hit was sorted by, milliseconds since 1970."""
    for value in hit["sort"].optional_items():
        at = value.value
        if isinstance(at, int) and abs(at) < MOST_MILLISECONDS and (when := Node(at / 1000, value.path).time()):
            return when
    raise BadPayload("has no time", path=hit.path)


def _doubt(answer: Node) -> str:
    """What the server says that it left out."""
    failed = answer["_shards"]["failed"].value
    if isinstance(failed, int) and failed > 0:
        whole = answer["_shards"]["total"].text("several")[:10]
        return f"{min(failed, MOST_LINES)} of {whole} shards did not answer: lines may be missing"
    return "the server stopped before it had searched all: lines may be missing" if answer["timed_out"].value is True else ""


def _rest(settings: ElasticSettings, transport: httpx.AsyncBaseTransport | None) -> Rest:
    headers = {"Authorization": f"ApiKey {settings.api_key.get_secret_value()}"} if settings.api_key else {}
    password = settings.password.get_secret_value() if settings.password else ""
    return Rest(
        "Elasticsearch",
        settings.url,
        headers,
        auth=(settings.username, password) if settings.username else None,
        timeout=settings.timeout_seconds,
        most_bytes=MOST_BYTES,
        quotes=True,
        transport=transport,
    )
