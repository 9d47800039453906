"""Before and after a deployment."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.telemetry import Series
from bot.signals.settling import look_at
from tests.fakes import NOON

NOW = NOON + timedelta(minutes=30)


def _series(metric: str, value: Callable[[float], float], service: str = "payments") -> Series:
    """`value` of the minutes since the deployment, sampled every 30 seconds, with a little ripple."""
    points: list[tuple[datetime, float]] = []
    for n in range(-60, 61):
        points.append((NOON + timedelta(seconds=30 * n), value(n / 2) * (1 + 0.02 * math.sin(n))))
    return Series(service, metric, tuple(points))


def _calm(service: str = "payments") -> list[Series]:
    return [
        _series("http_latency_p99_seconds", lambda _: 0.2, service),
        _series("http_request_error_ratio", lambda _: 0.0, service),
    ]


def test_nothing_that_changed_is_clean() -> None:
    look = look_at(_calm(), "payments", NOON, NOW)
    assert (look.worse, look.doubt) == ((), "")


def test_what_is_worse_since_the_deployment_is_named() -> None:
    slow = _series("http_latency_p99_seconds", lambda m: 0.2 if m < 2 else 0.9)
    look = look_at([slow, _calm()[1]], "payments", NOON, NOW)
    assert [w.name for w in look.worse] == ["payments http_latency_p99_seconds"]
    assert look.worse[0].text.startswith("http_latency_p99_seconds of payments went from 0.2 to 0.")


def test_trouble_that_begins_late_is_seen_in_the_latest_moments() -> None:
    late = _series("http_request_error_ratio", lambda m: 0.001 if m < 22 else 0.3)
    assert [w.name for w in look_at([_calm()[0], late], "payments", NOON, NOW).worse] == ["payments http_request_error_ratio"]


def test_what_had_changed_before_is_not_the_deployments() -> None:
    earlier = _series("http_latency_p99_seconds", lambda m: 0.2 if m < -5 else 0.9)
    assert look_at([earlier, _calm()[1]], "payments", NOON, NOW).worse == ()


def test_a_neighbour_that_fails_counts_and_its_processors_do_not() -> None:
    checkout = _series("http_request_error_ratio", lambda m: 0.0 if m < 3 else 0.4, "checkout")
    hot = _series("container_cpu_used_ratio", lambda m: 0.2 if m < 3 else 0.9, "search")
    look = look_at([*_calm(), checkout, hot], "payments", NOON, NOW)
    assert [w.name for w in look.worse] == ["checkout http_request_error_ratio"]


def test_more_use_by_more_traffic_is_no_fault() -> None:
    busy = _series("container_cpu_used_ratio", lambda m: 0.2 if m < 0 else 0.42)
    more = _series("http_requests_per_second", lambda m: 100.0 if m < 0 else 200.0)
    assert look_at([*_calm(), busy, more], "payments", NOON, NOW).worse == ()
    assert look_at([*_calm(), busy], "payments", NOON, NOW).worse != ()


def test_without_numbers_of_the_service_nothing_is_clear() -> None:
    assert "neither latency nor errors of payments" in look_at(_calm("checkout"), "payments", NOON, NOW).doubt
    gone = _series("http_requests_per_second", lambda m: 100.0 if m < 0 else 5.0)
    assert "http_requests_per_second of payments went from 99.9 to 5" in look_at([*_calm(), gone], "payments", NOON, NOW).doubt
    assert look_at(_calm(), "payments", NOON, NOW, whole=False).doubt == "a source did not answer"


def test_what_memory_finds_unusual_needs_less() -> None:
    slightly = _series("http_latency_p99_seconds", lambda m: 0.2 if m < 0 else 0.25)
    known = {("payments", "http_latency_p99_seconds")}
    assert look_at([slightly, _calm()[1]], "payments", NOON, NOW).worse == ()
    assert len(look_at([slightly, _calm()[1]], "payments", NOON, NOW, known).worse) == 1


def test_a_share_that_did_not_fail_is_worse_by_what_failed() -> None:
    fell = Series("payments", "availability", tuple((at, 1.0 if at < NOON else 0.88) for at, _ in _calm()[0].points))
    look = look_at([_calm()[0], fell], "payments", NOON, NOW)
    assert [w.text for w in look.worse] == ["availability of payments went from 1 to 0.88"]
