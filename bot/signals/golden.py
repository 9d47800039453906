"""Which series of a service are its golden signals, read from the words of their names."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from bot.domain.telemetry import Series
from bot.signals.direction import bag, counts_traffic, is_share, label_suffix, words

MOST_PER_ROLE = 2  # series of one service


class Role(StrEnum):
    """What a golden signal tells of."""

    LATENCY = "latency"
    ERRORS = "errors"
    TRAFFIC = "traffic"
    SATURATION = "saturation"


_ERRORS = bag("error errors failed failure failures exception exceptions 5xx 4xx 500 503 timeouts rejected dropped")
_WELL = bag("availability available success successes")  # the share that did not fail
_LATENCY = bag("latency duration lag p50 p90 p95 p99 pause")
_SATURATION = bag(
    "saturation utilization utilisation used usage cpu memory heap pool pending backlog queue depth throttled inflight load fds"
)
_BEST = ("p99", "p95", "latency", "ratio", "per", "http", "requests")  # words of the names that tell most, the best first


def role(metric: str) -> Role | None:
    """The role that a metric's name gives it, or None if it is no golden signal."""
    parts = set(words(metric))
    if parts & (_ERRORS | _WELL) and "replicas" not in parts:
        return Role.ERRORS
    if parts & _LATENCY:
        return Role.LATENCY
    if counts_traffic(metric):
        return Role.TRAFFIC
    return Role.SATURATION if parts & _SATURATION else None


def golden(series: Iterable[Series]) -> tuple[Series, ...]:
    """At most two series for each role of each service: those of the service as a whole before those of its parts."""
    ranked: dict[tuple[str, Role], list[Series]] = {}
    for one in series:
        if one.points and (what := role(one.metric)) is not None:
            ranked.setdefault((one.service, what), []).append(one)
    return tuple(one for key in sorted(ranked) for one in sorted(ranked[key], key=_rank)[:MOST_PER_ROLE])


def name(series: Series) -> str:
    """The series' name within its service: the metric, and what its labels add."""
    return f"{series.metric}{label_suffix(_telling(series.labels))}"


def floor(metric: str) -> float:
    """The least noise that a metric of this name is believed to have, in its own unit."""
    if is_share(metric):
        return 0.01
    parts = set(words(metric))
    if parts & {"ms", "milliseconds"}:
        return 5.0
    if parts & {"seconds"} and not parts & {"per"}:
        return 0.005
    return 0.05 if parts & {"second", "per"} else 0.0


def _telling(labels: Mapping[str, str]) -> Mapping[str, str]:
    return {k: v for k, v in labels.items() if k not in ("alias",)}


def _rank(one: Series) -> tuple[int, int, int, str]:
    parts = words(one.metric)
    best = min((_BEST.index(w) for w in parts if w in _BEST), default=len(_BEST))
    return len(_telling(one.labels)), best, len(parts), name(one)
