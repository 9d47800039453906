"""Service-graph metrics: which family is there, what is asked, whose words count, and failures as values."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.commands.loopback import free_port
from bot.domain.service import Service
from bot.domain.telemetry import SourceStatus, Window
from bot.errors import BotError
from bot.wire.rest import Rest
from connectors.prometheus import PrometheusSettings
from connectors.prometheus.api import rest_of
from connectors.prometheus.servicegraph import FAMILIES, NAME, ServiceGraphMetrics, queries_of
from tests.connectors.test_evidence_contract import FAILURES, HOST, guarded

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=2))
Row = tuple[dict[str, str], list[tuple[float, str]]]
TEMPO, ISTIO, LINKERD = FAMILIES[0], FAMILIES[1], FAMILIES[2]


def rest(answer: Callable[[httpx.Request], httpx.Response]) -> Rest:
    return rest_of(PrometheusSettings(url="http://p.test"), httpx.MockTransport(answer))


class FakePrometheus:
    """Answers with rows by the beginning of the metric that a query sums, and notes what was asked."""

    def __init__(self, names: list[str], rows: Mapping[str, list[Row]]) -> None:
        self.names, self.rows = names, rows
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, httpx.QueryParams(request.content.decode() or request.url.query)
        self.asked.append((path, params.get("query", " ".join(params.get_list("match[]")))))
        if path.endswith("/__name__/values"):
            return httpx.Response(200, json={"status": "success", "data": self.names})
        kind = next((k for k in sorted(self.rows, key=len, reverse=True) if k in params["query"]), "")
        given = self.rows.get(kind, [])
        if path.endswith("query_range"):
            result = [{"metric": m, "values": [[START.timestamp() + t, v] for t, v in vs]} for m, vs in given]
        else:
            result = [{"metric": m, "value": [START.timestamp() + vs[-1][0], vs[-1][1]]} for m, vs in given]
        return httpx.Response(200, content=json.dumps({"status": "success", "data": {"result": result}}))

    def source(self, clock: float = 0.0) -> ServiceGraphMetrics:
        return ServiceGraphMetrics(rest(self), clock=lambda: clock)


def tempo(client: str, server: str, *values: tuple[float, str], kind: str = "") -> Row:
    return {"client": client, "server": server, "connection_type": kind}, list(values)


async def test_calls_errors_and_latency_of_an_edge_meet_at_each_point_of_time() -> None:
    server = FakePrometheus(
        ["traces_service_graph_request_total"],
        {
            "request_total": [tempo("checkout", "payments", (15, "4"), (30, "6")), tempo("user", "checkout", (15, "9"))],
            "request_failed_total": [tempo("checkout", "payments", (30, "3"))],
            "client_seconds_sum": [tempo("checkout", "payments", (15, "0.25"), (30, "NaN"))],
        },
    )
    (found,) = await server.source().read(["checkout"], WINDOW)
    assert found.status is SourceStatus.OK
    assert [(e.at, e.caller, e.callee, e.calls, e.errors, e.latency_ms) for e in found.edges] == [
        (START, "checkout", "payments", 4.0, 0.0, 250.0),
        (START + timedelta(seconds=15), "checkout", "payments", 6.0, 3.0, 0.0),
    ]
    assert found.query == queries_of(TEMPO, ["checkout"], "120s")[0]
    assert 'client=~"(?i:checkout)"' in found.query
    assert 'server=~"(?i:checkout)"' in found.query


async def test_a_service_answers_to_its_other_spellings_under_its_own_name() -> None:
    server = FakePrometheus(["traces_service_graph_request_total"], {"request_total": [tempo("Cart_API", "payments", (15, "1"))]})
    (found,) = await server.source().read(["cart-api"], WINDOW)
    assert [(e.caller, e.callee) for e in found.edges] == [("cart-api", "payments")]
    assert "(?i:cart[-_. ]api)" in found.query


async def test_a_service_is_asked_for_under_its_other_names_too() -> None:
    server = FakePrometheus(["traces_service_graph_request_total"], {"request_total": [tempo("web", "pay-api", (15, "1"))]})
    source = server.source().catalogued(lambda name: Service(name, aliases=("Pay_API",) if name == "payments" else ()))
    (found,) = await source.read(["payments"], WINDOW)
    assert [(e.caller, e.callee) for e in found.edges] == [("web", "payments")]
    assert "(?i:payments|pay[-_. ]api)" in found.query
    assert await source.read([], WINDOW) == ()


async def test_istio_is_heard_as_the_caller_saw_it_and_hosts_outside_the_mesh_are_outside() -> None:
    def row(source: str, target: str, host: str, reporter: str, value: str) -> Row:
        labels = {
            "source_canonical_service": source, "destination_canonical_service": target,
            "destination_service_name": host, "reporter": reporter,
        }  # fmt: skip
        return labels, [(15, value)]

    server = FakePrometheus(
        ["istio_requests_total"],
        {
            "istio_requests_total": [
                row("checkout", "payments", "payments", "destination", "99"),
                row("checkout", "payments", "payments", "source", "5"),
                row("payments", "unknown", "api.bank.example", "source", "2"),
                row("unknown", "checkout", "checkout", "destination", "7"),
                row("checkout", "unknown", "PassthroughCluster", "source", "7"),
            ]
        },
    )
    calls = await server.source().seen(WINDOW)
    assert [(c.caller, c.callee, c.calls, c.external) for c in calls] == [
        ("checkout", "payments", 5.0, False),
        ("payments", "api.bank.example", 2.0, True),
    ]


async def test_of_linkerd_only_outbound_responses_with_a_known_callee_are_asked_for() -> None:
    server = FakePrometheus(
        ["response_total"],
        {
            "response_total": [({"deployment": "web", "dst_statefulset": "orders"}, [(15, "8")])],
            'classification="failure"': [({"deployment": "web", "dst_statefulset": "orders"}, [(15, "2")])],
            "response_latency_ms": [({"deployment": "web", "dst_statefulset": "orders"}, [(15, "12.5")])],
        },
    )
    (call,) = await server.source().seen(WINDOW)
    assert (call.caller, call.callee, call.calls, call.errors, call.latency_ms) == ("web", "orders", 8.0, 2.0, 12.5)
    assert 'direction="outbound"' in queries_of(LINKERD, ["web"], "2m")[0]
    assert 'response_total{dst_deployment!=""}' in server.asked[0][1]


async def test_a_database_known_by_spans_of_its_callers_alone_is_outside() -> None:
    labels = {"service_name": "orders", "server_address": "pg-1.internal"}
    server = FakePrometheus(["traces_span_metrics_calls_total"], {"traces_span_metrics_calls_total": [(labels, [(15, "3")])]})
    (call,) = await server.source().seen(WINDOW)
    assert (call.caller, call.callee, call.external) == ("orders", "pg-1.internal", True)


async def test_a_server_without_such_metrics_is_asked_once_and_says_nothing() -> None:
    server = FakePrometheus(["up"], {})
    source = server.source()
    assert await source.read(["cart"], WINDOW) == ()
    assert await source.read(["cart"], WINDOW) == ()
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"{", b'{"data":{"result":[{"metric":{"client":"a","server":"b"},"values":[["x"]]}]}}'])
async def test_what_is_not_documented_is_a_failure_with_its_reason(body: bytes) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("values"):
            return httpx.Response(200, json={"data": ["traces_service_graph_request_total"]})
        return httpx.Response(200, content=body)

    source = ServiceGraphMetrics(rest(answer))
    (found,) = await source.read(["a"], WINDOW)
    assert found.status is SourceStatus.FAILED
    assert found.reason


async def test_a_server_that_is_away_is_a_failure_to_those_who_read_and_an_error_to_the_sweep() -> None:
    source = ServiceGraphMetrics(rest(lambda _: httpx.Response(503)))
    (found,) = await source.read(["a"], WINDOW)
    assert (found.status, "503" in found.reason) == (SourceStatus.FAILED, True)
    with pytest.raises(BotError):
        await source.seen(WINDOW)


@pytest.mark.parametrize("failure", FAILURES)
async def test_it_keeps_the_promises_of_every_evidence_source(failure: str) -> None:
    readings = await ServiceGraphMetrics(rest_of(PrometheusSettings(url=f"http://{HOST}"), guarded(FAILURES[failure]))).read(
        ["a"], WINDOW
    )
    assert [(r.status, r.source) for r in readings] == [(SourceStatus.FAILED, NAME)]
    assert 10 <= len(readings[0].reason) <= 400
    assert not failure.isdecimal() or failure in readings[0].reason


def test_a_name_from_outside_stays_inside_its_quotes() -> None:
    query = queries_of(TEMPO, ['a"} or up{x="', "b|c.*"], "2m")[0]
    assert r'client=~"(?i:a\"\\}[-_. ]or[-_. ]up\\{x=\"|b\\|c[-_. ]\\*)"' in query


def _samples() -> str:
    """Five minutes of the four families in OpenMetrics, a sample every 15 s: 2 calls/s, 100 ms each; 0.5/s of one edge failed."""
    labels = {
        "traces_service_graph_request": 'client="checkout",server="payments"',
        "istio_requests": 'reporter="source",source_workload="web",destination_workload="cart",response_code="200"',
        "response": 'direction="outbound",deployment="cart",dst_deployment="stock",classification="success"',
        "traces_span_metrics_calls": 'service_name="stock",span_kind="SPAN_KIND_CLIENT",server_address="pg",status_code="OK"',
    }
    latencies = {
        "traces_service_graph_request_client_seconds": (labels["traces_service_graph_request"], 0.1),
        "istio_request_duration_milliseconds": (labels["istio_requests"], 100.0),
        "response_latency_ms": (labels["response"], 100.0),
    }
    at = [(t, int(START.timestamp()) + t) for t in range(-300, 1, 15)]
    lines = []
    for name, inside in labels.items():
        lines += [f"# TYPE {name} counter", *(f"{name}_total{{{inside}}} {2 * (t + 300)} {ts}" for t, ts in at)]
    inside = labels["traces_service_graph_request"]
    lines.append("# TYPE traces_service_graph_request_failed counter")
    lines += [f"traces_service_graph_request_failed_total{{{inside}}} {0.5 * (t + 300)} {ts}" for t, ts in at]
    for name, (inside, each) in latencies.items():
        lines.append(f"# TYPE {name} summary")
        lines += [f"{name}_count{{{inside}}} {2 * (t + 300)} {ts}" for t, ts in at]
        lines += [f"{name}_sum{{{inside}}} {2 * each * (t + 300)} {ts}" for t, ts in at]
    return "\n".join([*lines, "# EOF", ""])


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="no Prometheus is installed: scripts/real_parts.sh"
)
async def test_the_real_prometheus_understands_every_query(tmp_path: Path) -> None:
    (tmp_path / "samples.txt").write_text(_samples())
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "samples.txt"), str(tmp_path / "data")]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    (tmp_path / "p.yml").write_text("{}")
    port = free_port()
    words = ("prometheus", f"--config.file={tmp_path / 'p.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y")  # fmt: skip
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        source = ServiceGraphMetrics(rest_of(PrometheusSettings(url=f"http://127.0.0.1:{port}")))
        window = Window(START - timedelta(minutes=4), START)
        for _ in range(600):
            with contextlib.suppress(BotError):
                calls = await source.seen(window)
                break
            await asyncio.sleep(0.1)
        readings = await source.read(["checkout", "Cart"], window)
    finally:
        server.terminate()
        server.wait(60)
    assert {(c.caller, c.callee): (round(c.calls, 2), round(c.errors, 2), round(c.latency_ms)) for c in calls} == {
        ("checkout", "payments"): (2.0, 0.5, 100),
        ("web", "cart"): (2.0, 0.0, 100),
        ("cart", "stock"): (2.0, 0.0, 100),
        ("stock", "pg"): (2.0, 0.0, 0),
    }
    assert [r.status for r in readings] == [SourceStatus.OK, SourceStatus.OK, SourceStatus.OK, SourceStatus.NO_DATA]
    assert {(e.caller, e.callee) for r in readings for e in r.edges} == {
        ("checkout", "payments"), ("web", "Cart"), ("Cart", "stock"),
    }  # fmt: skip
