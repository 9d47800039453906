"""Loki: lines with level and trace, the beginning of a busy window, failures as values."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.domain.telemetry import SourceStatus, Window
from bot.errors import BadPayload
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


async def test_a_busy_service_is_read_from_both_ends() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["direction"])
        assert request.headers["x-scope-orgid"] == "shop"
        newest = stream({"service": "cart"}, (100, "late"), (110, "later"))
        oldest = stream({"service": "cart"}, (1, "early"), (2, "soon"))
        return httpx.Response(200, content=answer_of(newest if asked[-1] == "backward" else oldest))

    (found,) = await source(answer, limit=2, tenant="shop").read(["cart"], WINDOW)
    assert asked == ["backward", "forward"]
    assert [line.text for line in found.logs] == ["early", "soon", "late", "later"]
    assert found.query == '{service="cart"}'


async def test_silence_is_no_data() -> None:
    (found,) = await source(lambda _: httpx.Response(200, content=answer_of())).read(["cart"], WINDOW)
    assert (found.status, found.logs) == (SourceStatus.NO_DATA, ())


@pytest.mark.parametrize(
    ("response", "reason"),
    [(httpx.Response(500, text="boom"), "answered 500"), (httpx.Response(200, text="[]"), "is not an answer of Loki")],
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
