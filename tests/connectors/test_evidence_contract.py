"""What every evidence source promises, whatever its vendor answers: a failure is a bounded reading with its reason.

A new source adds one `Source` below: how it is made on a transport, and what its vendor answers where nothing is known.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from bot.domain.service import CloudResource, Service, ServiceMetrics
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.ports import EvidenceSource, NumberSource
from connectors import CONNECTORS
from connectors.cloudwatch import CloudWatchMetrics, CloudWatchSettings
from connectors.cloudwatchlogs import CloudWatchLogs, CloudWatchLogsSettings
from connectors.datadog import DatadogMetrics, DatadogSettings
from connectors.elastic import ElasticLogs, ElasticSettings
from connectors.jaeger import Jaeger, JaegerSettings
from connectors.loki import Loki, LokiSettings
from connectors.prometheus import Prometheus, PrometheusSettings
from connectors.statuspages import StatusPages, StatusPagesSettings
from connectors.tempo import Tempo, TempoSettings

SECRET = "s3cret-of-the-vendor"
HOST = "vendor.test"  # the only host that may be asked
WINDOW = Window(datetime(2026, 5, 4, 9, 0, tzinfo=UTC), datetime(2026, 5, 4, 9, 0, tzinfo=UTC) + timedelta(minutes=30))
SERVICES = ("cart", 'o"d}\\d')
MOST_MEGABYTES = 40  # read of one endless answer, whatever the source's own limit is
Answer = Callable[[httpx.Request], httpx.Response]


@dataclass(frozen=True)
class Source:
    """One evidence source: made on a transport, with SECRET as its secret and HOST as its vendor's host."""

    name: str
    make: Callable[[httpx.AsyncBaseTransport], EvidenceSource]
    nothing: Answer  # what the vendor answers where it knows nothing of a service
    downloads_all: str = ""  # why it reads an endless answer to its end


def _json(body: object) -> Answer:
    return lambda _: httpx.Response(200, json=body)


