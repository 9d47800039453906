"""Golden signals: what is asked for what is there, and that every answer's name says which way it is bad."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from bot.domain.service import Service, ServiceMetrics
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.investigation.vocabulary import Kind, kinds_of_metric
from bot.signals.direction import bad_direction
from connectors.prometheus import Prometheus, PrometheusSettings
from connectors.prometheus.golden import plan, there, there_of
from connectors.prometheus.places import POD, Way
from connectors.prometheus.resources import SIGNALS

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=30))
Row = Mapping[str, str]
# Which way is bad, and what kind of trouble it tells of.
EXPECTED: dict[str, tuple[int, Kind | None]] = {
    "http_requests_per_second": (0, Kind.CALLS), "http_request_error_ratio": (1, Kind.ERRORS),
    "http_request_latency_p50_seconds": (1, Kind.LATENCY), "http_request_latency_p99_seconds": (1, Kind.LATENCY),
    "http_request_latency_mean_seconds": (1, Kind.LATENCY),
    "rpc_requests_per_second": (0, Kind.CALLS), "rpc_request_error_ratio": (1, Kind.ERRORS),
    "rpc_request_latency_p50_seconds": (1, Kind.LATENCY), "rpc_request_latency_p99_seconds": (1, Kind.LATENCY),
    "rpc_request_latency_mean_seconds": (1, Kind.LATENCY),
    "mesh_requests_per_second": (0, Kind.CALLS), "mesh_request_error_ratio": (1, Kind.ERRORS),
    "mesh_request_latency_p50_seconds": (1, Kind.LATENCY), "mesh_request_latency_p99_seconds": (1, Kind.LATENCY),
    "mesh_request_latency_mean_seconds": (1, Kind.LATENCY),
    "ingress_requests_per_second": (0, Kind.CALLS), "ingress_request_error_ratio": (1, Kind.ERRORS),
    "ingress_request_latency_p50_seconds": (1, Kind.LATENCY), "ingress_request_latency_p99_seconds": (1, Kind.LATENCY),
    "ingress_request_latency_mean_seconds": (1, Kind.LATENCY),
    "outbound_requests_per_second": (0, Kind.CALLS), "outbound_request_error_ratio": (1, Kind.ERRORS),
    "outbound_request_latency_p50_seconds": (1, Kind.LATENCY), "outbound_request_latency_p99_seconds": (1, Kind.LATENCY),
    "outbound_request_latency_mean_seconds": (1, Kind.LATENCY),
    "container_cpu_cores": (1, Kind.CPU), "container_cpu_used_ratio": (1, Kind.CPU),
    "container_memory_bytes": (1, Kind.MEMORY), "container_memory_used_ratio": (1, Kind.MEMORY),
    "container_cpu_throttled_ratio": (1, Kind.THROTTLED), "container_restarts": (1, Kind.STARTUP),
    "container_restart_failures": (1, Kind.STARTUP), "oom_killed_containers": (1, Kind.MEMORY),
    "replicas_ready_ratio": (-1, Kind.STARTUP), "volume_disk_used_ratio": (1, Kind.DISK),
    "process_cpu_cores": (1, Kind.CPU), "process_cpu_used_ratio": (1, Kind.CPU), "process_memory_bytes": (1, Kind.MEMORY),
    "process_fds_used_ratio": (1, Kind.HANDLES), "jvm_heap_used_ratio": (1, Kind.MEMORY), "jvm_gc_pause_ratio": (1, None),
    "event_loop_lag_seconds": (1, Kind.QUEUE),
    "host_cpu_used_ratio": (1, Kind.CPU), "host_memory_used_ratio": (1, Kind.MEMORY), "host_disk_used_ratio": (1, Kind.DISK),
    "db_pool_connections_used_ratio": (1, Kind.POOL), "db_pool_pending": (1, Kind.POOL),
    "db_pool_timeouts_per_second": (1, Kind.TIMEOUT),
    "queue_consumer_lag": (1, Kind.QUEUE), "queue_records_lag": (1, Kind.QUEUE), "queue_depth": (1, Kind.QUEUE),
    "certificate_remaining_days": (-1, Kind.CERTIFICATE), "probe_success_ratio": (-1, None),
}  # fmt: skip


def rows(*metrics: str, **labels: str) -> list[Row]:
    return [{"__name__": metric, **labels} for metric in metrics]


def asked(found: Sequence[Row], names: Sequence[str] = ("cart",), labels: Sequence[str] = ("service", "app")) -> dict[str, str]:
    """The queries that are planned, by the metric of the answer."""
    return {q.signal.metric: q.query for q in plan(there(found, names, labels), names, labels, "60s", {})}


def test_every_signal_is_classified_by_its_name() -> None:
    metrics = {signal.metric for group in SIGNALS for signal in group}
    assert metrics == set(EXPECTED)
    assert {m: bad_direction(m) for m in metrics} == {m: way for m, (way, _) in EXPECTED.items()}
    for metric, (way, kind) in EXPECTED.items():
        assert kind is None or kind in kinds_of_metric(metric, rising=way >= 0), metric


def test_red_is_asked_by_the_label_and_the_status_that_are_there() -> None:
    found = asked(rows("http_requests_total", app="cart", status="200"))
    rate = 'sum by (app) (rate(http_requests_total{app="cart"}[60s]))'
    assert found == {
        "http_requests_per_second": rate,
        "http_request_error_ratio": '(sum by (app) (rate(http_requests_total{app="cart",'
        'status=~"5\\\\d\\\\d|5xx|error|failure"}[60s]))'
        f" or {rate} * 0) / {rate}",
    }
    assert "http_request_error_ratio" not in asked(rows("http_requests_total", app="cart")), "nothing tells what failed"


def test_services_that_are_found_alike_are_asked_about_at_once() -> None:
    every = [*rows("process_resident_memory_bytes", service="cart"), *rows("process_resident_memory_bytes", service="pay")]
    assert asked(every, ("cart", "pay", "gone")) == {
        "process_memory_bytes": 'max by (service) (process_resident_memory_bytes{service=~"cart|pay"})'
    }


def test_the_first_label_that_names_the_service_counts_and_a_namesake_of_another_label_does_not() -> None:
    found = rows("http_requests_total", app="cart", service="proxy", code="200")
    assert 'app="cart"' in asked(found)["http_requests_per_second"]
    assert asked(rows("http_requests_total", handler="cart")) == {}


def test_a_histogram_tells_rate_and_quantiles_and_a_summary_the_mean() -> None:
    base = "http_server_requests_seconds"
    found = asked(rows(f"{base}_count", f"{base}_sum", f"{base}_bucket", app="cart", status="200"))
    assert found["http_request_latency_p99_seconds"] == (
        f'histogram_quantile(0.99, sum by (app, le) (rate({base}_bucket{{app="cart"}}[60s])))'
    )
    assert found["http_requests_per_second"] == f'sum by (app) (rate({base}_count{{app="cart"}}[60s]))'
    assert "http_request_latency_mean_seconds" not in found
    found = asked(rows("http_server_duration_milliseconds_count", "http_server_duration_milliseconds_sum", app="cart"))
    assert found["http_request_latency_mean_seconds"].endswith("/ 1000")


def test_a_native_histogram_has_no_buckets_to_ask_for() -> None:
    base = "http_server_request_duration_seconds"
    found = asked(rows(base, service="cart", http_response_status_code="200"))
    assert found["http_request_latency_p99_seconds"] == (
        f'histogram_quantile(0.99, sum by (service) (rate({base}{{service="cart"}}[60s])))'
    )
    assert found["http_requests_per_second"] == f'sum by (service) (histogram_count(rate({base}{{service="cart"}}[60s])))'


def test_names_with_dots_are_quoted() -> None:
    base = {"__name__": "http.server.request.duration", "service.name": "cart", "http.response.status_code": "200"}
    found = asked([base], labels=("service.name",))
    inside = '__name__="http.server.request.duration","service.name"="cart"'
    assert f'sum by ("service.name") (rate({{{inside}}}[60s]))' in found["http_request_latency_p50_seconds"]


def test_what_pods_use_is_summed_per_service_whatever_the_pods_are_called() -> None:
    pods = [
        *rows("container_cpu_usage_seconds_total", pod="cart-7d9c8b5f4d-x2x4z"),
        *rows("container_cpu_usage_seconds_total", pod="db-0"),
    ]
    query = asked(pods, ("cart", "db", "cart-api"))["container_cpu_cores"]
    assert query.startswith("sum by (service) (label_replace(rate(container_cpu_usage_seconds_total{pod=~")
    assert '"service", "$1", "pod", "(cart|db)-' in query


@pytest.mark.parametrize(
    ("pod", "name"),
    [
        ("cart-7d9c8b5f4d-x2x4z", "cart"),
        ("cart-api-7d9c8b5f4d-x2x4z", "cart-api"),
        ("cart-x2x4z", "cart"),
        ("cart-12", "cart"),
        ("cart-cache", ""),
        ("cart", ""),
        ("supercart-0", ""),
        ("a.b-0", "a.b"),
        ("axb-0", ""),
    ],
)
def test_a_pod_belongs_to_the_service_whose_workload_made_it(pod: str, name: str) -> None:
    assert Way("pod", after=f"-{POD}").reader(("cart", "cart-api", "a.b"))({"pod": pod}) == name


def test_a_described_service_is_asked_about_by_its_own_matchers() -> None:
    found = there_of(rows("http_requests_total", code="200"), "cart")
    (traffic, errors) = plan(found, ("cart",), ("app",), "60s", {"cart": 'app="x",env="prod"'})
    assert traffic.query == 'sum(rate(http_requests_total{app="x",env="prod"}[60s]))'
    assert errors.place.service({"anything": "at all"}) == "cart"


class FakePrometheus:
    """Has some series, answers every range with one row of these labels, and remembers what it was asked."""

    def __init__(self, found: Sequence[Row], *answers: Row) -> None:
        self.found, self.answers = found, answers
        self.looked: list[list[str]] = []
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        if request.url.path.endswith("/series"):
            self.looked.append(form["match[]"])
            return httpx.Response(200, json={"status": "success", "data": list(self.found)})
        self.asked.append({key: value[0] for key, value in form.items()})
        result = [{"metric": dict(labels), "values": [[START.timestamp(), "1"]]} for labels in self.answers]
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": result}})

    def source(self, services: Mapping[str, Service] | None = None, **settings: object) -> Prometheus:
        own = PrometheusSettings.model_validate({"url": "http://p.test/prefix", **settings})
        known = services or {}
        return Prometheus(own, httpx.MockTransport(self), lambda name: known.get(name, Service(name)))


def series(readings: Sequence[Readings]) -> set[tuple[str, str]]:
    return {(s.service, s.metric) for reading in readings for s in reading.series}


async def test_each_reading_has_the_query_as_it_was_asked_and_a_link_to_the_same() -> None:
    prometheus = FakePrometheus(rows("http_requests_total", service="cart", code="200"), {"service": "cart"})
    readings = await prometheus.source(link="https://prometheus.example/").read(["cart"], WINDOW)
    assert [r.query for r in readings] == [q["query"] for q in prometheus.asked]
    assert ("cart", "http_request_error_ratio") in series(readings)
    assert readings[0].link.startswith(
        "https://prometheus.example/graph?g0.expr=sum+by+%28service%29+%28rate%28http_requests_total"
    )
    assert "g0.range_input=30m" in readings[0].link


async def test_what_there_is_is_asked_once_for_both_windows_of_an_investigation() -> None:
    prometheus = FakePrometheus(rows("up", service="cart"))
    source = prometheus.source()
    for _ in range(2):
        await source.read(["cart", "pay"], WINDOW)
    (looked,) = prometheus.looked
    assert all(re.match(r'\{[a-z_]+=~?"', selector) for selector in looked)


async def test_what_golden_signals_cover_is_not_downloaded_once_more() -> None:
    prometheus = FakePrometheus(rows("http_requests_total", app="cart", code="200"))
    readings = await prometheus.source().read(["cart"], WINDOW)
    rest = [r.query for r in readings[-2:]]
    assert [r[:15] for r in rest] == ['{service="cart"', '{app="cart",__n'], "the default, and the label that carries its name"
    assert all(r.endswith('|up|http_requests_total"}') for r in rest)


async def test_without_a_selector_golden_signals_are_all_that_is_asked_for() -> None:
    prometheus = FakePrometheus([])
    (nothing,) = await prometheus.source(selector="").read(["cart"], WINDOW)
    assert nothing.status is SourceStatus.NO_DATA
    assert "service, service_name" in nothing.reason
    assert prometheus.asked == []


async def test_ranges_are_bounded_in_time_and_points() -> None:
    prometheus = FakePrometheus(rows("http_requests_total", service="cart"))
    long = Window(START - timedelta(days=90), START)
    readings = await prometheus.source(max_hours=48, max_series=7).read(["cart"], long)
    assert {r.window for r in readings} == {Window(START - timedelta(hours=48), START)}
    for query in prometheus.asked:
        assert (float(query["end"]) - float(query["start"])) / float(query["step"]) <= 720
        assert query["limit"] == "7"


async def test_services_yaml_says_what_is_asked_of_a_service() -> None:
    said = ServiceMetrics(selector='{app="x", env="prod",}', golden=(("error_ratio", "my_ratio"),))
    prometheus = FakePrometheus(rows("http_requests_total", env="prod"), {"__name__": "y", "pod": "a"})
    readings = await prometheus.source({"cart": Service("cart", metrics=said)}).read(["cart"], WINDOW)
    queries = {r.query: r.series for r in readings}
    assert queries["my_ratio"] == (Series("cart", "error_ratio", ((START, 1.0),), {"pod": "a"}),)
    assert 'sum(rate(http_requests_total{app="x", env="prod"}[60s]))' in queries
    assert any(q.startswith('{app="x", env="prod",__name__!~') for q in queries)


async def test_an_alias_is_the_same_service() -> None:
    prometheus = FakePrometheus(rows("process_resident_memory_bytes", service="cart-v2"), {"service": "cart-v2"})
    readings = await prometheus.source({"cart": Service("cart", aliases=("cart-v2",))}).read(["cart"], WINDOW)
    (found,) = readings[0].series
    assert (found.service, found.metric, found.labels) == ("cart", "process_memory_bytes", {"alias": "cart-v2"})


async def test_calls_are_told_apart_by_whom_they_went_to() -> None:
    base = "http_client_request_duration_seconds"
    prometheus = FakePrometheus(
        rows(f"{base}_count", service="cart", server_address="x"), {"service": "cart", "server_address": "pay"}
    )
    readings = await prometheus.source(selector="").read(["cart"], WINDOW)
    assert [s.labels for s in readings[0].series] == [{"target": "pay"}]


async def test_a_server_without_the_series_api_is_asked_by_selector_all_the_same() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/series"):
            return httpx.Response(404, text="no such path")
        return FakePrometheus([], {"__name__": "cpu_load", "service": "cart"})(request)

    source = Prometheus(PrometheusSettings(url="http://p.test"), httpx.MockTransport(answer))
    failed, found = await source.read(["cart"], WINDOW)
    assert failed.status is SourceStatus.FAILED
    assert "which metrics there are" in failed.reason
    assert found.series[0].metric == "cpu_load"


async def test_tenant_and_password_and_prefix_are_sent() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-scope-orgid"] == "team-a"
        assert request.headers["authorization"].startswith("Basic ")
        assert request.url.path.startswith("/prefix/api/v1/")
        return FakePrometheus([])(request)

    own = PrometheusSettings.model_validate(
        {"url": "http://p.test/prefix/", "tenant": "team-a", "username": "u", "password": "pw"}
    )
    readings = await Prometheus(own, httpx.MockTransport(answer)).read(["cart"], WINDOW)
    assert {r.status for r in readings} == {SourceStatus.NO_DATA}


async def test_nothing_is_asked_more_finely_than_it_is_measured() -> None:
    prometheus = FakePrometheus(rows("http_requests_total", service="cart"))
    await prometheus.source(scrape_seconds=30).read(["cart"], WINDOW)
    assert {query["step"] for query in prometheus.asked} == {"30"}
    assert "[120s]" in prometheus.asked[0]["query"]
