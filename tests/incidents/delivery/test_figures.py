"""DORA's figures, calculated by hand."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.alert import Severity
from bot.domain.delivery import LEAST, Failed, Spread
from bot.domain.incident import Incident, Status
from bot.incidents.delivery.deployments import deployments
from bot.incidents.delivery.figures import Past, figures, spread
from bot.incidents.delivery.words import delivery_lines, in_words, lasted, on_call_lines, rate, service_lines
from tests.fakes import NOON, an_incident
from tests.incidents.delivery.events import HOUR, blame, made_of, rolled, shipped, suspect

SINCE, UNTIL = NOON, NOON + timedelta(days=28)
SIX = tuple(shipped(f"v{n}", 24.0 * n) for n in range(1, 7))


def over(number: int, opened: float, minutes: float, **fields: object) -> Incident:
    """An incident of payments that took so many minutes."""
    begun = NOON + opened * HOUR
    ended = {"resolved_at": begun + timedelta(minutes=minutes), "status": Status.RESOLVED}
    return an_incident(id=f"i{number}", number=number, service="payments", opened_at=begun, **{**ended, **fields})


def test_six_deployments_two_of_which_failed() -> None:
    """v2 caused an incident of 40 minutes two hours after it came, v5 was taken back after three hours."""
    back = shipped("v4", 24 * 5 + 3)
    past = Past(made_of(*SIX[:5], back, SIX[5]), blames=(blame(SIX[1], 48 + 2, 48 + 2 + 40 / 60),))
    found = figures(past, SINCE, UNTIL)
    total = found.total
    assert (total.deployments, total.back, total.again) == (6, 1, 0)
    assert total.failed == {Failed.CONFIRMED: 1, Failed.ROLLED_BACK: 1}
    assert total.failure_rate == 2 / 6
    assert total.recover == Spread(2, None)  # 2 h 40 and 3 h: too few for a median
    assert found.services == (replace(total, service="payments"),)
    lines = delivery_lines(found)
    assert lines[0] == "Deployment frequency: 1.5 a week (6 in 28 days)"
    assert lines[2] == "Change-failure rate: 33 % (2 of 6 failed): 1 confirmed cause of an incident, 1 rolled back"
    assert lines[3] == "Time to restore: no incident; of failed deployments: too few to say (2 recoveries)"
    assert lines[4] == "Not counted as deployments: 1 ways back, 0 of a version that had run already"


def test_lead_time_is_of_commits_and_what_nobody_knows_is_counted() -> None:
    every = made_of(*SIX)
    ran = [d.at for d in every]
    commits: dict[object, tuple[datetime, ...]] = {
        every[0]: (ran[0] - 1 * HOUR, ran[0] - 5 * HOUR),
        every[1]: (ran[1] - 2 * HOUR,),
        every[2]: (ran[2] - 3 * HOUR, ran[2] - 30 * HOUR),
        every[3]: (ran[3] + 2 * HOUR,),  # it ran before it was written: that clock is wrong
        every[4]: (),
    }
    lead = figures(Past(every, commits=commits), SINCE, UNTIL).total  # type: ignore[arg-type]  # keys are deployments
    assert lead.lead == Spread(5, 3 * HOUR)
    assert lead.left_out == 3
    line = delivery_lines(figures(Past(every, commits=commits), SINCE, UNTIL))[1]  # type: ignore[arg-type]  # as above
    assert line == "Lead time for changes: 3.0 h (median of 5 commits); of 3 deployments nobody told the commits"


def test_a_clock_that_is_a_little_off_gives_no_negative_time() -> None:
    (one,) = made_of(SIX[0])
    found = figures(Past((one,), commits={one: (one.at + timedelta(minutes=2),) * LEAST}), SINCE, UNTIL)
    assert found.total.lead == Spread(LEAST, timedelta())


def test_time_to_restore_is_of_incidents_that_hurt_and_counts_merged_ones_once() -> None:
    incidents = [over(n, 10 * n, minutes) for n, minutes in enumerate((5, 10, 20, 40, 80))]
    left_out = (
        over(6, 60, 9_999, merged_into="INC-1"),
        over(7, 70, 9_999, severity=Severity.SEV4),
        over(8, 80, 0, resolved_at=None, status=Status.OPEN),
        over(9, -30 * 24, 5),
        over(10, 29 * 24, 5),
    )
    found = figures(Past(incidents=(*incidents, *left_out)), SINCE, UNTIL)
    assert found.total.restore == Spread(5, timedelta(minutes=20))
    assert found.services[0].restore == found.total.restore
    assert found.total.deployments == 0


def test_a_deployment_of_several_services_is_one_of_all_together() -> None:
    both = shipped("v1", 24, services=("cart", "payments"))
    again = shipped("v2", 48, services=("cart", "payments"))
    past = Past(made_of(both, again, shipped("v3", 72)), blames=(blame(again, 49, 50, service="payments"),))
    found = figures(past, SINCE, UNTIL)
    assert (found.total.deployments, found.total.failures) == (3, 1)
    assert [(s.service, s.deployments, s.failures) for s in found.services] == [("payments", 3, 1), ("cart", 2, 0)]


def test_what_lies_outside_of_the_span_is_not_counted_but_known() -> None:
    past = Past(made_of(shipped("v1", -24), shipped("v2", -1), shipped("v1", 1), shipped("v3", 28 * 24)))
    found = figures(past, SINCE, UNTIL)
    assert (found.total.deployments, found.total.back, found.total.failures) == (0, 1, 0)


def test_weeks_reach_eight_back_and_tell_what_failed() -> None:
    last = (UNTIL - NOON) / HOUR
    past = Past(made_of(shipped("v1", last - 7 * 24 * 8 + 1), shipped("v2", last - 2), shipped("v3", last - 1)), bakes=())
    found = figures(replace(past, bakes=(suspect(shipped("v3", last - 1)),)), SINCE, UNTIL)
    assert [(w.fine, w.failed) for w in found.weeks] == [(1, 0), *[(0, 0)] * 6, (1, 1)]
    assert found.weeks[-1].start == UNTIL - timedelta(days=7)


def test_nothing_gives_no_figure() -> None:
    found = figures(Past(), SINCE, UNTIL)
    assert delivery_lines(found) == (
        "Deployment frequency: none in 28 days",
        "Lead time for changes: no commit",
        "Change-failure rate: no deployment",
        "Time to restore: no incident; of failed deployments: no recovery",
    )
    assert service_lines(found) == ()
    assert on_call_lines(found.on_call) == (
        "Time to acknowledge: no acknowledged incident; 0 never acknowledged",
        "Pages: nobody was paged",
    )


def test_few_are_told_as_counts_and_never_as_a_share() -> None:
    past = Past(made_of(*SIX[:4]), blames=(blame(SIX[0], 25, 26),))
    total = figures(past, SINCE, UNTIL).total
    assert total.failure_rate is None
    assert rate(total) == "too few to say (1 of 4 failed)"
    assert in_words(spread([HOUR] * 4), "incident") == "too few to say (4 incidents)"


def test_an_action_of_ours_that_no_vendor_told_of_is_counted() -> None:
    every = deployments([SIX[0]], [rolled("v0", 30)], "production")
    total = figures(Past(every), SINCE, UNTIL).total
    assert (total.deployments, total.back, total.failed) == (1, 1, {Failed.ROLLED_BACK: 1})


def test_spans_are_told_in_the_unit_that_fits() -> None:
    spans = (timedelta(seconds=45), timedelta(minutes=12), timedelta(minutes=100), timedelta(hours=35), timedelta(hours=60))
    assert [lasted(span) for span in spans] == ["45 s", "12 min", "1.7 h", "35.0 h", "2.5 days"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_a_median_lies_within_and_half_lie_on_each_side(seconds: list[int]) -> None:
    found = spread(timedelta(seconds=s) for s in seconds)
    assert found.count == len(seconds)
    assert (found.median is None) == (len(seconds) < LEAST)
    if found.median is not None:
        middle = found.median.total_seconds()
        assert sum(s <= middle for s in seconds) >= len(seconds) / 2
        assert sum(s >= middle for s in seconds) >= len(seconds) / 2