def _prometheus(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    return Prometheus(PrometheusSettings(url=f"http://{HOST}", token=SecretStr(SECRET)), transport)


def _loki(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    return Loki(LokiSettings(url=f"http://{HOST}", token=SecretStr(SECRET)), transport)


def _elastic(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    return ElasticLogs(ElasticSettings(url=f"http://{HOST}", api_key=SecretStr(SECRET)), transport)


def _cloudwatch_logs(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    own = CloudWatchLogsSettings(
        region="eu-west-1", access_key_id="AKID", secret_access_key=SecretStr(SECRET), url=f"http://{HOST}"
    )
    return CloudWatchLogs(own, transport, clock=lambda: WINDOW.end)


def _no_metrics(request: httpx.Request) -> httpx.Response:
    nothing = [] if request.url.path == "/api/v1/series" else {"resultType": "matrix", "result": []}
    return httpx.Response(200, json={"status": "success", "data": nothing})


def _status_pages(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    return StatusPages(StatusPagesSettings(pages={"cart": f"http://{HOST}/?key={SECRET}"}), transport)


def _datadog(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    own = DatadogSettings(site=HOST, api_key=SecretStr(SECRET), app_key=SecretStr(f"{SECRET}-too"))
    return DatadogMetrics(own, transport)


def _cloudwatch(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    class Here(CloudWatchSettings):
        @property
        def endpoint(self) -> str:
            return f"https://monitoring.{HOST}"

    own = Here(region="eu-west-1", access_key_id="AKIAEXAMPLE", secret_access_key=SecretStr(SECRET))
    resource = CloudResource("AWS/SQS", (("QueueName", "orders"),))
    return CloudWatchMetrics(own, transport, lambda name: Service(name, metrics=ServiceMetrics(cloudwatch=(resource,))))


def _tempo(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    return Tempo(TempoSettings(url=f"http://{HOST}", token=SecretStr(SECRET)), transport)


def _jaeger(transport: httpx.AsyncBaseTransport) -> EvidenceSource:
    return Jaeger(JaegerSettings(url=f"http://{HOST}", token=SecretStr(SECRET)), transport)


SOURCES = (
    Source("jaeger", _jaeger, _json({"data": [], "total": 0, "errors": None})),
    Source("tempo", _tempo, _json({"traces": [], "metrics": {"totalBlocks": 1}})),
    Source("cloudwatch", _cloudwatch, _json({"MetricDataResults": [], "Messages": []})),
    Source("datadog", _datadog, _json({"from": "1571011200", "metrics": []})),
    Source("statuspages", _status_pages, _json({"incidents": [], "components": []})),
    Source("cloudwatchlogs", _cloudwatch_logs, _json({"events": [], "searchedLogStreams": []})),
    Source("elastic", _elastic, _json({"timed_out": False, "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []}})),
    Source("loki", _loki, _json({"data": {"resultType": "streams", "result": []}})),
    Source("prometheus", _prometheus, _no_metrics),
)
ELSEWHERE: dict[str, str] = {
    "kubernetes": "test_kubernetes_evidence"
}  # connectors whose evidence does not come by HTTP: where their contract is tested


def _slow(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout(f"slow, asked with {SECRET}")


def _away(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"refused, asked with {SECRET}")


def _broken_off(_: httpx.Request) -> httpx.Response:
    async def part() -> AsyncIterator[bytes]:
        yield b'{"data": {"result": [{"metric": {"__name__": "up"}, "val'
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    return httpx.Response(200, content=part(), headers={"content-type": "application/json"})


def _status(status: int, **headers: str) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        told = f"no: {request.headers.get('authorization', '')} {request.url} " + "x" * 5000
        return httpx.Response(status, text=told, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def _says(body: bytes) -> Answer:
    return lambda _: httpx.Response(200, content=body, headers={"content-type": "application/json"})


FAILURES: dict[str, Answer] = {
    "400": _status(400),
    "401": _status(401),
    "403": _status(403),
    "404": _status(404),
    "429": _status(429, retry_after="17"),
    "500": _status(500),
    "503": _status(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
    "sent elsewhere": _status(302, location="http://elsewhere.test/"),
    "too slow": _slow,
    "cannot be reached": _away,
    "broken off": _broken_off,
    "half an answer": _says(b'{"status":"success","data":{"result":[{"metric":{'),
    "a page": _says(b"<html>Please log in</html>"),
    "no bytes": _says(b""),
    "no object": _says(b"[]"),
    "a number": _says(b"3"),
    "another object": _says(b'{"hello": {"world": 1}}'),
    "too deep": _says(b"[" * 200_000),
    "no text": _says(b"\xff\xfe\x00{"),
}
by_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)


def guarded(answer: Answer) -> httpx.MockTransport:
    """The answer, for questions to the vendor alone."""

    def asked(request: httpx.Request) -> httpx.Response:
        assert request.url.host.endswith(HOST), f"{request.url.host} was asked and may have seen the secret"
        return answer(request)

    return httpx.MockTransport(asked)


def shown(readings: tuple[Readings, ...]) -> str:
    return "\n".join(repr(reading) for reading in readings)


def test_every_connector_with_evidence_is_held_to_this() -> None:
    names = {connector.name for connector in CONNECTORS if connector.evidence is not None}
    assert names == {source.name for source in SOURCES} | set(ELSEWHERE)


def test_only_sources_of_numbers_are_read_with_no_incident_at_hand() -> None:
    made = {source.name: source.make(guarded(source.nothing)) for source in SOURCES}
    assert {name for name, one in made.items() if isinstance(one, NumberSource) and one.numbers} == {
        "prometheus", "datadog", "cloudwatch",
    }  # fmt: skip


@by_source
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_a_reading_with_its_reason(source: Source, failure: str) -> None:
    readings = await source.make(guarded(FAILURES[failure])).read(SERVICES, WINDOW)
    assert readings, "a source that fails says so"
    assert {reading.status for reading in readings} == {SourceStatus.FAILED}, shown(readings)
    for reading in readings:
        assert reading.source == source.name
        assert reading.window == WINDOW
        assert 10 <= len(reading.reason) <= 400, "a sentence for people"
        assert not failure.isdecimal() or failure in reading.reason, "it says the status"
    assert SECRET not in shown(readings)


@by_source
async def test_where_the_vendor_knows_nothing_there_is_no_data(source: Source) -> None:
    readings = await source.make(guarded(source.nothing)).read(SERVICES, WINDOW)
    assert {reading.status for reading in readings} == {SourceStatus.NO_DATA}, shown(readings)
    assert all(reading.query and reading.reason for reading in readings), "what was asked, and what that means"
    assert SECRET not in shown(readings)


@by_source
async def test_for_no_service_nobody_is_asked(source: Source) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was asked")

    assert await source.make(guarded(never)).read((), WINDOW) == ()


@by_source
async def test_an_endless_answer_is_given_up_on(source: Source) -> None:
    most = 0

    def answer(_: httpx.Request) -> httpx.Response:
        async def endless() -> AsyncIterator[bytes]:
            nonlocal most
            for megabyte in range(1, 60):
                most = max(most, megabyte)
                yield b" " * 1_000_000

        return httpx.Response(200, content=endless())

    readings = await source.make(guarded(answer)).read(SERVICES[:1], WINDOW)
    assert {reading.status for reading in readings} == {SourceStatus.FAILED}
    assert (most > MOST_MEGABYTES) == bool(source.downloads_all), f"{most} MB were read"
