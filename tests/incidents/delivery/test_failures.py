"""Which deployments failed, why, and when they did no harm any more."""

from datetime import timedelta

from bot.domain.delivery import Failed
from bot.domain.watch import BakeVerdict
from bot.incidents.delivery.failures import Known, failures, recoveries
from tests.fakes import NOON
from tests.incidents.delivery.events import HOUR, blame, made_of, shipped, suspect

V1, V2, V3 = (shipped(v, n) for n, v in enumerate(("v1", "v2", "v3")))
BACK = shipped("v1", 4)


def test_each_reason_counts_and_the_first_that_holds_is_told() -> None:
    every = made_of(V1, V2, V3)
    v1, v2, v3 = every
    blames = [blame(V1, 0.5, 1, confirmed=False), blame(V1, 0.6, 1), blame(V2, 1.5, 2, confirmed=False)]
    assert failures(Known(every), blames, [suspect(V2), suspect(V3)]) == {
        v1: Failed.CONFIRMED,
        v2: Failed.CONVICTED,
        v3: Failed.SUSPECT,
    }


def test_what_ran_when_it_was_taken_back_failed_and_not_what_ran_before_that() -> None:
    every = made_of(V1, V2, V3, BACK)
    assert failures(Known(every), [], []) == {every[2]: Failed.ROLLED_BACK}


def test_a_way_back_to_what_nobody_remembers_fails_nobody_twice() -> None:
    every = made_of(V1, V2, shipped("v1", 4), shipped("v2", 5), shipped("v1", 6))
    assert failures(Known(every), [], []) == {every[1]: Failed.ROLLED_BACK}


def test_a_deployment_that_settled_in_or_was_unclear_did_not_fail() -> None:
    for verdict in (BakeVerdict.CLEAN, BakeVerdict.UNCLEAR, BakeVerdict.OVERTAKEN):
        assert failures(Known(made_of(V1)), [], [suspect(V1, verdict)]) == {}


def test_of_several_services_the_guilty_one_failed() -> None:
    shared = shipped("v4", 3, services=("cart", "payments"))
    every = made_of(shared)
    assert [d.service for d in Known(every).blamed(blame(shared, 4, 5, service="payments"))] == ["payments"]
    assert [d.service for d in Known(every).blamed(blame(shared, 4, 5, service="storefront"))] == ["cart", "payments"]


def test_a_cause_known_by_another_report_is_found_by_its_version_but_not_later_than_the_incident() -> None:
    every = made_of(V1, V2)
    other = shipped("v2", 1.01, by="argocd", id="somewhere else")
    assert Known(every).blamed(blame(other, 1.5, 2)) == (every[1],)
    assert Known(every).blamed(blame(other, 0.5, 2)) == ()
    assert Known(every).blamed(blame(shipped("v9", 1, id="unknown"), 5, 6)) == ()


def test_a_failed_deployment_recovers_with_its_last_incident_else_with_the_way_back() -> None:
    every = made_of(V1, V2, V3, BACK)
    v2, v3 = every[1:3]
    taken_back = {v3: NOON + timedelta(hours=4)}
    twice = [blame(V2, 1.2, 2), blame(V2, 1.3, 3.5)]
    assert recoveries(Known(every), twice) == {v2: NOON + 3.5 * HOUR, **taken_back}
    assert recoveries(Known(every), [*twice, blame(V2, 1.4, None)]) == taken_back
    assert recoveries(Known(every), []) == taken_back
