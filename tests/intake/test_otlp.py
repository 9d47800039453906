"""The port for spans: what a real SDK sends becomes edges, in protobuf and JSON; who may send; how much; what is answered."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from bot.domain.topology import CallMinute
from bot.door.keeper import Keeper
from bot.door.orders import SpanOrders
from bot.errors import BadPayload
from bot.intake.otlp import web
from bot.intake.otlp.reading import read_json, read_protobuf
from bot.intake.otlp.web import JSON, PROTOBUF, SpanDoor
from bot.topology.pairing import LATE, Pairing

TOKEN = "s3cret"
RIGHT = {"authorization": f"Bearer {TOKEN}", "content-type": PROTOBUF}


class Kept(SpanExporter):
    """Keeps what a provider exports."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


def provider(service: str, exporter: SpanExporter, *, batch: bool = False) -> TracerProvider:
    made = TracerProvider(resource=Resource.create({"service.name": service}))
    made.add_span_processor(BatchSpanProcessor(exporter) if batch else SimpleSpanProcessor(exporter))
    return made


def traffic(of: Callable[[str], TracerProvider]) -> None:
    """The web asks the cart, which asks a database and its own stock; then it sends a message that billing consumes."""
    web_, cart, billing = (of(name).get_tracer("t") for name in ("web", "cart", "billing"))
    carrier: dict[str, str] = {}
    with web_.start_as_current_span("GET /", kind=SpanKind.SERVER), web_.start_as_current_span("GET", kind=SpanKind.CLIENT):
        inject(carrier)
    with cart.start_as_current_span("GET /cart", context=extract(carrier), kind=SpanKind.SERVER) as serving:
        with cart.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as asking:
            asking.set_attributes({"db.system": "postgresql", "server.address": "pg-1", "server.port": 5432})
        with cart.start_as_current_span("internal"):
            pass
        with cart.start_as_current_span("sent", kind=SpanKind.PRODUCER) as sent:
            sent.set_attribute("messaging.system", "kafka")
            link = Link(sent.get_span_context())
        serving.set_status(Status(StatusCode.ERROR))
    with billing.start_as_current_span("got", kind=SpanKind.CONSUMER, links=[link]):
        pass


def body() -> bytes:
    kept = Kept()
    traffic(lambda service: provider(service, kept))
    return encode_spans(kept.spans).SerializeToString()


EDGES = {("web", "cart"): (1, 1, False), ("cart", "postgresql/pg-1"): (1, 0, True), ("cart", "billing"): (1, 0, False)}


def edges(minutes: tuple[CallMinute, ...]) -> dict[tuple[str, str], tuple[int, int, bool]]:
    found: dict[tuple[str, str], tuple[int, int, bool]] = {}
    for m in minutes:
        calls, errors, _ = found.get((m.caller, m.callee), (0, 0, False))
        found[m.caller, m.callee] = (calls + m.calls, errors + m.errors, m.external)
    return found


def asked(door: SpanDoor) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=door), base_url="http://spans")


async def post(
    content: bytes, headers: dict[str, str] = RIGHT, path: str = web.PATH, **fields: Any
) -> tuple[httpx.Response, Pairing]:
    pairing = fields.pop("pairing", None) or Pairing()
    async with asked(SpanDoor(TOKEN, pairing, time.time, **fields)) as client:
        return await client.post(path, content=content, headers=headers), pairing


async def test_what_the_sdk_sends_becomes_edges() -> None:
    answer, pairing = await post(body())
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, PROTOBUF, b"")
    assert edges(pairing.take(time.time(), everything=True)) == EDGES


async def test_packed_with_gzip_it_is_the_same() -> None:
    answer, pairing = await post(gzip.compress(body()), {**RIGHT, "content-encoding": "gzip"})
    assert answer.status_code == 200
    assert edges(pairing.take(time.time(), everything=True)) == EDGES


def in_json(service: str, spans: list[dict[str, object]]) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]}).encode()


def a_span(kind: object = 3, **fields: object) -> dict[str, object]:
    start = int(time.time() * 1e9)
    plain = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "kind": kind, "name": "x"}
    return {**plain, "startTimeUnixNano": str(start), "endTimeUnixNano": start + 2_000_000, **fields}


async def test_json_is_read_as_the_specification_writes_it_and_answered_in_kind() -> None:
    peer = [{"key": "peer.service", "value": {"stringValue": "stock"}}, {"key": "n", "value": {"intValue": "7"}}]
    sent = in_json(
        "cart", [a_span(attributes=peer, status={"code": 2}, parentSpanId=None, unknownField={"a": [1]}), a_span("x", spanId="1")]
    )
    answer, pairing = await post(sent, {**RIGHT, "content-type": "application/json; charset=utf-8"})
    assert (answer.status_code, answer.json()) == (200, {})
    (minute,) = pairing.take(time.time(), everything=True)
    assert (minute.caller, minute.callee, minute.calls, minute.errors, minute.total_ms) == ("cart", "stock", 1, 1, 2.0)


