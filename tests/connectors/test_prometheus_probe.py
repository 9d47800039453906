"""What a Prometheus says of a query: no PromQL, no such metric, no data, or fine; by wire format, and by a real one."""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.commands.loopback import free_port
from bot.domain.care import Health
from bot.errors import Unavailable
from bot.knowledge.promql import metrics
from connectors.prometheus import CONNECTOR, PrometheusProbe, PrometheusSettings

Answers = dict[str, tuple[int, Any]]


def probe(answers: Answers) -> PrometheusProbe:
    def answer(request: httpx.Request) -> httpx.Response:
        status, body = answers[request.url.path]
        if isinstance(body, Exception):
            raise body
        return httpx.Response(status, json=body) if not isinstance(body, str) else httpx.Response(status, text=body)

    return PrometheusProbe("http://prometheus.example", "t-oken", httpx.MockTransport(answer))


def rows(*found: Any) -> tuple[int, Any]:
    return 200, {"status": "success", "data": {"resultType": "vector", "result": list(found)}}


ONE = {"metric": {}, "value": [1, "1"]}


async def test_data_is_fine_and_no_data_is_no_fault_while_the_metric_is_there() -> None:
    assert await probe({"/api/v1/query": rows(ONE)}).health("up", ["up"]) == (Health.FINE, "")
    names: Answers = {"/api/v1/query": rows(), "/api/v1/label/__name__/values": (200, {"data": ["up"]})}
    assert (await probe(names).health('up{job="x"}', ["up"]))[0] is Health.NO_DATA


async def test_a_metric_that_had_no_sample_of_late_is_named() -> None:
    names: Answers = {"/api/v1/query": rows(), "/api/v1/label/__name__/values": (200, {"data": ["up"]})}
    assert await probe(names).health("up / gone_total", ["up", "gone_total"]) == (
        Health.NO_METRIC,
        "gone_total had no sample in 7 days",
    )


async def test_absent_has_data_because_its_metric_is_gone() -> None:
    names: Answers = {"/api/v1/query": rows(ONE), "/api/v1/label/__name__/values": (200, {"data": []})}
    assert (await probe(names).health("absent(gone)", ["gone"]))[0] is Health.NO_METRIC


async def test_a_query_that_is_none_is_broken_in_prometheus_own_words() -> None:
    error = {"status": "error", "errorType": "bad_data", "error": 'invalid parameter "query": 1:4: parse error: unclosed bracket'}
    assert await probe({"/api/v1/query": (400, error)}).health("sum(", []) == (
        Health.BROKEN,
        "1:4: parse error: unclosed bracket",
    )


@pytest.mark.parametrize(
    "answer", [(503, {}), (401, {}), (200, "<html>"), (200, httpx.ConnectError("no")), (200, httpx.ReadTimeout(""))]
)
async def test_what_cannot_be_asked_tells_nothing_of_the_query(answer: tuple[int, Any]) -> None:
    with pytest.raises(Unavailable) as told:
        await probe({"/api/v1/query": answer}).health("up", ["up"])
    assert "t-oken" not in str(told.value)


async def test_whoever_does_not_tell_of_names_is_believed_to_have_the_metric() -> None:
    names: Answers = {"/api/v1/query": rows(), "/api/v1/label/__name__/values": (200, "<html>")}
    assert (await probe(names).health("up", ["up"]))[0] is Health.NO_DATA


async def test_the_alerts_of_its_rules_are_known_or_not() -> None:
    groups = {"data": {"groups": [{"rules": [{"name": "Down", "type": "alerting"}, {"name": "Slow"}]}]}}
    assert await probe({"/api/v1/rules": (200, groups)}).alerts() == {"Down", "Slow"}
    assert await probe({"/api/v1/rules": (404, {})}).alerts() is None


def test_the_connector_has_a_probe_once_it_has_an_address() -> None:
    assert CONNECTOR.probe is not None
    assert CONNECTOR.probe(PrometheusSettings()) is None
    assert CONNECTOR.probe(PrometheusSettings(url="http://p:9090")) is not None


# --- a real one -----------------------------------------------------------------------------------------------------


class _Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'# TYPE errors_total counter\nerrors_total{service="payments",code="500"} 7\nqueue_depth{service="cart"} 3\n'
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def _scraped() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Metrics)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextlib.asynccontextmanager
async def real_prometheus(folder: Path) -> AsyncIterator[str]:
    """A Prometheus of this machine with two metrics and one alert, scraped at least twice."""
    with _scraped() as target:
        (folder / "rules.yml").write_text(
            '{"groups": [{"name": "shop", "rules": [{"alert": "HighErrorRate", "expr": "rate(errors_total[5s]) > 100"}]}]}'
        )
        (folder / "prometheus.yml").write_text(
            '{"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "1s"},'
            '"rule_files": ["rules.yml"],'
            f'"scrape_configs": [{{"job_name": "shop", "static_configs": [{{"targets": ["127.0.0.1:{target}"]}}]}}]}}'
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                for _ in range(600):
                    with contextlib.suppress(httpx.HTTPError, KeyError):
                        found = await client.get("/api/v1/query", params={"query": "rate(errors_total[10s])"})
                        if found.raise_for_status().json()["data"]["result"]:  # while it starts it answers 503
                            break
                    await asyncio.sleep(0.1)
            yield url
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="the program prometheus is not installed")
async def test_a_real_prometheus_tells_parse_errors_unknown_metrics_and_no_data_apart(tmp_path: Path) -> None:
    async with real_prometheus(tmp_path) as url:
        asked = PrometheusProbe(url)
        told = {
            query: (await asked.health(query, metrics(query)))[0]
            for query in (
                'sum by (service) (rate(errors_total{service=~".+"}[5m]))',
                'errors_total{service="nobody"}',
                "rate(errors_totals[5m])",
                "errors_total / on(service) no_such_metric",
                "sum(rate(errors_total[5m])",
                "errors_total and",
                "rate(queue_depth)",
                "absent(no_such_metric)",
                "vector(0) or no_such_metric",
                "queue_depth < 1 and on() vector(1)",
                '{__name__="queue_depth"}',
            )
        }
        assert list(told.values()) == [
            Health.FINE,
            Health.NO_DATA,
            Health.NO_METRIC,
            Health.NO_METRIC,
            Health.BROKEN,
            Health.BROKEN,
            Health.BROKEN,
            Health.NO_METRIC,
            Health.NO_METRIC,
            Health.NO_DATA,
            Health.FINE,
        ]
        assert await asked.alerts() == {"HighErrorRate"}
    with pytest.raises(Unavailable):
        await PrometheusProbe(url).health("up", ["up"])
