"""How many instances fire is exact, however often and in whatever order they are told of."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert import Alert
from bot.incidents.dedup import LATE, Verdict, identified, judge, tell
from bot.ports import Problem
from tests.fakes import NOON, an_alert

MINUTE = timedelta(minutes=1)


def firing(start: datetime = NOON, pod: str = "a") -> Alert:
    return an_alert(started_at=start, labels={"pod": pod})


def ended(end: datetime, start: datetime = NOON, pod: str = "a") -> Alert:
    return an_alert(resolved=True, started_at=start, ended_at=end, labels={"pod": pod})


def verdicts(*alerts: Alert, known: dict[str, Problem] | None = None, now: datetime = NOON) -> list[str]:
    (news,) = tell(identified(alerts), known or {}, now).values()
    return [verdict.value for _, verdict in news.events]


@pytest.mark.parametrize(
    ("alert", "began", "cleared", "verdict"),
    [
        (firing(), None, None, Verdict.NEW),
        (firing(), NOON, None, Verdict.REPEAT),
        (firing(), None, NOON - 5 * MINUTE, Verdict.REFIRED),
        (ended(NOON + MINUTE), NOON, None, Verdict.CLEARED),
        (ended(NOON), None, None, Verdict.CLEARED_UNSEEN),
        (ended(NOON), None, NOON, Verdict.REPEAT),
    ],
)
def test_the_verdict_depends_on_what_is_known_of_the_instance(
    alert: Alert, began: datetime | None, cleared: datetime | None, verdict: Verdict
) -> None:
    assert judge(alert, began, cleared, NOON) is verdict


def test_a_late_copy_of_an_alert_that_ended_does_not_fire_again() -> None:
    assert judge(firing(NOON), None, NOON + MINUTE, NOON + MINUTE + LATE / 2) is Verdict.REPEAT


def test_the_same_start_long_after_the_end_is_taken_for_a_new_fire() -> None:
    assert judge(firing(NOON), None, NOON + MINUTE, NOON + MINUTE + LATE) is Verdict.REFIRED


def test_an_end_from_before_the_present_fire_clears_nothing() -> None:
    assert judge(ended(NOON - MINUTE), NOON, None, NOON) is Verdict.REPEAT


def test_a_batch_is_read_in_the_order_in_which_things_happened() -> None:
    assert verdicts(ended(NOON + MINUTE), firing(), firing(NOON + 2 * MINUTE)) == ["new", "cleared", "fires again"]


def test_a_problem_clears_when_its_last_instance_clears() -> None:
    alerts = [firing(pod="a"), firing(pod="b"), ended(NOON + MINUTE, pod="a")]
    (news,) = tell(identified(alerts), {}, NOON).values()
    assert (news.firing, news.cleared_now) == (1, False)
    known = {news.fingerprint: news.problem(NOON, "i")}
    (last,) = tell(identified([ended(NOON + MINUTE, pod="b")]), known, NOON + MINUTE).values()
    assert (last.firing, last.cleared_now) == (0, True)
    assert last.problem(NOON + MINUTE, "i").resolved_at == NOON + MINUTE


steps = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(1, 3)), min_size=1, max_size=30)


@given(steps)
def test_firing_numbers_are_exact_under_duplicates_and_interleaved_ends(
    told: list[tuple[str, bool, int]],
) -> None:
    """Every step turns an instance on or off and is told 1-3 times; the truth is kept beside."""
    truth: dict[str, datetime] = {}
    known: dict[str, Problem] = {}
    now, seen = NOON, 0
    for pod, on, copies in told:
        now += 5 * MINUTE
        if on:
            truth.setdefault(pod, now)
            alert = firing(truth[pod], pod)
        else:
            alert = ended(now, truth.pop(pod, now - MINUTE), pod)
        (news,) = tell(identified([alert] * copies), known, now).values()
        known = {news.fingerprint: news.problem(now, "i")}
        seen += copies
        (problem,) = known.values()
        assert problem.count == len(truth) == len(problem.firing)
        assert problem.events == seen
        assert (problem.resolved_at is None) == bool(truth)


@given(st.permutations([firing(pod=p) for p in "abcd"] + [ended(NOON + MINUTE, pod=p) for p in "ab"]))
def test_the_order_of_a_batch_changes_no_verdict(batch: list[Alert]) -> None:
    assert Counter(verdicts(*batch)) == {"new": 4, "cleared": 2}
