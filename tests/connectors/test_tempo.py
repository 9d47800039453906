"""Tempo: what is searched, which traces are read, spans in both forms of its JSON."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.domain.payload import Node
from bot.domain.service import Service
from bot.domain.telemetry import SourceStatus, Window
from bot.errors import BadPayload
from connectors.tempo import CONNECTOR, Tempo, TempoSettings, spans_of, traceql

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=5))
NANO = int(START.timestamp()) * 10**9


def packed(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def span(id: str, parent: str = "", *, ms: int = 30, failed: bool = False, name: str = "GET /cart") -> dict[str, Any]:
    return {
        "traceId": packed("a" * 32),
        "spanId": packed(id * 16),
        **({"parentSpanId": packed(parent * 16)} if parent else {}),
        "name": name,
        "kind": "SPAN_KIND_SERVER",
        "startTimeUnixNano": str(NANO),
        "endTimeUnixNano": str(NANO + ms * 10**6),
        "attributes": [
            {"key": "http.status_code", "value": {"intValue": "500"}},
            {"key": "retry", "value": {"boolValue": True}},
        ],
        "status": {"code": "STATUS_CODE_ERROR", "message": "no stock"} if failed else {},
    }


def batch(service: str, *spans: dict[str, Any]) -> dict[str, Any]:
    named = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resource": named, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}


class FakeTempo:
    """Twenty usual traces, one slow, one failed; notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, request.url.params
        self.asked.append((path, params.get("q", "")))
        assert request.headers["x-scope-orgid"] == "shop"
        if path == "/api/search":
            usual = [{"traceID": f"{n:x}".rjust(32, "b"), "durationMs": 20 + n} for n in range(10)]
            slow, bad = {"traceID": "c" * 32, "durationMs": 900}, {"traceID": "a" * 32, "durationMs": 30}
            return httpx.Response(200, json={"traces": [bad] if "error" in params["q"] else [*usual, slow, bad], "metrics": {}})
        failed = path.endswith("a" * 32)
        return httpx.Response(200, json={"batches": [batch("web", span("1")), batch("cart", span("2", "1", failed=failed))]})


async def test_failed_and_slow_traces_are_read_before_a_few_usual_ones() -> None:
    server = FakeTempo()
    source = Tempo(TempoSettings(url="http://tempo.test", tenant="shop"), httpx.MockTransport(server))
    (found,) = await source.read(["cart"], WINDOW)
    assert (found.status, found.reason) == (SourceStatus.OK, "1 failed, 1 slow and 4 usual traces")
    assert found.query == '{ (resource.service.name = "cart") && status = error }'
    read = [path.rsplit("/", 1)[1] for path, _ in server.asked if path.startswith("/api/traces/")]
    assert read[:2] == ["a" * 32, "c" * 32]
    assert len(read) == 6
    first, second = found.spans[:2]
    assert (first.service, first.parent_id, first.failed) == ("web", "", False)
    assert (second.service, second.parent_id, second.span_id, second.error) == ("cart", "1" * 16, "2" * 16, "no stock")
    assert (second.start, second.duration_ms) == (START, 30.0)
    assert second.attributes == {"http.status_code": "500", "retry": "true"}


async def test_a_service_is_asked_for_under_its_other_names_too() -> None:
    server = FakeTempo()
    plain = Tempo(TempoSettings(url="http://tempo.test", tenant="shop"), httpx.MockTransport(server))
    (found,) = await plain.catalogued(lambda name: Service(name, aliases=("basket",))).read(["cart"], WINDOW)
    assert found.query.startswith('{ (resource.service.name = "cart" || resource.service.name = "basket") &&')


def test_the_newer_form_and_ids_in_hexadecimal_are_read_too() -> None:
    plain = span("2") | {"spanId": "EEE19B7EC3C1B174", "status": {"code": 2}}
    plain["events"] = [
        {"name": "exception", "attributes": [{"key": "exception.type", "value": {"stringValue": "OSError"}}]},
    ]
    (only,) = spans_of(Node({"trace": {"resourceSpans": [batch("cart", plain)]}}), "t")
    assert (only.span_id, only.failed, only.error) == ("eee19b7ec3c1b174", True, "OSError")


@pytest.mark.parametrize("time", ["soon", "-1", None, "9" * 30])
def test_a_time_that_is_none_is_refused(time: str | None) -> None:
    with pytest.raises(BadPayload):
        list(spans_of(Node({"batches": [batch("cart", span("1") | {"startTimeUnixNano": time})]}), "t"))


def test_a_name_from_outside_stays_inside_its_quotes() -> None:
    assert traceql("resource.service.name", ['a" || true', "b"]) == (
        '{ resource.service.name = "a\\" || true" || resource.service.name = "b" }'
    )


def test_without_a_url_there_is_no_source() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(TempoSettings()) is None
