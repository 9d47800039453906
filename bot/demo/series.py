"""What the shop's processes counted, turned into rates and percentiles per service and per instance.

Everything here is arithmetic on scrapes: no I/O, no clock. Percentiles are interpolated in histogram buckets as
Prometheus' `histogram_quantile` does.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)$")
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
Counts = dict[Key, float]


def parse(text: str) -> Counts:
    """The samples of a text exposition, by name and labels; lines that are no sample are left out."""
    counts: Counts = {}
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            counts[found[1], tuple(_LABEL.findall(found[2] or ""))] = float(found[3])
    return counts


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded value: metric name, labels, value."""

    metric: str
    labels: Labels
    value: float


@dataclass(slots=True)
class Window:
    """The counters' growth over the last few scrapes of one instance or one service."""

    seconds: float
    _steps: deque[tuple[float, float, Counts]] = field(default_factory=deque)

    def add(self, at: float, span: float, growth: Counts) -> None:
        """Take in what grew in the `span` seconds before `at`."""
        self._steps.append((at, span, growth))
        while self._steps and self._steps[0][0] <= at - self.seconds:
            self._steps.popleft()

    def growth(self) -> tuple[float, Counts]:
        """The seconds covered, and the growth of every counter in them."""
        total: Counts = {}
        for _, _, step in self._steps:
            for key, amount in step.items():
                total[key] = total.get(key, 0.0) + amount
        return sum(span for _, span, _ in self._steps), total


def grown(before: Mapping[Key, float], now: Mapping[Key, float]) -> Counts:
    """How much each counter grew; a counter that was not there before counts from zero.

    Counters that stood still are left out, except buckets: a percentile needs the empty ones too.
    """
    growth = {key: value - before.get(key, 0.0) for key, value in now.items()}
    return {key: amount for key, amount in growth.items() if amount or key[0].endswith("_bucket")}


def recorded(service: str, seconds: float, growth: Counts) -> list[Recorded]:
    """The recorded rules of one service over one window."""
    if seconds <= 0:
        return []
    base: Labels = (("service", service),)
    requests = total(growth, "http_requests_total")
    rows = [Recorded("http_requests_per_second", base, requests / seconds)]
    if requests:
        rows.append(Recorded("http_request_error_ratio", base, errors(growth) / requests))
        rows += _percentiles("http_request_latency", "http_request_duration_seconds", base, growth)
    for target in targets(growth):
        labels: Labels = (*base, ("target", target))
        calls = total(growth, "outbound_calls_total", target=target)
        rows.append(Recorded("outbound_calls_per_second", labels, calls / seconds))
        rows.append(Recorded("retries_per_second", labels, total(growth, "retries_total", target=target) / seconds))
        if calls:
            failed = total(growth, "outbound_failures_total", target=target)
            rows.append(Recorded("outbound_error_ratio", labels, failed / calls))
            rows += _percentiles("outbound_latency", "outbound_duration_seconds", labels, growth, target=target)
        if requests:
            rows.append(Recorded("outbound_calls_per_request", labels, calls / requests))
    hits, misses = total(growth, "cache_hits_total"), total(growth, "cache_misses_total")
    if hits + misses:
        rows.append(Recorded("cache_hit_ratio", base, hits / (hits + misses)))
    rows += _percentiles("worker_wait", "pool_wait_seconds", base, growth)
    return rows


def targets(growth: Counts) -> list[str]:
    """Whom the service called."""
    return sorted({dict(labels)["target"] for name, labels in growth if name == "outbound_calls_total"})


def total(growth: Counts, name: str, **labels: str) -> float:
    """The growth of a counter, summed over the labels that are not given."""
    wanted = set(labels.items())
    return sum(amount for (found, having), amount in growth.items() if found == name and wanted <= set(having))


def errors(growth: Counts) -> float:
    """How many requests were answered with 500 or above."""
    return sum(
        amount for (name, labels), amount in growth.items() if name == "http_requests_total" and int(dict(labels)["code"]) >= 500
    )


def quantile(q: float, growth: Counts, name: str, **labels: str) -> float | None:
    """The q-quantile of a histogram in seconds, or None if nothing was observed."""
    wanted = set(labels.items())
    buckets: dict[float, float] = {}
    for (found, having), amount in growth.items():
        if found == f"{name}_bucket" and wanted <= set(having):
            bound = float(dict(having)["le"])
            buckets[bound] = buckets.get(bound, 0.0) + amount
    return _interpolated(q, sorted(buckets.items()))


def _interpolated(q: float, buckets: list[tuple[float, float]]) -> float | None:
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank, below, floor = q * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if bound == float("inf"):
                return floor
            return floor + (bound - floor) * ((rank - below) / (count - below) if count > below else 1.0)
        below, floor = count, bound
    return floor


def _percentiles(metric: str, histogram: str, labels: Labels, growth: Counts, **only: str) -> Iterable[Recorded]:
    for q, name in ((0.5, "p50"), (0.95, "p95")):
        value = quantile(q, growth, histogram, **only)
        if value is not None:
            yield Recorded(f"{metric}_{name}_seconds", labels, value)
