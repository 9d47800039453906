"""A real Prometheus that remembers a past which never was: alerts made up day by day, backfilled by promtool."""

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.commands.loopback import free_port

STEP = 60  # seconds

RULES = """groups:
  - name: shop
    rules:
      # blips whenever a node is busy
      - alert: NodeLoadHigh
        expr: node_load1{job="node"} > 12
        for: 1m  # was 2m once
        labels:
          severity: warning
        annotations:
          summary: Load is high on {{ $labels.instance }}
      - alert: PaymentErrors
        expr: |
          sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))
            / sum by (service) (rate(http_requests_total[5m])) > 0.05
        for: 2m
        labels: {severity: critical, service: payments}
        annotations: {summary: Payments answer with errors, runbook_url: https://runbooks.example/payments}
      - alert: QueueSlow
        expr: histogram_quantile(0.9, sum by (le) (rate(queue_seconds_bucket[5m]))) > 3
        labels: {severity: warning, service: queue}
"""


def history(end: datetime, days: int, chance: random.Random) -> Iterator[tuple[dict[str, str], datetime, int]]:
    """Labels, beginning and length in minutes of each firing."""
    for day in range(days, 0, -1):
        midnight = end - timedelta(days=day)
        for _ in range(chance.randint(20, 40)):
            at = midnight + timedelta(minutes=chance.randint(0, 1400))
            yield (
                {"alertname": "NodeLoadHigh", "severity": "warning", "instance": f"node{chance.randint(1, 9)}", "job": "node"},
                at,
                2,
            )
        for _ in range(chance.randint(3, 9)):
            at = midnight + timedelta(minutes=chance.randint(0, 1400))
            yield {"alertname": "QueueSlow", "severity": "warning", "service": "queue"}, at, chance.randint(1, 3)
        if day % 5 == 0:
            at = midnight + timedelta(minutes=chance.randint(0, 1300))
            yield {"alertname": "PaymentErrors", "severity": "critical", "service": "payments"}, at, 45


def openmetrics(past: Iterator[tuple[dict[str, str], datetime, int]]) -> str:
    """The samples of ALERTS as a backfill wants them."""
    series: dict[str, set[int]] = {}
    for labels, at, minutes in past:
        told = ",".join(f'{k}="{v}"' for k, v in sorted({**labels, "alertstate": "firing"}.items()))
        first = int(at.timestamp()) // STEP * STEP
        series.setdefault(told, set()).update(first + STEP * n for n in range(minutes))
    lines = [f"ALERTS{{{told}}} 1 {stamp}" for told, stamps in series.items() for stamp in sorted(stamps)]
    return "# TYPE ALERTS gauge\n" + "\n".join(lines) + "\n# EOF\n"


@contextmanager
def past_prometheus(folder: Path, end: datetime, days: int) -> Iterator[str]:
    """Its address; it ends with the block."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("prometheus is not installed (a package of Debian and Ubuntu)")
    (folder / "past.txt").write_text(openmetrics(history(end, days, random.Random(1))))
    argv = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "past.txt", "data"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=300)
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n")
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}",
         "--storage.tsdb.retention.time=200d"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://{address}/-/ready", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(60)
