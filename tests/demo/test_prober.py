"""Rules wait, fire once, and clear after a pause."""

from bot.demo.prober import CALM_SECONDS, KEEP_FIRING_SECONDS, LONGEST_START_SECONDS, Prober, WarmUp
from bot.demo.series import Counts
from bot.demo.telemetry import Reading


def reading(service: str = "checkout", failed: float = 0.0, served: float = 10.0, up: bool = True) -> Reading:
    growth: Counts = {
        ("http_requests_total", (("code", "200"),)): served,
        ("http_requests_total", (("code", "502"),)): failed,
    }
    return Reading(service, f"{service}-1", 3.0, growth, up)


def test_a_rule_fires_only_after_it_has_held_for_its_time() -> None:
    prober = Prober("production")
    assert prober.evaluate([reading(failed=5)], 100.0) == []
    assert prober.evaluate([reading(failed=5)], 101.0) == []
    (alert,) = prober.evaluate([reading(failed=5)], 101.6)
    assert alert.labels == {
        "alertname": "HighErrorRatio",
        "service": "checkout",
        "environment": "production",
        "severity": "critical",
        "instance": "checkout-1",
        "job": "shop",
    }
    assert "33%" in alert.annotations["summary"]
    assert prober.firing == [alert]


def test_a_moment_of_health_starts_the_wait_anew() -> None:
    prober = Prober("production")
    prober.evaluate([reading(failed=5)], 100.0)
    prober.evaluate([reading()], 101.0)
    assert prober.evaluate([reading(failed=5)], 102.0) == []
    assert prober.evaluate([reading(failed=5)], 103.0) == []


def test_a_firing_alert_clears_after_the_pause_and_says_when() -> None:
    prober = Prober("production")
    for at in (100.0, 102.0):
        prober.evaluate([reading(failed=5)], at)
    assert prober.evaluate([reading()], 103.0) == []
    (ended,) = prober.evaluate([reading()], 103.0 + KEEP_FIRING_SECONDS)
    assert ended.ends_at is not None
    assert ended.ends_at > ended.starts_at
    assert prober.firing == []


def test_a_firing_alert_keeps_its_start_and_updates_its_figures() -> None:
    prober = Prober("production")
    for at in (100.0, 102.0):
        prober.evaluate([reading(failed=5)], at)
    (alert,) = prober.firing
    started = alert.starts_at
    prober.evaluate([reading(failed=30)], 103.0)
    assert alert.starts_at == started
    assert "75%" in alert.annotations["summary"]


def test_the_edge_alerts_before_payments_does() -> None:
    prober = Prober("production")
    began: dict[str, float] = {}
    for tick in range(20):
        at = 100.0 + tick / 2
        for alert in prober.evaluate([reading(s, failed=5) for s in ("storefront", "checkout", "payments")], at):
            began[alert.labels["service"]] = at
    assert began["storefront"] == began["checkout"] < began["payments"]


def test_too_few_requests_say_nothing() -> None:
    prober = Prober("production")
    for at in (100.0, 110.0):
        assert prober.evaluate([reading(failed=1, served=1)], at) == []


def test_an_instance_that_does_not_answer_is_down() -> None:
    prober = Prober("production")
    prober.evaluate([reading(up=False)], 100.0)
    (alert,) = prober.evaluate([reading(up=False)], 103.5)
    assert alert.labels["alertname"] == "InstanceDown"


def test_a_start_is_over_once_nothing_was_loud_for_a_while() -> None:
    start = WarmUp()
    assert not start.over([reading(failed=5)], 100.0)
    assert not start.over([reading()], 101.0)
    assert not start.over([reading(failed=5)], 102.0)
    assert not start.over([reading()], 103.0)
    assert not start.over([reading()], 103.0 + CALM_SECONDS - 0.1)
    assert start.over([reading()], 103.0 + CALM_SECONDS)


def test_a_start_that_never_gets_quiet_ends_all_the_same() -> None:
    start = WarmUp()
    assert not start.over([reading(failed=5)], 100.0)
    assert start.over([reading(failed=5)], 100.0 + LONGEST_START_SECONDS)
