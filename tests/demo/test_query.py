"""Selectors as Prometheus and Loki write them; anything more is refused in words."""

import pytest

from bot.demo.query import BadQuery, parse_duration, parse_selector, parse_time

PAYMENTS = (("service", "payments"), ("target", "acmepay"))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ('{service="payments"}', True),
        ('retries_per_second{service="payments",target="acmepay"}', True),
        ('{service=~"pay.*|checkout"}', True),
        ('{service!~"pay.*"}', False),
        ('{service!="checkout"}', True),
        ('{service="payments", missing=""}', True),
        ('{service="store"}', False),
        ('{ service = "payments" , }', True),
        ("up", True),
    ],
)
def test_matchers_select_by_labels(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(PAYMENTS) is matches


def test_the_name_may_be_a_matcher() -> None:
    assert parse_selector('{__name__="up"}').name == "up"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "rate(http_requests_total[1m])",
        "a + b",
        '{service="payments"} |= "error"',
        '{service="payments"',
        "{service=payments}",
        '{service=~"("}',
        '{service=~"(a+)+b"}',
        '{service="' + "x" * 3000 + '"}',
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        parse_selector(text)


def test_times_and_durations_come_in_the_documented_forms() -> None:
    assert parse_time("1700000000.5") == 1700000000.5
    assert parse_time("2023-11-14T22:13:20Z") == 1700000000.0
    assert [parse_duration(text) for text in ("15", "1m", "500ms", "2h")] == [15, 60, 0.5, 7200]
    for bad in ("soon", "1w2", ""):
        with pytest.raises(BadQuery):
            parse_duration(bad)
    with pytest.raises(BadQuery):
        parse_time("yesterday")
