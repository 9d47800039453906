"""When a metric began to deviate, at both timescales, with noise, gaps and flat baselines."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.telemetry import Series
from bot.signals.onset import deviation, deviations

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def series(value: Callable[[int], float], count: int, step: timedelta, metric: str = "http_request_error_ratio") -> Series:
    return Series("cart", metric, tuple((START + i * step, value(i)) for i in range(count)))


@pytest.mark.parametrize("step", [MINUTE, SECOND])
def test_a_step_up_is_dated_to_its_first_sample(step: timedelta) -> None:
    found = deviation(series(lambda i: 0.2 if i >= 40 else 0.01, 60, step), START + 43 * step)
    assert found is not None
    assert found.onset == START + 40 * step
    assert found.bad
    assert found.rising


def test_noise_alone_is_no_deviation() -> None:
    dice = random.Random(7)
    assert deviation(series(lambda _: 200 + dice.gauss(0, 15), 120, MINUTE, "latency_ms"), START + 100 * MINUTE) is None


def test_a_delayed_slow_growth_is_dated_long_before_the_alert() -> None:
    dice = random.Random(3)
    grown = series(lambda i: 200 + dice.gauss(0, 4) + max(0, i - 50) * 3, 170, MINUTE, "container_memory_rss_mb")
    found = deviation(grown, START + 165 * MINUTE)
    assert found is not None
    assert START + 50 * MINUTE <= found.onset <= START + 75 * MINUTE


def test_two_quiet_samples_do_not_end_the_walk_back_but_a_long_calm_does() -> None:
    bad = {*range(40, 44), *range(46, 60)}
    found = deviation(series(lambda i: 0.3 if i in bad else 0.01, 60, MINUTE), START + 58 * MINUTE)
    assert found is not None
    assert found.onset == START + 40 * MINUTE
    apart = {20, 21, *range(46, 60)}
    later = deviation(series(lambda i: 0.3 if i in apart else 0.01, 60, MINUTE), START + 58 * MINUTE)
    assert later is not None
    assert later.onset == START + 46 * MINUTE


def test_gaps_are_forgiven_by_time_when_samples_are_dense() -> None:
    half = timedelta(milliseconds=500)
    bad = {*range(60, 64), *range(68, 90)}
    found = deviation(series(lambda i: 0.3 if i in bad else 0.0, 90, half), START + 80 * half)
    assert found is not None
    assert found.onset == START + 60 * half


def test_a_flat_zero_baseline_has_a_scale() -> None:
    found = deviation(series(lambda i: 12.0 if i >= 30 else 0.0, 40, MINUTE, "pod_restart_total"), START + 32 * MINUTE)
    assert found is not None
    assert found.onset == START + 30 * MINUTE
    assert found.baseline == 0.0


def test_a_constant_series_and_a_short_one_say_nothing() -> None:
    assert deviation(series(lambda _: 3.0, 60, MINUTE), START + 50 * MINUTE) is None
    assert deviation(series(lambda i: float(i), 3, MINUTE), START + 2 * MINUTE) is None
    assert deviation(Series("cart", "errors", ()), START) is None


def test_a_drop_of_a_hit_ratio_is_bad_and_of_latency_is_not() -> None:
    def drop(metric: str, high: float) -> bool:
        found = deviation(series(lambda i: high / 9 if i >= 40 else high, 60, MINUTE, metric), START + 42 * MINUTE)
        assert found is not None
        return found.bad

    assert drop("cache_hit_ratio", 0.93)
    assert not drop("http_request_latency_p95_seconds", 0.9)


def test_a_peak_far_from_the_alert_does_not_count() -> None:
    early = series(lambda i: 0.5 if 20 <= i < 25 else 0.01, 120, MINUTE)
    assert deviation(early, START + 110 * MINUTE) is None


def test_a_given_healthy_time_is_the_baseline_even_if_trouble_came_early() -> None:
    given = deviation(series(lambda i: 0.4 if i >= 6 else 0.0, 60, SECOND), START + 50 * SECOND, healthy_until=START + 6 * SECOND)
    assert given is not None
    assert given.onset == START + 6 * SECOND


def test_deviations_come_earliest_first_and_non_finite_points_are_left_out() -> None:
    late = series(lambda i: 0.3 if i >= 45 else 0.01, 60, MINUTE, "errors_late")
    soon = series(lambda i: float("nan") if i == 10 else (0.3 if i >= 41 else 0.01), 60, MINUTE, "errors_soon")
    assert [d.metric for d in deviations([late, soon], START + 47 * MINUTE)] == ["errors_soon", "errors_late"]


def test_an_excursion_that_ended_well_before_the_alert_is_not_this_one() -> None:
    def twice(i: int) -> float:
        return 0.9 if 100 <= i < 130 else (0.3 if i >= 180 else 0.01)

    found = deviation(series(twice, 200, SECOND), START + 190 * SECOND)
    assert found is not None
    assert found.onset == START + 180 * SECOND
    assert deviation(series(lambda i: 0.9 if 100 <= i < 130 else 0.01, 200, SECOND), START + 190 * SECOND) is None


def test_an_outage_in_the_first_quarter_is_no_baseline() -> None:
    dice = random.Random(5)

    def level(i: int) -> float:
        return (40 if 10 <= i < 35 or i >= 230 else 5) + dice.gauss(0, 0.2)

    found = deviation(series(level, 250, SECOND, "queue_depth"), START + 240 * SECOND)
    assert found is not None
    assert found.onset == START + 230 * SECOND


def test_what_lies_beyond_a_hole_in_the_samples_is_another_story() -> None:
    """Where an earlier incident was cut out, its beginning and what came after it stand side by side."""
    whole = series(lambda i: 0.3 if 90 <= i < 100 or i >= 150 else 0.01, 180, SECOND)
    cut = Series(whole.service, whole.metric, tuple(p for i, p in enumerate(whole.points) if not 100 <= i < 150))
    found = deviation(cut, START + 165 * SECOND)
    assert found is not None
    assert found.onset == START + 150 * SECOND


def test_samples_that_lie_further_apart_the_older_they_are_have_no_hole() -> None:
    old = [(START + 15 * i * SECOND, 0.3 if i >= 15 else 0.01) for i in range(20)]
    new = [(START + (300 + i) * SECOND, 0.3) for i in range(60)]
    found = deviation(Series("cart", "http_request_error_ratio", (*old, *new)), START + 330 * SECOND)
    assert found is not None
    assert found.onset == START + 15 * 15 * SECOND


def test_a_deviation_stands_as_long_as_it_is_out_of_its_range() -> None:
    short = deviation(series(lambda i: 0.5 if 40 <= i < 46 else 0.01, 60, SECOND), START + 52 * SECOND)
    assert short is not None
    assert short.until == START + 45 * SECOND
    assert not short.stands(START + 39 * SECOND)
    assert short.stands(START + 47 * SECOND)
    assert not short.stands(START + 48 * SECOND)
