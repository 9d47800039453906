"""A configured duration grew, and what the service does takes longer by as much."""

import re

import pytest

from bot.domain.evidence import Diagnosis, Verdict
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from tests.investigation.cases import alert, at, case, edit, rises, series, shipped

CHECK = edit("services/billing/settings.json", '    "fraud_ms": 120', '    "fraud_ms": 1600')


def slow(
    diff: str, *, after: float = 1.7, metric: str = "http_request_latency_p50_seconds", unit: float = 1.0, since: float = 18
) -> Case:
    """Callers of billing wait for it and nothing else is known: no log line, no pool, no errors."""
    numbers = [
        series("billing", metric, rises(0.2 * unit, after * unit, since), 40),
        series("web", "http_request_latency_p95_seconds", rises(0.6, 2.5, 18.5), 40),
        series("orders", "http_request_latency_p95_seconds", rises(0.5, 2.1, 18.5), 40),
    ]
    others = [
        shipped("b3", "orders", 11, edit("services/orders/app.py", '"declined"', '"declined, sorry"'), "orders: words", "v18"),
        shipped("b4", "stock", 5, edit("services/stock/settings.json", '"low": 5', '"low": 8'), "stock: warn earlier", "v9"),
    ]
    slowing = shipped("a1", "billing", 16, diff, "billing: look closer at who pays", "v45")
    return case(alerts=[alert("web", 22)], changes=[slowing, *others], numbers=numbers)


def fact(found: Diagnosis) -> str:
    return next((f.text for s in found.suspects for f in s.facts if f.rule == "lengthened"), "")


def test_latency_alone_convicts_the_change_that_adds_just_so_much() -> None:
    found = diagnose(slow(CHECK))
    assert found.verdict is Verdict.CONVICTED
    assert found.cause is not None
    assert (found.cause.service, found.cause.version) == ("billing", "v45")
    assert fact(found) == "request latency p50 grew by 1.5 s, about what fraud_ms 120 → 1600 adds"
    cited = [found.cited(id) for f in found.cause.facts if f.rule == "lengthened" for id in f.cites]
    assert [e.kind.value for e in cited if e] == ["diff", "metric"]
    assert cited[1] is not None
    assert cited[1].text == "billing: request latency p50 grew by 1.5 s since 09:00:18"
    assert cited[1].at == at(18)


@pytest.mark.parametrize("after", [0.9, 3.0])
def test_another_amount_than_the_change_adds_speaks_for_nothing(after: float) -> None:
    assert fact(diagnose(slow(CHECK, after=after))) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"step": "100ms"', '"step": "1600ms"'),
        ('"fraud_seconds": 0.1', '"fraud_seconds": 1.6'),
        ("fraudWait := 1 * time.Millisecond", "fraudWait := 1500 * time.Millisecond"),
    ],
)
def test_durations_are_read_in_the_units_people_write(old: str, new: str) -> None:
    assert fact(diagnose(slow(edit("services/billing/settings.json", old, new))))


def test_the_metric_may_count_in_milliseconds() -> None:
    found = diagnose(slow(CHECK, metric="request_duration_p50_ms", unit=1000))
    assert re.fullmatch(r"request duration p50 grew by 1 5\d\d ms, about what fraud_ms 120 → 1600 adds", fact(found))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"timeout_ms": 120', '"timeout_ms": 1600'),  # bounds a duration
        ('"cache_ttl_ms": 120', '"cache_ttl_ms": 1600'),
        ('"rows": 120', '"rows": 1600'),  # no duration
        ('"fraud_ms": 1600', '"fraud_ms": 120'),  # shorter
    ],
)
def test_what_adds_no_time_is_no_reason(old: str, new: str) -> None:
    assert fact(diagnose(slow(edit("services/billing/settings.json", old, new)))) == ""


def test_metrics_that_are_no_latency_are_not_compared() -> None:
    assert fact(diagnose(slow(CHECK, metric="worker_wait_p95_seconds"))) == ""
