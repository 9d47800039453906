"""Golden signals by the words of their names."""

import pytest

from bot.domain.telemetry import Series
from bot.signals.golden import Role, floor, golden, name, role
from tests.fakes import NOON


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("http_requests_per_second", Role.TRAFFIC),
        ("http_request_error_ratio", Role.ERRORS),
        ("http_latency_p99_seconds", Role.LATENCY),
        ("container_memory_used_ratio", Role.SATURATION),
        ("latency_seconds", Role.LATENCY),
        ("error_ratio", Role.ERRORS),
        ("availability", Role.ERRORS),
        ("replicas_available", None),
        ("build_info", None),
    ],
)
def test_a_name_gives_a_role(metric: str, expected: Role | None) -> None:
    assert role(metric) is expected


def test_the_whole_service_comes_before_its_parts_and_two_are_enough() -> None:
    points = ((NOON, 1.0),)
    every = [
        Series("a", "http_latency_p99_seconds", points, {"target": "b"}),
        Series("a", "http_latency_p50_seconds", points),
        Series("a", "http_latency_p99_seconds", points),
        Series("a", "something_else", points),
        Series("a", "error_ratio", ()),
    ]
    assert [name(s) for s in golden(every)] == ["http_latency_p99_seconds", "http_latency_p50_seconds"]


def test_noise_has_a_floor_in_the_metrics_own_unit() -> None:
    assert floor("error_ratio") == 0.01
    assert floor("http_latency_p99_seconds") == 0.005
    assert floor("errors_per_second") == 0.05
