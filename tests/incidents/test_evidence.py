"""What speaks for a problem being part of an incident: sums of reasons that fade, and what takes their weight away."""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.incident import Incident
from bot.incidents.bundles import arrival
from bot.incidents.correlate import Placing, place
from bot.incidents.dedup import identified, tell
from bot.incidents.membership import home_of
from bot.ports import Problem
from tests.fakes import NOON, a_member, an_alert, an_incident
from tests.flows.desk_of_alerts import SHOP

WINDOW = timedelta(minutes=15)


def at(service: str, seconds: float = 0, **more: object) -> Alert:
    return an_alert(**{"service": service, "started_at": NOON + timedelta(seconds=seconds), "summary": "", "labels": {}, **more})


def placed(alert: Alert, *incidents: Incident) -> Placing:
    return place([arrival(fingerprint(alert), alert, SHOP, NOON + timedelta(hours=2))], incidents, SHOP, WINDOW)


def of(service: str, count: int = 1, **member: object) -> Incident:
    members = tuple(a_member(service=f"{service}{n or ''}", fingerprint=f"f{n}", **member) for n in range(count))
    return an_incident(service=service, members=members)


def hooks(places: Sequence[str], name: str = "PodNotReady") -> tuple[str, ...]:
    return (*(f"node={place}" for place in places), f"every={name}")


def test_the_same_alert_of_many_services_at_once_has_one_cause_and_of_two_has_not() -> None:
    alert = at("blog", 20, name="PodNotReady")
    assert placed(alert, of("stray", 2, hooks=("every=PodNotReady",))).joins == {}
    joins = placed(alert, of("stray", 6, hooks=("every=PodNotReady",))).joins
    assert joins["0193-incident"][0].reason == "many services have PodNotReady, 20 s apart"


def test_an_old_incident_takes_what_is_near_but_not_what_is_far() -> None:
    old = an_incident(service="payments", opened_at=NOON - timedelta(minutes=45), members=(a_member(service="payments"),))
    assert placed(at("checkout", 5), of("payments")).joins
    assert placed(at("checkout", 5), old).joins == {}


def test_a_node_that_dies_is_not_part_of_trouble_that_merely_passes_through_it() -> None:
    dead = at("", 10, name="NodeDown", labels={"node": "n1"})
    passing = an_incident(
        service="payments",
        members=tuple(a_member(service="payments", fingerprint=n, hooks=(f"node={n}",)) for n in ("n1", "n2", "n3", "n4")),
    )
    there = an_incident(service="payments", members=(a_member(service="payments", hooks=("node=n1",)),))
    assert placed(dead, passing).joins == {}
    assert placed(dead, there).joins != {}


def test_a_notice_joins_only_what_is_very_near() -> None:
    assert placed(at("payments", 20, severity=Severity.SEV4), of("payments")).joins != {}
    assert placed(at("checkout", 20, severity=Severity.SEV4), of("payments")).joins == {}


def test_what_hardly_speaks_for_it_is_said_to_be_unsure() -> None:
    assert placed(at("payments", 0), of("payments")).unsure == frozenset()
    late = at("checkout", 200)
    assert placed(late, of("payments")).unsure == {fingerprint(late)}


def test_what_was_quiet_for_minutes_is_placed_anew_unless_its_incident_is_about_nothing_else() -> None:
    (event,) = identified([at("payments", 300)])
    before = Problem(
        event.fingerprint, "HighErrorRate", "payments", incident_id="0193-incident", count=0, events=1, resolved_at=NOON
    )
    news = tell([event], {event.fingerprint: before}, NOON + timedelta(minutes=5))[event.fingerprint]
    own, wide = of("payments"), of("payments", 2)
    assert home_of(news, {own.id: own}) is own
    assert home_of(news, {wide.id: wide}) is None
