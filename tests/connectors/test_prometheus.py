"""Prometheus: what is asked, what comes back, and failures as values."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.payload import Node, read_json
from bot.domain.telemetry import SourceStatus, Window
from bot.errors import BadPayload
from connectors.prometheus import CONNECTOR, Prometheus, PrometheusSettings
from connectors.prometheus.api import MOST_POINTS, rates, rows_of, series_of, step_seconds

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=2))


def matrix(*rows: tuple[dict[str, str], list[tuple[float, str]]]) -> bytes:
    result = [{"metric": labels, "values": [[START.timestamp() + t, v] for t, v in values]} for labels, values in rows]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


def source(answer: Callable[[httpx.Request], httpx.Response], **settings: object) -> Prometheus:
    own = PrometheusSettings.model_validate({"url": "http://prometheus.test/", "golden": False, **settings})
    return Prometheus(own, httpx.MockTransport(answer))


async def test_each_service_is_asked_with_its_selector_and_the_query_is_kept() -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(parse_qs(request.content.decode()))
        assert request.url.path == "/api/v1/query_range"
        assert request.headers["authorization"] == "Bearer s3cret"
        return httpx.Response(200, content=matrix(({"__name__": "error_ratio", "service": "cart"}, [(0, "0.5"), (1, "NaN")])))

    found = await source(answer, token=SecretStr("s3cret"), selector='{{app="{service}"}}').read(["cart", 'o"x'], WINDOW)
    assert [r.query for r in found] == ['{app="cart"}', '{app="o\\"x"}']
    assert {q["query"][0] for q in asked} == {r.query for r in found}
    assert asked[0]["step"] == ["1"]
    assert found[0].status is SourceStatus.OK
    assert found[0].series[0].points == ((START, 0.5),)


@pytest.mark.parametrize("span", [timedelta(seconds=5), timedelta(hours=2), timedelta(days=3)])
def test_a_window_never_has_more_than_720_points(span: timedelta) -> None:
    step = step_seconds(Window(START, START + span))
    assert step >= 1
    assert span.total_seconds() / step + 1 <= MOST_POINTS


def test_counters_become_rates_and_survive_a_restart() -> None:
    body = matrix(({"__name__": "requests_total"}, [(0, "10"), (10, "30"), (20, "5")]), ({"__name__": "x_bucket"}, [(0, "1")]))
    (only,) = series_of(rows_of(read_json(body)), "cart")
    assert (only.service, only.metric) == ("cart", "requests_total_per_second")
    assert [v for _, v in only.points] == [2.0, 0.5]
    assert rates([]) == []


async def test_no_series_is_no_data_not_a_failure() -> None:
    (found,) = await source(lambda _: httpx.Response(200, content=matrix())).read(["cart"], WINDOW)
    assert found.status is SourceStatus.NO_DATA


def slow(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


def away(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused by 10.1.1.1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (slow, "did not answer within 4 s"),
        (away, "cannot be reached (ConnectError)"),
        (lambda _: httpx.Response(400, text="parse error"), "answered 400 to POST /api/v1/query_range: parse error"),
        (lambda _: httpx.Response(200, text="<html>"), "is not JSON"),
        (lambda _: httpx.Response(200, json={"data": {"result": [{"metric": {}, "values": [["x"]]}]}}), "values"),
    ],
)
async def test_a_failure_is_a_value_with_its_reason(answer: Callable[[httpx.Request], httpx.Response], reason: str) -> None:
    (found,) = await source(answer, token="s3cret").read(["cart"], WINDOW)
    assert found.status is SourceStatus.FAILED
    assert reason in found.reason
    assert "s3cret" not in found.reason


def test_what_is_not_a_matrix_is_refused_by_path() -> None:
    with pytest.raises(BadPayload, match=r"\$\.data\.result\[0\]"):
        rows_of(Node({"data": {"result": [{"metric": 3}]}}))


@pytest.mark.parametrize("selector", ["{{app='x'}}", "{service", '{{a="{service}"}} {other}'])
def test_a_selector_that_cannot_work_is_refused(selector: str) -> None:
    with pytest.raises(ValidationError):
        PrometheusSettings(url="http://x", selector=selector)


def test_without_a_url_there_is_no_source() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(PrometheusSettings()) is None
    assert CONNECTOR.evidence(PrometheusSettings(url="http://x")) is not None