async def test_what_is_too_late_is_said_as_a_partial_success() -> None:
    old = a_span(startTimeUnixNano=str(int((time.time() - LATE - 5) * 1e9)))
    answer, _ = await post(in_json("cart", [old]), {**RIGHT, "content-type": JSON})
    assert answer.json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 are older than 10 minutes"}}
    kept = Kept()
    provider("cart", kept).get_tracer("t").start_span("x", kind=SpanKind.CLIENT, start_time=1).end()
    late, _ = await post(encode_spans(kept.spans).SerializeToString())
    assert ExportTraceServiceResponse.FromString(late.content).partial_success.rejected_spans == 1


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"x", {"content-type": PROTOBUF}, 401),
        (b"x", {**RIGHT, "authorization": "Bearer wrong"}, 401),
        (b"x", {**RIGHT, "content-type": "text/plain"}, 415),
        (b"x", {**RIGHT, "content-encoding": "br"}, 415),
        (b"\xff\xff\xff", RIGHT, 400),
        (b"{", {**RIGHT, "content-type": JSON}, 400),
        (b"[" * 100_000, {**RIGHT, "content-type": JSON}, 400),
        (b'{"resourceSpans":[{"a":' + b"[" * 100_000, {**RIGHT, "content-type": JSON}, 400),
        (b"no gzip", {**RIGHT, "content-encoding": "gzip"}, 400),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], {**RIGHT, "content-encoding": "gzip"}, 400),
        (gzip.compress(b"", mtime=0) * 50_000, {**RIGHT, "content-encoding": "gzip"}, 400),
        (gzip.compress(bytes(web.MOST_PLAIN + 1), mtime=0), {**RIGHT, "content-encoding": "gzip"}, 413),
        (bytes(web.MOST_WIRE + 1), RIGHT, 413),
    ],
)
async def test_what_is_not_let_in_is_answered_with_its_reason_in_kind(
    content: bytes, headers: dict[str, str], status: int
) -> None:
    answer, pairing = await post(content, headers)
    assert answer.status_code == status
    assert pairing.take(time.time(), everything=True) == ()
    assert TOKEN not in answer.text
    if headers["content-type"] == PROTOBUF:
        field, size = answer.content[0], answer.content[1]
        assert field == 0x12
        assert len(answer.content) == 2 + size if size < 128 else size >= 128
    else:
        assert answer.json()["message"]


async def test_other_signals_and_other_methods_have_no_place_here() -> None:
    answer, _ = await post(b"", path="/v1/metrics")
    assert answer.status_code == 404
    async with asked(SpanDoor("", Pairing(), time.time)) as client:
        assert (await client.get(web.PATH)).status_code == 405


async def test_without_a_token_everybody_may_send() -> None:
    async with asked(SpanDoor("", Pairing(), time.time)) as client:
        assert (await client.post(web.PATH, content=b"", headers={"content-type": PROTOBUF})).status_code == 200


async def test_under_pressure_senders_are_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, _ = await post(b"", pairing=Pairing(most_edges=0))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    behind, _ = await post(b"", behind=lambda: True)
    assert behind.status_code == 503
    monkeypatch.setattr(web, "MOST_AT_ONCE", 0)
    busy, _ = await post(b"")
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(BadPayload):
        read_json(in_json("cart", [a_span(startTimeUnixNano="soon")]))
    for none in (10**400, -1, "9" * 20):
        with pytest.raises(BadPayload, match="64 bits"):
            read_json(in_json("cart", [a_span(endTimeUnixNano=none)]))


def test_a_service_that_nobody_named_is_nobody() -> None:
    assert read_json(in_json("unknown_service:python", [a_span()])) == []
    kept = Kept()
    provider("x" * 400, kept).get_tracer("t").start_span("x", kind=SpanKind.CLIENT).end()
    (span,) = read_protobuf(encode_spans(kept.spans).SerializeToString())
    assert span.service == "x" * 100


@pytest.mark.slow
async def test_the_real_exporter_sends_to_the_real_process_which_tells_what_it_counted_at_its_end() -> None:
    lines: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}{web.PATH}"
        keeper = Keeper(listener, SpanOrders(TOKEN, "WARNING"), lines.append, "bot.door.spans")
        keeping = asyncio.create_task(keeper.run())
        await asyncio.wait_for(keeper.up.wait(), 30)

        def send() -> None:
            made: dict[str, TracerProvider] = {}

            def of(service: str) -> TracerProvider:
                exporter = OTLPSpanExporter(url, headers={"Authorization": f"Bearer {TOKEN}"})
                return made.setdefault(service, provider(service, exporter, batch=True))

            for _ in range(20):
                traffic(of)
            for one in made.values():
                one.shutdown()

        await asyncio.to_thread(send)
        await keeper.stop()
        await keeping
    counted = tuple(m for line in lines for m in msgspec.json.decode(line, type=tuple[CallMinute, ...]))
    assert edges(counted) == {ends: (20 * calls, 20 * errors, out) for ends, (calls, errors, out) in EDGES.items()}
