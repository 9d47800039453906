"""Jaeger: traces of services with their parents and errors, and who depends on whom."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.domain.payload import Node
from bot.domain.telemetry import SourceStatus, Window
from bot.errors import BadPayload, BotError
from connectors.jaeger import CONNECTOR, Jaeger, JaegerSettings, spans_of

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=5))
MICRO = int(START.timestamp()) * 10**6


def span(id: str, process: str, parent: str = "", *, micros: int = 30_000, **tags: Any) -> dict[str, Any]:
    references = [{"refType": "CHILD_OF", "traceID": "t1", "spanID": parent}] if parent else []
    return {
        "traceID": "t1", "spanID": id, "operationName": "GET /cart", "references": references, "startTime": MICRO,
        "duration": micros, "tags": [{"key": k, "type": "x", "value": v} for k, v in tags.items()], "logs": [],
        "processID": process,
    }  # fmt: skip


def trace(id: str, *spans: dict[str, Any]) -> dict[str, Any]:
    return {"traceID": id, "spans": list(spans), "processes": {"p1": {"serviceName": "web"}, "p2": {"serviceName": "cart"}}}


def source(answer: Any, **settings: object) -> Jaeger:
    return Jaeger(JaegerSettings.model_validate({"url": "http://jaeger.test", **settings}), httpx.MockTransport(answer))


async def test_failed_traces_come_first_and_each_service_is_asked_for_by_itself() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        asked.append((params["service"], params.get("tags", "")))
        if params["service"] == "search":
            return httpx.Response(200, json={"data": []})
        bad = trace("bad", span("1", "p1"), span("2", "p2", "1", error=True))
        good = [trace(f"good{n}", span("1", "p1")) for n in range(5)]
        return httpx.Response(200, json={"data": [bad] if "tags" in params else [*good, bad]})

    cart, search = await source(answer).read(["cart", "search"], WINDOW)
    assert sorted(asked) == [("cart", ""), ("cart", '{"error": "true"}'), ("search", ""), ("search", '{"error": "true"}')]
    assert (cart.status, cart.reason) == (SourceStatus.OK, "1 failed, 0 slow and 2 usual traces")
    first, second = cart.spans[:2]
    assert (first.service, second.service, second.parent_id, second.failed) == ("web", "cart", "1", True)
    assert (second.start, second.duration_ms) == (START, 30.0)
    assert search.status is SourceStatus.NO_DATA


def test_what_was_thrown_is_the_error_of_a_span_that_failed() -> None:
    failed = span("1", "p2", error=True)
    failed["logs"] = [{"timestamp": MICRO, "fields": [
        {"key": "event", "value": "exception"}, {"key": "exception.type", "value": "KeyError"},
        {"key": "exception.message", "value": "sku"},
    ]}]  # fmt: skip
    (only,) = spans_of(Node(trace("t1", failed)))
    assert (only.failed, only.error, only.attributes) == (True, "KeyError: sku", {"error": "true"})


async def test_dependencies_of_a_day_are_calls_per_second() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/dependencies"
        assert request.url.params["lookback"] == "86400000"
        return httpx.Response(200, content=json.dumps({"data": [{"parent": "web", "child": "cart", "callCount": 86400}]}))

    (call,) = await source(answer).seen(WINDOW)
    assert (call.caller, call.callee, call.calls) == ("web", "cart", 1.0)
    with pytest.raises(BotError):
        await source(lambda _: httpx.Response(500)).seen(WINDOW)


@pytest.mark.parametrize("start", [None, "1", True, -1, 1e30])
def test_a_time_that_is_none_is_refused(start: object) -> None:
    with pytest.raises(BadPayload):
        list(spans_of(Node(trace("t1", span("1", "p1") | {"startTime": start}))))


def test_without_a_url_there_is_neither_evidence_nor_edges() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.edges is not None
    assert CONNECTOR.evidence(JaegerSettings()) is None
    assert CONNECTOR.edges(JaegerSettings()) is None
