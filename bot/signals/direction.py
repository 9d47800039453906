"""Which way a metric is bad, read from the words of its name by general conventions."""

import re
from collections.abc import Mapping
from functools import lru_cache


def bag(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_UP_IS_BAD = bag(
    "error errors fail failed failure failures exception exceptions 5xx 4xx 500 503 latency duration seconds_p95 p50 p90 p95 p99 "
    "wait waits waiting timeout timeouts retry retries exhausted restart restarts oom killed panic panics lag age backlog "
    "queue depth utilization utilisation cpu memory rss heap pending cancelled canceled dropped rejected saturation missing "
    "miss misses conflict conflicts throttled evictions unhealthy servfail pause goroutines threads slow busy swap load "
    "deadlocks blocked refused declined aborted use used usage inflight"
)
_DOWN_IS_BAD = bag(
    "hit hits success successes ready available availability uptime healthy processed throughput free remaining committed "
    "flushed enriched decoded completed delivered replicas heartbeats up goodput apdex conversions"
)
_NEUTRAL = bag("limit max capacity expiry expires until version info build timestamp created threshold quota")
_COUNTS_TRAFFIC = bag("request requests calls call queries query qps rps tps messages events hits_per_second traffic")


@lru_cache(maxsize=32_768)
def words(name: str) -> tuple[str, ...]:
    """The words of an identifier, in lower case: camel case, snake case, dots and dashes are taken apart."""
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", name)
    return tuple(w for w in re.split(r"[^a-z0-9]+", spaced.lower()) if w)


def bad_direction(metric: str) -> int:
    """+1 if more of it is worse, -1 if less of it is worse, 0 if the name does not say (traffic, limits)."""
    parts = words(metric)
    if any(w in _NEUTRAL for w in parts):
        return 0
    if any(w in _DOWN_IS_BAD for w in parts) and not any(w in ("error", "errors", "failures") for w in parts):
        return -1
    return 1 if any(w in _UP_IS_BAD for w in parts) else 0


def counts_traffic(metric: str) -> bool:
    """The metric counts requests, calls or queries rather than what became of them."""
    parts = set(words(metric))
    if "per_request" in metric:
        return False
    return bool(parts & _COUNTS_TRAFFIC) and not parts & (_UP_IS_BAD | _DOWN_IS_BAD | _NEUTRAL)


def is_share(metric: str) -> bool:
    """The metric is a share in [0, 1] by its name."""
    return bool({"ratio", "rate", "share", "fraction"} & set(words(metric)))


def label_suffix(labels: Mapping[str, str]) -> str:
    """The labels that tell series of one metric apart, for people: " to acmepay" for a target, else " (k=v)"."""
    target = next((labels[k] for k in ("target", "peer", "peer_service", "destination", "upstream") if labels.get(k)), "")
    if target:
        return f" to {target}"
    shown = ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in ("service", "job", "instance", "environment"))
    return f" ({shown[:60]})" if shown else ""
