"""Datadog's metrics: what is asked of what a service reports, and how the answers are called."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import ValidationError

from bot.domain.service import Service, ServiceMetrics
from bot.domain.telemetry import SourceStatus, Window
from bot.investigation.vocabulary import kinds_of_metric
from bot.signals.direction import bad_direction
from connectors.datadog import CONNECTOR, DatadogMetrics, DatadogSettings
from connectors.datadog.metrics import USUAL, signals, tag_value

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=30))
KEYS = {"api_key": "api-k3y", "app_key": "app-k3y", "site": "datadoghq.eu"}


class FakeDatadog:
    """Reports these metrics, answers each expression with one point, its number, and remembers what it was asked."""

    def __init__(self, active: Sequence[str], **more: object) -> None:
        self.active, self.more = active, more
        self.asked: list[httpx.URL] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["dd-api-key"] == "api-k3y"
        assert request.headers["dd-application-key"] == "app-k3y"
        assert request.url.host == "api.datadoghq.eu"
        self.asked.append(request.url)
        if request.url.path == "/api/v1/metrics":
            return httpx.Response(200, json={"from": "1", "metrics": list(self.active)})
        ms = START.timestamp() * 1000
        rows = [
            {"query_index": n, "pointlist": [[ms, float(n)], [ms + 20_000, None]], "metric": "x", "scope": "service:cart"}
            for n, _ in enumerate(request.url.params["query"].split(", "))
        ]
        return httpx.Response(200, json={"status": "ok", "res_type": "time_series", "series": rows} | self.more)

    def source(self, tags: tuple[str, ...] = ()) -> DatadogMetrics:
        service = ServiceMetrics(datadog=tags)
        settings = DatadogSettings.model_validate(KEYS)
        return DatadogMetrics(settings, httpx.MockTransport(self), lambda name: Service(name, metrics=service))


async def test_what_a_service_reports_is_asked_for_in_one_question_that_is_kept() -> None:
    datadog = FakeDatadog(["trace.flask.request.hits", "trace.redis.command.hits", "kubernetes.memory.usage_pct"])
    source = datadog.source()
    (found,) = await source.read(["Cart API"], WINDOW)
    assert datadog.asked[0].params["tag_filter"] == "service:cart_api"
    assert datadog.asked[1].params["query"] == found.query
    assert "sum:trace.flask.request.hits{service:cart_api}.as_rate()" in found.query
    assert "redis" not in found.query, "what it calls is not how it is called"
    assert {s.metric for s in found.series} == {
        "container_memory_used_ratio", "http_requests_per_second", "http_request_error_ratio",
        "http_request_latency_p50_seconds", "http_request_latency_p99_seconds",
    }  # fmt: skip
    assert [point for s in found.series for point in s.points] == [(START, float(n)) for n in range(5)], "a null is a gap"
    await source.read(["Cart API"], WINDOW)
    assert [url.path for url in datadog.asked] == ["/api/v1/metrics", "/api/v1/query", "/api/v1/query"]


async def test_the_tags_of_services_yaml_are_asked_for() -> None:
    datadog = FakeDatadog(["system.cpu.idle"])
    (found,) = await datadog.source(("kube_deployment:cart", "env:prod")).read(["cart"], WINDOW)
    assert datadog.asked[0].params["tag_filter"] == "kube_deployment:cart AND env:prod"
    assert found.query == "1 - avg:system.cpu.idle{kube_deployment:cart,env:prod} / 100"


async def test_an_error_in_an_answer_is_a_failure() -> None:
    (found,) = await FakeDatadog(["system.disk.in_use"], status="error", error="Rate limit").source().read(["cart"], WINDOW)
    assert found.status is SourceStatus.FAILED
    assert "Rate limit" in found.reason


async def test_an_answer_to_no_question_of_ours_is_refused() -> None:
    rows = [{"query_index": 7, "pointlist": []}]
    (found,) = await FakeDatadog(["system.disk.in_use"], series=rows).source().read(["cart"], WINDOW)
    assert found.status is SourceStatus.FAILED
    assert "query_index" in found.reason


def test_every_signal_is_classified_by_its_name() -> None:
    every = {s.metric for s in USUAL} | {s.metric for s in signals({"trace.grpc.server.hits", "trace.rack.request.hits"})}
    fewer = "certificate_remaining_days"
    assert {m for m in every if bad_direction(m) != 1} == {"rpc_requests_per_second", "http_requests_per_second", fewer}
    assert all(kinds_of_metric(m, rising=m != fewer) for m in every)


@pytest.mark.parametrize(("name", "value"), [("Cart", "cart"), ('a"b,{c}', "a_b_c"), ("ns/a-1.x", "ns/a-1.x"), ("{}", "none")])
def test_a_name_is_written_as_the_value_of_a_tag(name: str, value: str) -> None:
    assert tag_value(name) == value


@pytest.mark.parametrize("site", ["https://datadoghq.com", "datadoghq.com/x", "localhost", "a b.com"])
def test_a_site_is_a_host_alone(site: str) -> None:
    with pytest.raises(ValidationError):
        DatadogSettings.model_validate({**KEYS, "site": site})


def test_without_both_keys_there_is_no_evidence() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(DatadogSettings.model_validate({"api_key": "x"})) is None
    assert CONNECTOR.evidence(DatadogSettings.model_validate(KEYS)) is not None
