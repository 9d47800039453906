"""Better or worse between two spans of time: a table, and what holds whatever the numbers are."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.verification import Judgement, Level
from bot.signals.levels import FEWEST, collapsed, compare, level

BETTER, SAME, WORSE, UNKNOWN = Judgement.BETTER, Judgement.NO_CHANGE, Judgement.WORSE, Judgement.UNKNOWN
OPPOSITE = {BETTER: WORSE, WORSE: BETTER, SAME: SAME, UNKNOWN: UNKNOWN}
METRICS = ("http_error_ratio", "request_latency_p95_ms", "availability", "success_percent", "queue_depth", "cache_hit_ratio")


@pytest.mark.parametrize(
    ("metric", "before", "after", "noise", "word"),
    [
        ("http_error_ratio", 0.041, 0.002, 0.004, BETTER),
        ("http_error_ratio", 0.002, 0.041, 0.004, WORSE),
        ("http_error_ratio", 0.002, 0.012, 0.001, SAME),  # within what such a share is believed to scatter
        ("http_error_ratio", 0.20, 0.17, 0.005, SAME),  # far beyond the noise, and yet hardly less
        ("http_error_ratio", 0.20, 0.10, 0.05, SAME),  # half of it, and yet within the noise
        ("http_error_ratio", 0.0, 0.0, 0.0, SAME),
        ("request_latency_p95_ms", 810, 240, 30, BETTER),
        ("request_latency_p95_ms", 240, 300, 2, SAME),
        ("request_latency_p95_ms", 240, 400, 20, WORSE),
        ("request_latency_p95_ms", 2, 9, 0.1, SAME),  # milliseconds that nobody notices
        ("request_duration_p99_seconds", 0.24, 0.81, 0.02, WORSE),
        ("availability", 0.999, 0.93, 0.001, WORSE),  # the share that failed rose from 0.1 % to 7 %
        ("availability", 0.93, 0.999, 0.001, BETTER),
        ("availability", 0.999, 0.995, 0.001, SAME),
        ("success_percent", 99.9, 91, 0.1, WORSE),
        ("cache_hit_ratio", 0.9, 0.3, 0.02, WORSE),
        ("queue_depth", 40, 4000, 10, WORSE),
        ("http_requests_per_second", 90, 10, 2, UNKNOWN),  # more or less of it is neither good nor bad
        ("build_info", 1, 2, 0, UNKNOWN),
    ],
)
def test_the_judgement(metric: str, before: float, after: float, noise: float, word: Judgement) -> None:
    assert compare(Level(before, noise, 10), Level(after, noise, 10), metric) is word


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (Level(0.38, 0.166, 600), Level(0.0, 0.0, 18), BETTER),  # few requests a second: each point is far from the middle
        (Level(0.0, 0.0, 600), Level(0.38, 0.166, 18), WORSE),
        (Level(0.38, 0.166, 600), Level(0.05, 0.1, 18), SAME),  # both scatter: some points of each lie among the other's
        (Level(0.38, 0.25, 600), Level(0.0, 0.0, 18), SAME),
    ],
)
def test_trouble_that_scatters_is_over_where_nothing_scatters_any_more(before: Level, after: Level, word: Judgement) -> None:
    assert compare(before, after, "http_error_ratio") is word


values = st.floats(min_value=0, max_value=1e6, allow_nan=False)
levels = st.builds(Level, values, st.floats(min_value=0, max_value=1e5), st.just(9))


@settings(max_examples=200)
@given(levels, levels, st.sampled_from(METRICS))
def test_swapping_the_two_spans_swaps_the_judgement(one: Level, other: Level, metric: str) -> None:
    assert compare(one, other, metric) is OPPOSITE[compare(other, one, metric)]


@settings(max_examples=200)
@given(levels, st.sampled_from(METRICS))
def test_nothing_is_no_change_of_itself(one: Level, metric: str) -> None:
    assert compare(one, one, metric) is SAME


@settings(max_examples=200)
@given(levels, values, values, st.sampled_from(("http_error_ratio", "request_latency_p95_ms", "queue_depth")))
def test_more_of_what_is_bad_is_never_judged_better_than_less_of_it(before: Level, one: float, other: float, metric: str) -> None:
    rank = {BETTER: 0, SAME: 1, WORSE: 2}
    less, more = sorted((one, other))
    assert rank[compare(before, Level(less, 0, 9), metric)] <= rank[compare(before, Level(more, 0, 9), metric)]


@settings(max_examples=200)
@given(levels, levels, st.floats(min_value=1, max_value=1e5), st.sampled_from(METRICS))
def test_more_noise_never_makes_a_change_of_none(before: Level, after: Level, more: float, metric: str) -> None:
    loud = Level(after.middle, after.noise + more, after.points)
    if compare(before, after, metric) is SAME:
        assert compare(before, loud, metric) is SAME


@settings(max_examples=100)
@given(st.lists(values, min_size=FEWEST, max_size=30), st.randoms())
def test_a_level_lies_within_its_values_and_their_order_does_not_matter(points: list[float], chance: object) -> None:
    found = level(points)
    assert found is not None
    assert min(points) <= found.middle <= max(points)
    assert found == level(sorted(points)) == level(points[::-1])


def test_a_level_needs_points_and_does_not_care_about_single_outliers_or_what_is_no_number() -> None:
    assert level([1.0] * (FEWEST - 1)) is None
    assert level([math.nan] * 9) is None
    assert level([10, 11, 9, 10, 10, 9_000]) == Level(10, pytest.approx(0.74), 6)


def test_traffic_is_gone_when_little_of_it_is_left_beyond_its_noise() -> None:
    assert collapsed(Level(90, 3, 9), Level(10, 1, 9))
    assert not collapsed(Level(90, 3, 9), Level(40, 1, 9))
    assert not collapsed(Level(90, 60, 9), Level(10, 1, 9))
    assert not collapsed(Level(0, 0, 9), Level(0, 0, 9))
