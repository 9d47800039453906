"""Loki: lines with level and trace, the beginning of a busy window, failures as values."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.domain.telemetry import SourceStatus, Window
from bot.errors import BadPayload
from bot.signals.templates import growth
from connectors.loki import CONNECTOR, Loki, LokiSettings, lines_of

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=2))


def stream(labels: dict[str, str], *lines: tuple[float, str]) -> dict[str, object]:
    return {"stream": labels, "values": [[str(int((START.timestamp() + t) * 1e6) * 1000), text] for t, text in lines]}


def answer_of(*streams: dict[str, object]) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": list(streams)}}).encode()


def source(answer: Callable[[httpx.Request], httpx.Response], **settings: object) -> Loki:
    return Loki(LokiSettings.model_validate({"url": "http://loki.test", **settings}), httpx.MockTransport(answer))


def test_levels_come_from_the_label_the_json_or_the_text() -> None:
    body = answer_of(
        stream({"service": "cart", "level": "warning"}, (2, "slow")),
        stream(
            {"service": "cart"}, (1, '{"level":"error","message":"no stock","trace_id":"t9"}'), (3, "ERROR gone"), (4, "fine")
        ),
    )
    found = lines_of(body, "cart")
    assert [(line.level, line.text) for line in found] == [
        ("ERROR", "no stock"),
        ("WARN", "slow"),
        ("ERROR", "ERROR gone"),
        ("", "fine"),
    ]
    assert found[0].trace_id == "t9"
    assert found[0].at == START + timedelta(seconds=1)


async def test_where_not_all_lines_come_back_counts_are_scaled_to_what_loki_counts() -> None:
    asked: list[tuple[str, str]] = []
    counts = {"|~": "2", "!~": "9000"}

    def answer(request: httpx.Request) -> httpx.Response:
        given = request.url.params
        query, way = given["query"], given.get("direction", "")
        asked.append((query, way))
        assert request.headers["x-scope-orgid"] == "shop"
        if query.startswith("sum(count_over_time("):
            count = next(n for filter, n in counts.items() if filter in query)
            return httpx.Response(
                200, json={"data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1.0, count]]}]}}
            )
        if "|~" in query:
            return httpx.Response(200, content=answer_of(stream({}, (50, "ERROR no stock"))))
        early, late = (
            stream({}, (1, "early 1"), (2, "early 2"), (3, "early 3")),
            stream({}, (100, "late 1"), (105, "late 2"), (110, "late 3")),
        )
        return httpx.Response(200, content=answer_of(early if way == "forward" else late))

    (found,) = await source(answer, limit=3, tenant="shop").read(["cart"], WINDOW)
    assert [(line.text, line.stands_for) for line in found.logs] == [
        ("early 1", 1500),
        ("early 2", 1500),
        ("early 3", 1500),
        ("ERROR no stock", 1),
        ("late 1", 1500),
        ("late 2", 1500),
        ("late 3", 1500),
    ]
    assert (
        found.reason
        == "all 1 that tell of trouble and first 3 and last 3 others of about 9,000 lines; counts are scaled up to that"
    )
    assert found.query == '{service="cart"}'
    filtered = '{service="cart"} !~ "(?i)error|warn|fatal|panic|critical|exception|fail|timeout|timed out|refused|denied"'
    assert ("sum(count_over_time(" + filtered + " [120s]))", "") in asked
    (g,) = [g for g in growth(found.logs, START + timedelta(seconds=60)) if g.text == "late <*>"]
    assert (g.before, g.during) == (0, 4500)


async def test_a_loki_that_cannot_count_or_filter_is_read_from_both_ends() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params["query"] != '{service="cart"}':
            return httpx.Response(400, text="parse error")
        times = (0, 1, 2, 3) if request.url.params["direction"] == "forward" else (116, 117, 118, 119)
        return httpx.Response(200, content=answer_of(stream({}, *((t, f"request {t}") for t in times))))

    (found,) = await source(answer, limit=4).read(["cart"], WINDOW)
    assert len(found.logs) == 8
    assert found.reason == "first 4 and last 4 of about 160 lines, as dense as these are; counts are scaled up to that"
    assert sum(line.stands_for for line in found.logs) == pytest.approx(160)


async def test_where_both_ends_meet_no_line_is_missing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        times = (1, 2, 3) if request.url.params["direction"] == "forward" else (2, 3, 4)
        return httpx.Response(200, content=answer_of(stream({}, *((t, f"request {t}") for t in times))))

    (found,) = await source(answer, limit=3).read(["cart"], WINDOW)
    assert {line.text for line in found.logs} == {f"request {t}" for t in (1, 2, 3, 4)}
    assert {line.stands_for for line in found.logs} == {1.0}
    assert found.reason == ""


async def test_a_stack_trace_that_was_read_line_by_line_is_one_line() -> None:
    pod = {"pod": "cart-1"}
    lines = [
        (1.0, "ERROR order failed"),
        (1.001, "java.io.IOException: gone"),
        (1.002, "\tat shop.Cart.add(Cart.java:7)"),
        (2.0, "ok"),
    ]
    body = answer_of(stream(pod, *lines), stream({"pod": "cart-2"}, (1.0015, "INFO between")))
    found = lines_of(body, "cart")
    assert [line.text for line in found] == [
        "ERROR order failed\njava.io.IOException: gone\n\tat shop.Cart.add(Cart.java:7)",
        "INFO between",
        "ok",
    ]


async def test_silence_is_no_data() -> None:
    (found,) = await source(lambda _: httpx.Response(200, content=answer_of())).read(["cart"], WINDOW)
    assert (found.status, found.logs) == (SourceStatus.NO_DATA, ())


@pytest.mark.parametrize(
    ("response", "reason"),
    [(httpx.Response(500, text="boom"), "answered 500"), (httpx.Response(200, text="[]"), "a list is documented")],
)
async def test_a_failure_is_a_value_with_its_reason(response: httpx.Response, reason: str) -> None:
    (found,) = await source(lambda _: response).read(["cart"], WINDOW)
    assert found.status is SourceStatus.FAILED
    assert reason in found.reason


@pytest.mark.parametrize(
    "body", [b"{", b'{"data":{"result":[{"values":[["x"]]}]}}', b'{"data":{"result":[{"values":[["x","y"]]}]}}']
)
def test_what_is_not_documented_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload):
        lines_of(body, "cart")


def test_without_a_url_there_is_no_source() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(LokiSettings()) is None
