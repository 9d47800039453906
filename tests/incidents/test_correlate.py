"""What belongs together becomes one incident, what does not stays apart, and each decision has its reason."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.alert import Alert, Severity, fingerprint, unreadable
from bot.domain.belonging import Belongings, belonging, belongings
from bot.domain.incident import Incident, Status
from bot.domain.service import Catalogue, Service
from bot.incidents.bundles import Joined, apart, arrival
from bot.incidents.correlate import Placing, place
from bot.incidents.membership import opened
from bot.incidents.severity import severity_of, weighed
from bot.incidents.shared_change import touching
from tests.fakes import NOON, a_change, a_member, an_alert, an_incident
from tests.flows.desk_of_alerts import SHOP

WINDOW = timedelta(minutes=15)


def at(service: str, seconds: float = 0, **more: object) -> Alert:
    return an_alert(**{"service": service, "started_at": NOON + timedelta(seconds=seconds), "summary": "", "labels": {}, **more})


def placed(alerts: Iterable[Alert], incidents: Iterable[Incident] = (), catalogue: Catalogue = SHOP) -> Placing:
    now = NOON + timedelta(hours=2)
    return place([arrival(fingerprint(a), a, catalogue, now) for a in alerts], incidents, catalogue, WINDOW)


def groups(placing: Placing) -> list[list[str]]:
    return [sorted(j.arrival.alert.service for j in group) for group in placing.opens]


def reasons(joined: Iterable[Joined]) -> dict[str, str]:
    return {j.arrival.alert.service: j.reason for j in joined}


def an_incident_of(service: str, **more: object) -> Incident:
    return an_incident(service=service, members=(a_member(service=service),), **more)


def test_an_alert_of_a_service_that_calls_the_incidents_joins_it_and_says_so() -> None:
    placing = placed([at("checkout", 12)], [an_incident_of("payments")])
    assert reasons(placing.joins["0193-incident"]) == {"checkout": "checkout calls payments, 12 s apart"}


def test_two_hops_name_the_service_between() -> None:
    placing = placed([at("storefront", 30)], [an_incident_of("payments")])
    assert reasons(placing.joins["0193-incident"]) == {"storefront": "storefront calls payments through checkout, 30 s apart"}


def test_services_that_call_the_same_one_belong_together_for_a_shorter_time() -> None:
    near = placed([at("inventory", 60)], [an_incident_of("payments")])
    assert reasons(near.joins["0193-incident"]) == {"inventory": "inventory and payments both call store, 60 s apart"}
    assert placed([at("inventory", 600)], [an_incident_of("payments")]).joins == {}


def test_an_unrelated_service_opens_its_own_incident() -> None:
    placing = placed([at("blog", 1)], [an_incident_of("payments")])
    assert (placing.joins, groups(placing)) == ({}, [["blog"]])


def test_an_alert_outside_the_window_opens_its_own_incident() -> None:
    assert placed([at("payments", 901)], [an_incident_of("payments")]).joins == {}


def test_alerts_of_one_batch_join_each_other_and_the_called_service_leads() -> None:
    (group,) = placed([at("storefront"), at("checkout", 5), at("payments", 20)]).opens
    assert group[0].arrival.alert.service == "payments"
    assert reasons(group) == {
        "payments": "it opened the incident",
        "checkout": "checkout calls payments, 15 s apart",
        "storefront": "storefront calls checkout, 5 s apart",
    }


def test_a_bundle_follows_its_relative_into_a_live_incident() -> None:
    far = Catalogue(
        {n: Service(n, depends_on=(d,)) for n, d in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))} | {"e": Service("e")}
    )
    placing = placed([at("a", 3), at("c", 2)], [an_incident_of("e")], far)
    assert {j.arrival.alert.service for j in placing.joins["0193-incident"]} == {"a", "c"}


def test_the_strongest_of_two_incidents_takes_the_alert() -> None:
    here, there = an_incident_of("payments", id="p"), an_incident_of("inventory", id="i", number=43)
    assert list(placed([at("payments", 60, name="Other")], [there, here]).joins) == ["p"]


def test_a_resolved_or_closed_incident_is_never_joined_by_another_problem() -> None:
    for status in (Status.RESOLVED, Status.CLOSED):
        gone = an_incident_of("payments", status=status, resolved_at=NOON)
        assert placed([at("payments", 1, name="Other")], [gone]).joins == {}


def test_different_environments_never_share_an_incident() -> None:
    placing = placed([at("payments"), at("payments", environment="staging")], [an_incident_of("checkout", environment="test")])
    assert (placing.joins, len(placing.opens)) == ({}, 2)


def test_a_shared_node_joins_services_that_the_graph_does_not() -> None:
    (group,) = placed([at("blog", labels={"node": "n1"}), at("payments", 9, labels={"node": "n1"})]).opens
    assert "the same node n1, 9 s apart" in reasons(group).values()


def test_services_nobody_described_join_by_alert_name_and_by_their_senders_group() -> None:
    (group,) = placed([at("x", name="TargetDown"), at("y", 8, name="TargetDown")]).opens
    assert reasons(group)["y"] == "the same alert TargetDown, 8 s apart"
    cluster = {"cluster": "eu1"}
    (group,) = placed([at("x", name="A", group=cluster), at("y", 8, name="B", group=cluster)]).opens
    assert reasons(group)["y"] == "grouped together by its sender (cluster=eu1), 8 s apart"
    assert len(placed([at("x", name="A"), at("y", 8, name="B")]).opens) == 2


def test_described_services_do_not_join_by_alert_name() -> None:
    assert len(placed([at("blog"), at("payments", 1)]).opens) == 2


def test_an_alert_that_names_another_service_belongs_to_it() -> None:
    placing = placed([at("blog", 30, summary="calls to payments time out")], [an_incident_of("payments")])
    assert reasons(placing.joins["0193-incident"]) == {"blog": "the alert HighErrorRate names payments, 30 s apart"}


def test_what_names_no_service_is_kept_apart_by_alert_name() -> None:
    assert len(placed([at("unknown", name="A"), at("unknown", 1, name="B")]).opens) == 2


def test_unreadable_deliveries_stand_alone_and_swallow_nobody() -> None:
    odd = replace(unreadable("github", "$.ref", "nothing is here", NOON), environment="production")
    placing = placed([odd, at("payments"), at("tocsin", 1)])
    assert sorted(groups(placing)) == [["payments"], ["tocsin"], ["tocsin"]]
    incident = opened("u", 1, placed([odd]).opens[0], NOON)
    assert (incident.title, incident.severity) == ("unreadable deliveries from github", Severity.SEV4)
    with_member = replace(incident, members=(a_member(service="tocsin", name="UnreadableAlert"),))
    assert placed([at("tocsin", 1)], [with_member]).joins == {}


alerts = st.lists(
    st.builds(
        lambda service, name, seconds, environment, node: at(
            service, seconds, name=name, environment=environment, labels={"node": node} if node else {}
        ),
        st.sampled_from(["storefront", "checkout", "payments", "inventory", "store", "blog", "x", "y", "unknown"]),
        st.sampled_from(["HighErrorRate", "SlowPages", "TargetDown"]),
        st.integers(0, 3000),
        st.sampled_from(["production", "staging"]),
        st.sampled_from(["", "", "n1", "n2"]),
    ),
    max_size=12,
    unique_by=fingerprint,
)


def _sets(placing: Placing) -> tuple[set[frozenset[str]], dict[str, frozenset[str]]]:
    prints = [frozenset(j.arrival.fingerprint for j in group) for group in placing.opens]
    return set(prints), {id: frozenset(j.arrival.fingerprint for j in joined) for id, joined in placing.joins.items()}


LIVE = (an_incident_of("payments", id="a"), an_incident_of("blog", id="b", number=43, environment="staging"))


@settings(max_examples=40)
@given(alerts, st.randoms(use_true_random=False))
def test_the_order_of_a_batch_changes_nobodys_place(batch: list[Alert], random: object) -> None:
    shuffled = list(batch)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands a random.Random
    assert placed(batch, LIVE) == placed(shuffled, reversed(LIVE))


@settings(max_examples=50)
@given(alerts)
def test_everyone_gets_exactly_one_place_within_one_environment(batch: list[Alert]) -> None:
    placing = placed(batch, LIVE)
    opens, joins = _sets(placing)
    everyone = [f for some in (*opens, *joins.values()) for f in some]
    assert sorted(everyone) == sorted(fingerprint(a) for a in batch)
    for group in placing.opens:
        assert len({j.arrival.alert.environment for j in group}) == 1
    for incident in LIVE:
        for j in placing.joins.get(incident.id, ()):
            assert j.arrival.alert.environment == incident.environment
    assert all(j.reason for group in (*placing.opens, *placing.joins.values()) for j in group)


@pytest.mark.slow
def test_five_thousand_distinct_problems_are_placed_within_seconds() -> None:
    batch = [at(f"svc{n % 700}", n / 100, name=f"Alert{n}", labels={"node": f"n{n % 40}"}) for n in range(5000)]
    assert sum(len(group) for group in placed(batch).opens) == 5000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "at the same moment"), (12, "12 s apart"), (150, "2 min apart"), (7200, "2 h apart")],
)
def test_gaps_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert apart(timedelta(seconds=seconds)) == said


def test_a_critical_alert_of_a_minor_service_is_no_critical_incident() -> None:
    assert weighed(Severity.SEV2, tier=4) is Severity.SEV3
    assert weighed(Severity.SEV1, tier=5) is Severity.SEV1


def test_three_critical_services_of_the_first_tier_are_the_worst_severity() -> None:
    members = [a_member(service=s) for s in ("storefront", "checkout", "payments")]
    assert severity_of(members[:2], SHOP)[0] is Severity.SEV2
    assert severity_of(members, SHOP) == (Severity.SEV1, "3 services of tier 1 are critical: checkout, payments, storefront")


TWO_ROOTS = Catalogue({n: Service(n, depends_on=d) for n, d in (("web", ("a", "b")), ("a", ()), ("b", ()), ("edge", ("web",)))})


def test_two_that_fail_on_their_own_stay_two_although_somebody_calls_both() -> None:
    assert sorted(groups(placed([at("a"), at("b", 100), at("web", 20)], catalogue=TWO_ROOTS))) == [["a", "web"], ["b"]]
    members = (a_member(service="a"), a_member(service="web", fingerprint="w" * 16))
    live = an_incident(service="a", members=members)
    placing = placed([at("b", 100), at("edge", 100)], [live], TWO_ROOTS)
    assert [j.arrival.alert.service for j in placing.joins["0193-incident"]] == ["edge"]
    assert groups(placing) == [["b"]]


def test_what_is_over_reaches_less_far() -> None:
    over = an_incident(service="payments", members=(a_member(service="payments", firing=0),))
    assert placed([at("checkout", 300)], [over]).joins == {}
    assert placed([at("checkout", 300)], [an_incident_of("payments")]).joins != {}


def said(a: Alert, b: Alert, *, related: bool) -> Belongings:
    return belongings([belonging(fingerprint(a), fingerprint(b), related=related, by="U1", at=NOON, deed="d")])


def test_two_that_people_split_are_never_joined_by_what_is_guessed() -> None:
    a, b = at("payments"), at("checkout", 5)
    arrivals = [arrival(fingerprint(x), x, SHOP, NOON + timedelta(hours=1)) for x in (a, b)]
    placing = place(arrivals, (), SHOP, WINDOW, said(a, b, related=False))
    assert sorted(groups(placing)) == [["checkout"], ["payments"]]
    live = an_incident(members=(a_member(fingerprint=fingerprint(a)),))
    assert place(arrivals[1:], [live], SHOP, WINDOW, said(a, b, related=False)).joins == {}


def test_two_that_people_merged_are_joined_in_the_same_environment_only() -> None:
    a, b = at("payments"), at("blog", 5)
    arrivals = [arrival(fingerprint(x), x, SHOP, NOON + timedelta(hours=1)) for x in (a, b)]
    assert groups(place(arrivals, (), SHOP, WINDOW, said(a, b, related=True))) == [["blog", "payments"]]
    live = an_incident(members=(a_member(fingerprint=fingerprint(a)),))
    joined = place(arrivals[1:], [live], SHOP, WINDOW, said(a, b, related=True)).joins["0193-incident"]
    assert joined[0].reason == "people put these two together before"
    elsewhere = replace(live, environment="staging")
    assert place(arrivals[1:], [elsewhere], SHOP, WINDOW, said(a, b, related=True)).joins == {}


def test_the_same_recent_change_joins_what_the_graph_does_not() -> None:
    shipped = touching([a_change(services=("blog", "payments"), title="Bump the client")])
    arrivals = [arrival(fingerprint(x), x, SHOP, NOON + timedelta(hours=1), shipped) for x in (at("payments"), at("blog", 9))]
    (group,) = place(arrivals, (), SHOP, WINDOW).opens
    assert "both touched by Bump the client (3f2c1a9), 9 s apart" in reasons(group).values()


def test_a_change_that_touched_many_services_joins_nobody_and_two_deployments_of_one_commit_are_one() -> None:
    assert touching([a_change(services=tuple(f"s{n}" for n in range(9)))]) == {}
    one, two = a_change(id="1", services=("a",)), a_change(id="2", services=("b",))
    assert set(touching([one, two])) == {"a", "b"}


def test_machines_are_the_same_whatever_a_sender_calls_them() -> None:
    (group,) = placed([at("blog", labels={"host": "n1"}), at("payments", 9, labels={"instance": "n1:9100"})]).opens
    assert "the same node n1, 9 s apart" in reasons(group).values()
    assert (
        len(placed([at("blog", labels={"instance": "10.0.0.1:80"}), at("payments", labels={"instance": "10.0.0.1:81"})]).opens)
        == 2
    )
