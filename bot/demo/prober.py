"""Alerting rules over the telemetry, as Prometheus evaluates them: pending, firing after `for`, then resolved.

Rules page on symptoms: strict and quick at the edge, where customers feel it, slower further in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.demo.series import errors, quantile, targets, total
from bot.demo.shop import SERVICES
from bot.demo.telemetry import Reading

KEEP_FIRING_SECONDS = 1.5
CALM_SECONDS = 4.0
LONGEST_START_SECONDS = 40.0
FEWEST_REQUESTS = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """`measure` above `above` for `seconds` fires `name`, on every instance of the services."""

    name: str
    services: tuple[str, ...]
    measure: Callable[[Reading], float | None]
    above: float
    seconds: float
    severity: str
    says: str


@dataclass(slots=True)
class Alert:
    """One firing instance of a rule, until `ends_at` is set."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(slots=True)
class _State:
    since: float
    clear_since: float | None = None
    alert: Alert | None = field(default=None)


def error_ratio(reading: Reading) -> float | None:
    """The share of requests answered with 500 or above; None with too few requests to say."""
    requests = total(reading.growth, "http_requests_total")
    return errors(reading.growth) / requests if requests >= FEWEST_REQUESTS else None


def latency_p95(reading: Reading) -> float | None:
    """Seconds within which 95 % of requests were answered."""
    if total(reading.growth, "http_requests_total") < FEWEST_REQUESTS:
        return None
    return quantile(0.95, reading.growth, "http_request_duration_seconds")


def dependency_error_ratio(reading: Reading) -> float | None:
    """The worst share of failed calls over all dependencies."""
    ratios = []
    for target in targets(reading.growth):
        calls = total(reading.growth, "outbound_calls_total", target=target)
        if calls >= FEWEST_REQUESTS:
            ratios.append(total(reading.growth, "outbound_failures_total", target=target) / calls)
    return max(ratios, default=None)


def down(reading: Reading) -> float | None:
    """1 while the instance does not answer."""
    return 0.0 if reading.up else 1.0


_EDGE = ("storefront", "checkout")
_INNER = ("inventory", "store")
_ERRORS = "{instance} answers {value:.0%} of requests with errors (limit {above:.0%})"
_LATENCY = "p95 latency of {instance} is {value:.1f} s (limit {above:g} s)"

RULES = (
    Rule("HighErrorRatio", _EDGE, error_ratio, 0.05, 1.5, "critical", _ERRORS),
    Rule("HighErrorRatio", _INNER, error_ratio, 0.05, 4.0, "critical", _ERRORS),
    Rule("HighErrorRatio", ("payments",), error_ratio, 0.05, 5.0, "critical", _ERRORS),
    Rule("HighLatencyP95", _EDGE, latency_p95, 1.6, 2.0, "warning", _LATENCY),
    Rule("HighLatencyP95", _INNER, latency_p95, 1.0, 4.0, "warning", _LATENCY),
    Rule("HighLatencyP95", ("payments",), latency_p95, 1.4, 6.0, "warning", _LATENCY),
    Rule(
        "DependencyCallsFailing",
        SERVICES,
        dependency_error_ratio,
        0.25,
        6.0,
        "warning",
        "{value:.0%} of the calls that {instance} makes to its dependencies fail (limit {above:.0%})",
    ),
    Rule("InstanceDown", SERVICES, down, 0.5, 3.0, "critical", "{instance} does not answer its scrapes"),
)


class WarmUp:
    """Says when the shop has started: nothing was above a limit for some seconds. Alerting begins then, not amid a start."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._quiet_since: float | None = None

    def over(self, readings: list[Reading], at: float) -> bool:
        """Whether it is over with these readings; after a while in any case, since a start cannot take for ever."""
        self._began = at if self._began is None else self._began
        loud = any(
            (value := rule.measure(reading)) is not None and value > rule.above
            for rule in RULES
            for reading in readings
            if reading.instance and reading.service in rule.services
        )
        if loud or not readings:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = at
        calm = self._quiet_since is not None and at - self._quiet_since >= CALM_SECONDS
        return calm or at - self._began >= LONGEST_START_SECONDS


class Prober:
    """Evaluates the rules; `firing` are the alerts now firing, in the order in which they began."""

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._states: dict[tuple[str, str], _State] = {}

    @property
    def firing(self) -> list[Alert]:
        return [state.alert for state in self._states.values() if state.alert]

    def evaluate(self, readings: list[Reading], at: float) -> list[Alert]:
        """The alerts that began or ended with these readings."""
        changed = []
        for rule in RULES:
            for reading in readings:
                if reading.instance and reading.service in rule.services:
                    changed += self._judge(rule, reading, at)
        return changed

    def _judge(self, rule: Rule, reading: Reading, at: float) -> list[Alert]:
        key = (rule.name, reading.instance)
        value = rule.measure(reading)
        state = self._states.get(key)
        if value is not None and value > rule.above:
            state = self._states.setdefault(key, _State(at))
            state.clear_since = None
            annotations = _annotations(rule, reading, value)
            if state.alert:
                state.alert.annotations = annotations
            elif at - state.since >= rule.seconds:
                labels = _labels(rule, reading, self._environment)
                state.alert = Alert(labels, annotations, datetime.fromtimestamp(at, UTC))
                return [state.alert]
            return []
        if state is None or value is None:
            return []
        if state.alert is None:
            del self._states[key]
            return []
        state.clear_since = state.clear_since or at
        if at - state.clear_since < KEEP_FIRING_SECONDS:
            return []
        state.alert.ends_at = datetime.fromtimestamp(at, UTC)
        del self._states[key]
        return [state.alert]


def _labels(rule: Rule, reading: Reading, environment: str) -> dict[str, str]:
    return {
        "alertname": rule.name,
        "service": reading.service,
        "environment": environment,
        "severity": rule.severity,
        "instance": reading.instance,
        "job": "shop",
    }


def _annotations(rule: Rule, reading: Reading, value: float) -> dict[str, str]:
    said = rule.says.format(service=reading.service, instance=reading.instance, value=value, above=rule.above)
    rate = total(reading.growth, "http_requests_total") / reading.seconds if reading.seconds else 0.0
    wordy = f"{said}. It answers {rate:.1f} requests per second. Rule {rule.name}, held for {rule.seconds:g} s."
    return {"summary": said, "description": wordy}
