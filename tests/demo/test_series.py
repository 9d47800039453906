"""Counters become rates and percentiles as Prometheus would compute them."""

import pytest

from bot.demo.series import Counts, Key, Window, grown, parse, quantile, recorded, total

TEXT = """\
http_requests_total{code="200"} 90
http_requests_total{code="502"} 10
http_request_duration_seconds_bucket{le="0.1"} 50
http_request_duration_seconds_bucket{le="0.2"} 100
http_request_duration_seconds_bucket{le="+Inf"} 100
outbound_calls_total{target="acmepay"} 300
outbound_failures_total{target="acmepay",reason="timeout"} 30
retries_total{target="acmepay"} 200
cache_hits_total{cache="a"} 3
cache_misses_total{cache="a"} 1
not a sample
"""


def values(growth: Counts) -> dict[str, float]:
    return {row.metric: row.value for row in recorded("payments", 10.0, growth)}


def test_a_text_exposition_is_read_with_its_labels() -> None:
    counts = parse(TEXT)
    assert counts["http_requests_total", (("code", "502"),)] == 10
    assert counts["outbound_failures_total", (("target", "acmepay"), ("reason", "timeout"))] == 30
    assert len(counts) == 10


def test_recorded_rules_are_rates_and_ratios_over_the_window() -> None:
    found = values(parse(TEXT))
    assert found["http_requests_per_second"] == 10
    assert found["http_request_error_ratio"] == pytest.approx(0.1)
    assert found["http_request_latency_p95_seconds"] == pytest.approx(0.19)
    assert found["outbound_calls_per_second"] == 30
    assert found["outbound_calls_per_request"] == 3
    assert found["outbound_error_ratio"] == pytest.approx(0.1)
    assert found["retries_per_second"] == 20
    assert found["cache_hit_ratio"] == pytest.approx(0.75)


def test_nothing_observed_gives_no_percentile_and_no_ratio() -> None:
    assert quantile(0.95, {}, "http_request_duration_seconds") is None
    assert "http_request_error_ratio" not in values({})


def test_a_percentile_beyond_the_last_bound_is_that_bound() -> None:
    growth = {("d_bucket", (("le", "1"),)): 1.0, ("d_bucket", (("le", "inf"),)): 10.0}
    assert quantile(0.95, growth, "d") == 1.0


def test_growth_counts_a_new_process_from_zero() -> None:
    key: Key = ("http_requests_total", (("code", "200"),))
    assert grown({key: 5.0}, {key: 8.0}) == {key: 3.0}
    assert grown({}, {key: 8.0}) == {key: 8.0}
    assert grown({key: 8.0}, {key: 8.0}) == {}


def test_a_window_forgets_what_is_older_than_it() -> None:
    key: Key = ("http_requests_total", ())
    window = Window(3.0)
    for at in (1.0, 2.0, 3.0, 4.0, 5.0):
        window.add(at, 1.0, {key: at})
    assert window.growth() == (3.0, {key: 12.0})
    assert total({key: 12.0}, "http_requests_total") == 12.0
