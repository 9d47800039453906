"""What a metric measures of a service, and in which unit, read from its name by general conventions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.telemetry import Series
from bot.signals.direction import bad_direction, bag, counts_traffic, words

_LATENCY = bag("latency duration p50 p90 p95 p99 rtt")
_ERRORS = bag("error errors failed failures 5xx exceptions")
_GOOD = bag("success successes availability goodput")
_CALLS = bag("workload throughput")
_ELSEWHERE = bag("node host instance machine")  # of what it runs on: shared by others
_MEAN = bag("average avg mean")
_QUANTILES = ("p95", "p99", "p90", "p50", "p75", "p999")
_TIME = {"ms": 1.0, "milliseconds": 1.0, "seconds": 1000.0, "s": 1000.0, "sec": 1000.0, "us": 0.001, "microseconds": 0.001}
_MILLI = bag("m milli millicores millicpu")  # of a processor
WHOLE = 100.0  # percent
_SHARE = bag("ratio rate share fraction utilization utilisation usage")
_PERCENT = bag("pct percent percentage")


class Measure(StrEnum):
    """What a metric measures of a service."""

    LATENCY = "latency"
    ERRORS = "errors"
    CPU = "cpu"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one series measures: `statistic` is "mean", "p99" ... or ""; `callee` is set if it is of the calls to that service.

    A value times `scale` is in `unit`: "ms" for times, "" where the name does not say; a share in [0, 1] for errors
    that are one; `inverted` if it is the share of what went well.
    """

    measure: Measure
    statistic: str = ""
    callee: str = ""
    scale: float = 1.0
    unit: str = ""
    share: bool = False
    inverted: bool = False


def measure_of(metric: str) -> Measure | None:
    """What a metric measures by its name, or None."""
    parts = frozenset(words(metric))
    if parts & _ELSEWHERE:
        return None
    if "cpu" in parts and not parts & bag("limit limits request requests quota throttled"):
        return Measure.CPU
    if parts & _ERRORS or (parts & _GOOD and bad_direction(metric) == -1):
        return Measure.ERRORS
    if parts & _LATENCY and bad_direction(metric) == 1:
        return Measure.LATENCY
    return Measure.CALLS if counts_traffic(metric) or parts & _CALLS else None


def meaning(series: Series, most: float) -> Meaning | None:
    """What a series measures, or None if it is nothing that a ranking of services uses.

    `most` is the greatest value of its metric at any service: it tells percent from shares.
    """
    measure = measure_of(series.metric)
    named = words(series.metric)
    callee = series.labels.get("target", "") or series.labels.get("callee", "")
    if measure is None or ("client" in named and not callee):
        return None  # of calls to others, and it does not say to whom
    told = (*named, *words(series.labels.get("statistic", "")), *words(series.labels.get("quantile", "")))
    if measure is Measure.LATENCY:
        scale = next((_TIME[w] for w in reversed(named) if w in _TIME), 0.0)
        return Meaning(measure, statistic_of(told), callee, scale or 1.0, "ms" if scale else "")
    if measure is Measure.CALLS:
        return Meaning(measure, "", callee)
    return _of_shares(measure, frozenset(told), callee, most)


def _of_shares(measure: Measure, told: frozenset[str], callee: str, most: float) -> Meaning | None:
    """Errors and processor use: in shares where the name or the values say that they are."""
    inverted = measure is Measure.ERRORS and bool(told & _GOOD)
    if inverted and most > WHOLE + 1:
        return None  # it counts successes: fewer of them may be fewer calls
    percent = bool(told & _PERCENT) or (inverted and most > 1.5)
    share = percent or inverted or bool(told & _SHARE)
    scale = 1 / WHOLE if percent or (share and most > 1.5) else 0.001 if told & _MILLI else 1.0
    return Meaning(measure, "", callee, scale, "", share, inverted)


def statistic_of(told: tuple[str, ...]) -> str:
    """ "mean", "p99" ... by the words of a name, or ""."""
    if frozenset(told) & _MEAN:
        return "mean"
    return next((w for w in told if w in _QUANTILES), "")


def best_statistic(found: Mapping[str, int], wanted: str) -> str:
    """The statistic to compare services by: the one that the alert is about, else the one that most of them have."""
    if wanted in found:
        return wanted
    order = ("mean", *_QUANTILES, "")
    return max(found, key=lambda name: (found[name], -order.index(name) if name in order else -len(order)), default="")
