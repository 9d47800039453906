"""Golden signals asked of a real Prometheus: it understands every query, and the answers are the numbers that were measured."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.commands.loopback import free_port
from bot.domain.telemetry import SourceStatus, Window
from connectors.prometheus import Prometheus, PrometheusSettings
from connectors.prometheus.conventions import Signal
from connectors.prometheus.golden import plan, there, there_of
from connectors.prometheus.places import Way
from connectors.prometheus.resources import SIGNALS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("promtool")), reason="no Prometheus is installed: scripts/real_parts.sh"
    ),
]
START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
LENGTH, STEP = timedelta(minutes=30), 15
PODS = {"cart-7d9c8b5f4d-x2x4z": 0.25, "cart-7d9c8b5f4d-b5b6c": 0.75}


def measured() -> tuple[dict[str, float], dict[str, float]]:
    """Series with what they grow by each second, and series that stand still, as cart and its platform expose them."""
    http = "http_request_duration_seconds"
    grow = {
        'http_requests_total{app="cart",code="200"}': 9.5,
        'http_requests_total{app="cart",code="503"}': 0.5,
        f'{http}_bucket{{app="cart",le="0.1"}}': 9.0,
        f'{http}_bucket{{app="cart",le="0.5"}}': 10.0,
        f'{http}_bucket{{app="cart",le="+Inf"}}': 10.0,
        'http_client_request_duration_seconds_count{app="cart",server_address="pay",error_type="timeout"}': 1.0,
        'http_client_request_duration_seconds_count{app="cart",server_address="pay"}': 3.0,
        'node_cpu_seconds_total{service="cart",cpu="0",mode="idle"}': 0.4,
        'node_cpu_seconds_total{service="cart",cpu="0",mode="user"}': 0.6,
    }
    still = {
        'kube_deployment_status_replicas_available{deployment="cart"}': 1.0,
        'kube_deployment_spec_replicas{deployment="cart"}': 2.0,
        'db_client_connection_count{service_name="cart",instance="a",db_client_connection_state="used"}': 9.0,
        'db_client_connection_count{service_name="cart",instance="a",db_client_connection_state="idle"}': 1.0,
        'db_client_connection_max{service_name="cart",instance="a"}': 10.0,
        'kafka_consumergroup_lag{consumergroup="cart",topic="t",partition="0"}': 3.0,
        'kafka_consumergroup_lag{consumergroup="cart",topic="t",partition="1"}': 4.0,
        'probe_ssl_earliest_cert_expiry{app="cart"}': (START + LENGTH + timedelta(days=10)).timestamp(),
        'node_filesystem_avail_bytes{service="cart",mountpoint="/",fstype="ext4"}': 5.0,
        'node_filesystem_size_bytes{service="cart",mountpoint="/",fstype="ext4"}': 100.0,
        'node_filesystem_avail_bytes{service="cart",mountpoint="/run",fstype="tmpfs"}': 0.0,
        'node_filesystem_size_bytes{service="cart",mountpoint="/run",fstype="tmpfs"}': 1.0,
        'kube_pod_container_status_last_terminated_reason{pod="cart-7d9c8b5f4d-x2x4z",container="app",reason="OOMKilled"}': 1.0,
    }
    for pod, cores in PODS.items():
        inside = f'namespace="s",pod="{pod}",container="app"'
        grow[f"container_cpu_usage_seconds_total{{{inside}}}"] = cores
        grow[f'container_cpu_usage_seconds_total{{namespace="s",pod="{pod}",container=""}}'] = cores  # the whole pod once more
        grow[f"container_cpu_cfs_throttled_periods_total{{{inside}}}"] = 2.0
        grow[f"container_cpu_cfs_periods_total{{{inside}}}"] = 10.0
        still[f'kube_pod_container_resource_limits{{{inside},resource="cpu",unit="core"}}'] = 1.0
        still[f'kube_pod_container_resource_limits{{{inside},resource="memory",unit="byte"}}'] = 400.0
        still[f"container_memory_working_set_bytes{{{inside}}}"] = 400.0 * cores
        still[f"kube_pod_container_status_restarts_total{{{inside}}}"] = 3.0
    return grow, still


def exposition() -> str:
    grow, still = measured()
    at = [(n * STEP, START.timestamp() + n * STEP) for n in range(int(LENGTH.total_seconds() / STEP) + 1)]
    lines = [f"{name} {each * t + 100} {ts}" for name, each in grow.items() for t, ts in at]
    lines += [f"{name} {value} {ts}" for name, value in still.items() for _, ts in at]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def a_prometheus(folder: Path) -> Iterator[str]:
    """The real one, with what was measured."""
    (folder / "samples.txt").write_text(exposition())
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples.txt"), str(folder / "data")]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    (folder / "p.yml").write_text("{}")
    port = free_port()
    words = ("prometheus", f"--config.file={folder / 'p.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y")  # fmt: skip
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


async def ready(client: httpx.AsyncClient) -> None:
    for _ in range(600):
        try:
            if (await client.get("/-/ready")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("Prometheus is not ready after 60 s")


def queries() -> set[str]:
    """Every query that can be asked, each way that leads to it."""
    found = set()
    labels = {"code": "1", "server_address": "x", "le": "+Inf"}

    def needs(signal: Signal, **more: str) -> list[dict[str, str]]:
        return [{"__name__": name, **labels, **more} for name in signal.needs]

    for signal in (signal for group in SIGNALS for signal in group):
        if isinstance(signal.ways, str):
            found |= {q.query for q in plan(there_of(needs(signal), "cart"), ["cart"], (), "60s", {"cart": 'a="b"'})}
            ways: tuple[Way, ...] = (Way("app"),)
        else:
            ways = signal.ways
        for way in ways:
            name = {"pod": "cart-0", "persistentvolumeclaim": "data-cart-0"}.get(
                way.label, "cart" if way.exact else "cart@docker"
            )
            rows = needs(signal, **{way.label: name})
            asked = plan(there(rows, ["cart", "b.c"], ["app"]), ["cart"], ["app"], "60s", {})
            assert signal.metric in {q.signal.metric for q in asked}, f"{signal.metric} is never asked by {way}"
            found |= {q.query for q in asked}
    return found


async def test_a_real_prometheus_understands_every_query_and_answers_what_was_measured(tmp_path: Path) -> None:
    with a_prometheus(tmp_path) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            await ready(client)
            every = queries()
            assert len(every) > 150
            for query in every:
                answer = await client.post("/api/v1/query", data={"query": query})
                assert answer.status_code == 200, f"{query}\n{answer.text}"
        source = Prometheus(PrometheusSettings(url=url, selector="", timeout_seconds=20, link=url))
        readings = await source.read(["cart", "pay"], Window(START + timedelta(minutes=5), START + LENGTH))
    assert {r.status for r in readings} == {SourceStatus.OK}, [(r.query, r.reason) for r in readings if r.reason]
    found = {(s.metric, *s.labels.values()): round(s.points[-1][1], 3) for r in readings for s in r.series if s.service == "cart"}
    assert found == {
        ("http_requests_per_second",): 10.0,
        ("http_request_error_ratio",): 0.05,
        ("http_request_latency_p50_seconds",): 0.056,
        ("http_request_latency_p99_seconds",): 0.46,
        ("outbound_requests_per_second", "pay"): 4.0,
        ("outbound_request_error_ratio", "pay"): 0.25,
        ("container_cpu_cores",): 1.0,
        ("container_cpu_used_ratio",): 0.75,
        ("container_memory_bytes",): 300.0,
        ("container_memory_used_ratio",): 0.75,
        ("container_cpu_throttled_ratio",): 0.2,
        ("container_restarts",): 0.0,
        ("container_restart_failures",): 0.0,
        ("oom_killed_containers",): 1.0,
        ("replicas_ready_ratio",): 0.5,
        ("host_cpu_used_ratio",): 0.6,
        ("host_disk_used_ratio",): 0.95,
        ("db_pool_connections_used_ratio",): 0.9,
        ("queue_consumer_lag",): 7.0,
        ("certificate_remaining_days",): 10.0,
    }
