"""Which way a metric is bad, by the words of its name."""

import pytest

from bot.signals.direction import bad_direction, counts_traffic, label_suffix, words


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("http_request_error_ratio", 1),
        ("http_request_latency_p95_seconds", 1),
        ("retries_per_second", 1),
        ("pool_in_use_ratio", 1),
        ("process_resident_memory_bytes", 1),
        ("queue_oldest_message_age_seconds", 1),
        ("cache_hit_ratio", -1),
        ("pod_ready_replicas", -1),
        ("http_requests_per_second", 0),
        ("db_pool_max_conns", 0),
        ("tls_cert_seconds_until_expiry", 0),
    ],
)
def test_names_tell_the_bad_direction(metric: str, direction: int) -> None:
    assert bad_direction(metric) == direction


def test_traffic_is_counted_but_not_its_outcome() -> None:
    assert counts_traffic("outbound_calls_per_second")
    assert counts_traffic("requests_per_sec")
    assert not counts_traffic("failed_requests_total")
    assert not counts_traffic("db_query_count_per_request")


def test_identifiers_are_taken_apart() -> None:
    assert words("maxConnIdleTime") == ("max", "conn", "idle", "time")
    assert words("HTTPServer_error-rate.p99") == ("http", "server", "error", "rate", "p99")


def test_a_target_is_said_in_words() -> None:
    assert label_suffix({"target": "acmepay", "service": "payments"}) == " to acmepay"
    assert label_suffix({"service": "payments", "code": "500"}) == " (code=500)"
    assert label_suffix({"instance": "payments-1"}) == ""
