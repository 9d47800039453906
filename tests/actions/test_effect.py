"""What became of metrics and alerts together: which are looked at, what they say, and the sentence that people read."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.actions.effect import (
    BEFORE,
    MOST,
    Alerts,
    again,
    baseline,
    belongs,
    cited,
    of_metrics,
    said,
    shown,
    span_before,
    weigh,
)
from bot.actions.verify import UNSEEN, begun_here, judge
from bot.domain.action import Action, ActionKind, ActionStatus, Plan
from bot.domain.change import Version
from bot.domain.evidence import Confidence, Diagnosis, Evidence, EvidenceKind, Verdict
from bot.domain.telemetry import Series, Window
from bot.domain.verification import Judgement, Level, Measured, Verification
from tests.fakes import NOON, a_member, an_incident

BETTER, SAME, WORSE, UNKNOWN = Judgement.BETTER, Judgement.NO_CHANGE, Judgement.WORSE, Judgement.UNKNOWN
ERRORS, LATENCY, TRAFFIC = "http_error_ratio", "http_request_latency_p95_ms", "http_requests_per_second"
LIMIT = timedelta(seconds=120)
ACTION = Action(
    id="a1",
    kind=ActionKind.ROLLBACK,
    service="payments",
    environment="production",
    target="v42",
    status=ActionStatus.VERIFYING,
    requested_by="U1",
    created_at=NOON,
    updated_at=NOON,
    plan=Plan("v43", "c43", "v42", "c42"),
    incident_id="i1",
)


def series(metric: str, values: list[float], service: str = "payments", until: datetime = NOON, **labels: str) -> Series:
    """One point every 15 s, the last one right before `until`."""
    first = until - timedelta(seconds=15 * len(values))
    return Series(service, metric, tuple((first + timedelta(seconds=15 * n), v) for n, v in enumerate(values)), labels)


def measured(metric: str, before: float, after: float | None, word: Judgement, service: str = "payments") -> Measured:
    now = None if after is None else Level(after, 0, 6)
    return Measured(service, metric, metric, Level(before, 0, 9), now, word)


@pytest.mark.parametrize(
    ("onset", "start"),
    [(None, BEFORE), (timedelta(minutes=3), timedelta(minutes=3)), (timedelta(hours=1), BEFORE), (-BEFORE, BEFORE)],
)
def test_before_begins_with_the_trouble_that_motivated_it(onset: timedelta | None, start: timedelta) -> None:
    window = span_before(NOON, NOON - onset if onset is not None else None)
    assert window == Window(NOON - start, NOON)


def test_what_a_diagnosis_named_comes_first_then_the_golden_signals_of_the_service_itself() -> None:
    pool = series("db_pool_pending", [40.0] * 8, service="checkout", pool="main")
    told = Evidence(
        "E1", EvidenceKind.METRIC, "checkout: db pool pending (pool=main) × 40 since 11:58", "prom", service="checkout"
    )
    other = replace(told, text="checkout: heap used × 40 since 11:58")
    diagnosis = Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "it did [E1]", NOON, evidence=(told, other))
    every = [
        series(ERRORS, [0.04] * 8, service="checkout"),
        series(TRAFFIC, [90.0] * 8),
        series("cpu_usage", [0.4] * 8),
        series(ERRORS, [0.04] * 8),
        series(LATENCY, [810.0] * 3),  # too few
        pool,
    ]
    named = cited(diagnosis, every)
    assert named == {("checkout", "db_pool_pending (pool=main)")}
    found = baseline(every, named, Window(NOON - BEFORE, NOON), "payments")
    assert [(m.service, m.metric, m.cited) for m in found] == [
        ("checkout", "db_pool_pending", True),
        ("payments", ERRORS, False),
        ("checkout", ERRORS, False),
        ("payments", TRAFFIC, False),
    ]
    assert cited(None, every) == frozenset()


def test_no_more_metrics_are_kept_than_people_read() -> None:
    every = [series(f"{m}_{n}", [1.0] * 8, service=f"s{n}") for n in range(9) for m in (ERRORS, LATENCY)]
    assert len(baseline(every, (), Window(NOON - BEFORE, NOON), "s0")) == MOST


def test_of_what_was_seen_since_the_later_half_counts() -> None:
    was = baseline([series(ERRORS, [0.2] * 8)], (), Window(NOON - BEFORE, NOON), "payments")
    later = NOON + timedelta(seconds=150)
    since = Window(NOON, later)
    falling = series(ERRORS, [0.2, 0.2, 0.15, 0.1, 0.05, 0.002, 0.002, 0.001, 0.002, 0.002], until=later)
    (now,) = again(was, [falling], since)
    assert now.after == Level(0.002, 0.0, 5)
    assert now.judgement is BETTER
    (unseen,) = again(was, [series(ERRORS, [0.001] * 3, until=later)], since)
    assert (unseen.after, unseen.judgement) == (None, UNKNOWN)
    assert again(was, [], since)[0].judgement is UNKNOWN


@pytest.mark.parametrize(
    ("labels", "environment", "mine"),
    [
        ({}, "production", True),
        ({}, "staging", False),
        ({"environment": "staging"}, "staging", True),
        ({"env": "staging"}, "production", False),
    ],
)
def test_a_series_is_of_the_environment_that_it_names(labels: dict[str, str], environment: str, mine: bool) -> None:
    assert belongs(Series("payments", ERRORS, (), labels), environment, "production") is mine


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ([], UNKNOWN),
        ([measured(ERRORS, 0.04, None, UNKNOWN)], UNKNOWN),
        ([measured(ERRORS, 0.04, 0.002, BETTER), measured(LATENCY, 20, 240, WORSE)], BETTER),  # who fails at once is fast
        ([measured(ERRORS, 0.002, 0.04, WORSE), measured(LATENCY, 240, 20, BETTER)], WORSE),
        ([measured(ERRORS, 0.04, 0.002, BETTER), measured(ERRORS, 0, 0.04, WORSE, "checkout")], WORSE),
        ([measured(ERRORS, 0, 0, SAME), measured(LATENCY, 810, 240, BETTER)], BETTER),
        ([measured(ERRORS, 0, 0, SAME), measured("queue_depth", 1, 900, WORSE)], WORSE),
        ([measured(ERRORS, 0, 0, SAME), measured(LATENCY, 240, 250, SAME)], SAME),
        ([measured(ERRORS, 0.04, 0.0, BETTER), measured(TRAFFIC, 90, 2, UNKNOWN)], SAME),  # nobody asks it any more
        ([measured(TRAFFIC, 90, 80, UNKNOWN)], UNKNOWN),
    ],
)
def test_the_metrics_together(found: list[Measured], word: Judgement) -> None:
    assert of_metrics(found) is word
    assert of_metrics(found[::-1]) is word


@pytest.mark.parametrize(
    ("metrics", "alerts", "word"),
    [
        (BETTER, Alerts(3, 0, 0), BETTER),
        (BETTER, Alerts(3, 2, 0), BETTER),
        (BETTER, Alerts(3, 0, 1), WORSE),
        (SAME, Alerts(3, 0, 0), BETTER),
        (SAME, Alerts(3, 3, 0), SAME),
        (SAME, Alerts(), SAME),
        (WORSE, Alerts(3, 0, 0), WORSE),
        (UNKNOWN, Alerts(3, 0, 0), BETTER),
        (UNKNOWN, Alerts(3, 1, 0), SAME),
        (UNKNOWN, Alerts(0, 0, 1), WORSE),
        (UNKNOWN, Alerts(), SAME),
    ],
)
def test_alerts_and_metrics_together(metrics: Judgement, alerts: Alerts, word: Judgement) -> None:
    found = () if metrics is UNKNOWN else (measured(ERRORS, 0.1, 0.1, metrics),)
    seen = weigh(Verification(measured=found), alerts)
    assert (seen.judgement, seen.metrics) == (word, metrics)


@pytest.mark.parametrize(
    ("found", "alerts", "sentence"),
    [
        (
            (measured(LATENCY, 810, 240, BETTER), measured(ERRORS, 0.041, 0.002, BETTER)),
            Alerts(3, 0),
            "error ratio 4.1 % → 0.2 %, p95 latency 810 → 240 ms; its 3 alerts cleared: better",
        ),
        (
            (measured(ERRORS, 0, 0.09, WORSE, "checkout"),),
            Alerts(),
            "error ratio of checkout 0 % → 9 %; no alert fires on payments: worse",
        ),
        ((measured(TRAFFIC, 90, 2, UNKNOWN),), Alerts(1, 1), "requests 90 → 2; its alert fires still: no change"),
        ((), Alerts(1, 0), "no source is set up; its alert cleared: better"),
        ((), Alerts(3, 2), "no source is set up; 2 of its 3 alerts fire still: no change"),
        ((), Alerts(3, 0, 2), "no source is set up; 2 alerts began to fire: worse"),
        ((), Alerts(0, 1), "no source is set up; 1 alert fires on payments: no change"),
        ((), Alerts(0, 2), "no source is set up; 2 alerts fire on payments: no change"),
    ],
)
def test_the_sentence(found: tuple[Measured, ...], alerts: Alerts, sentence: str) -> None:
    doubt = "" if found else "no source is set up"
    assert said(weigh(Verification(measured=found, doubt=doubt), alerts), ACTION) == sentence


def test_what_comes_from_outside_is_cleaned_before_it_is_said() -> None:
    odd = replace(measured(ERRORS, 0.1, 0.0, BETTER), name=f"{ERRORS} (path=/pay\n?token=abcdefgh12345678)")
    text = said(weigh(Verification(measured=(odd,)), Alerts(1)), ACTION)
    assert "\n" not in text
    assert "abcdefgh12345678" not in text


def test_what_did_not_change_is_shown_last_and_traffic_only_when_it_is_gone() -> None:
    found = (
        measured(LATENCY, 240, 250, SAME),
        measured(TRAFFIC, 90, 88, UNKNOWN),
        measured(ERRORS, 0.04, 0.0, BETTER),
        measured("queue_depth", 3, None, UNKNOWN),
    )
    assert [m.metric for m in shown(found)] == [ERRORS, LATENCY]


PENDING = Verification(measured=(measured(ERRORS, 0.04, None, UNKNOWN),))
GOOD = weigh(Verification(measured=(measured(ERRORS, 0.041, 0.002, BETTER),)), Alerts(1))
BAD = weigh(Verification(measured=(measured(ERRORS, 0.002, 0.041, WORSE),)), Alerts(1))


@pytest.mark.parametrize(
    ("seen", "firing", "seconds", "status", "words"),
    [
        (UNSEEN, (), 5, ActionStatus.SUCCEEDED, "its alerts have cleared (5 s after)."),
        (PENDING, (), 5, None, ""),
        (PENDING, (), 60, ActionStatus.SUCCEEDED, "its alerts have cleared (60 s after)."),
        (GOOD, (), 5, ActionStatus.SUCCEEDED, "v42 runs (5 s after); error ratio 4.1 % → 0.2 %; its alert cleared: better."),
        (GOOD, ("A",), 119, None, ""),
        (GOOD, ("A",), 120, ActionStatus.SUCCEEDED, "It helped: v42 runs; error ratio 4.1 % → 0.2 %"),
        (BAD, (), 59, None, ""),
        (
            BAD,
            (),
            60,
            ActionStatus.FAILED,
            "It made things worse: v42 runs; error ratio 0.2 % → 4.1 %; its alert cleared: worse.",
        ),
        (BAD, (), 60, ActionStatus.FAILED, "The way back: /deploy payments v43 production"),
        (BAD, ("A",), 60, ActionStatus.FAILED, "It made things worse"),
    ],
)
def test_the_end_of_an_action_by_metrics_and_alerts(
    seen: Verification, firing: tuple[str, ...], seconds: int, status: ActionStatus | None, words: str
) -> None:
    step = judge(ACTION, Version("v42"), firing, NOON + timedelta(seconds=seconds), timedelta(), LIMIT, (), seen)
    assert step.to is status
    assert words in step.text


def test_a_deploy_without_an_incident_waits_for_its_metrics_as_long_as_it_is_watched() -> None:
    plain = replace(ACTION, incident_id="")
    for seconds, status in ((60, None), (119, None), (120, ActionStatus.SUCCEEDED)):
        now = NOON + timedelta(seconds=seconds)
        assert judge(plain, Version("v42"), (), now, timedelta(seconds=60), LIMIT, (), PENDING).to is status


def test_metrics_say_nothing_of_a_version_that_does_not_run() -> None:
    for seen in (GOOD, BAD):
        step = judge(ACTION, Version("v43"), (), NOON + LIMIT, timedelta(), LIMIT, (), seen)
        assert (step.to, step.text.startswith("The deployer says")) == (ActionStatus.FAILED, True)


def test_an_alert_that_began_on_the_service_itself_counts_without_an_incident_of_the_action() -> None:
    plain = replace(ACTION, incident_id="")
    new = a_member(name="B", joined_at=NOON + timedelta(seconds=9))
    old, other = a_member(name="A", joined_at=NOON), a_member(name="C", service="checkout", joined_at=NOON + LIMIT)
    live = (replace(an_incident(), members=(old, new, other)),)
    assert begun_here(plain, live, NOON) == ("B on payments",)
    assert begun_here(replace(plain, environment="staging"), live, NOON) == ()
