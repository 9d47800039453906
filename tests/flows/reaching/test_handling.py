"""Deeds travel both ways and end there: what changes nothing says nothing, and nothing is sent back to where it came from."""

import json
from datetime import timedelta

import pytest

from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.handling import Deed, Handling, page_key
from bot.domain.incident import Status
from bot.domain.request import Person
from bot.errors import NotFound, Unavailable
from bot.flows.alerts import on_alerts
from bot.flows.desk import Desk
from bot.flows.reaching.handling import on_handlings
from bot.flows.tending import acknowledge, resolve_by, silence, unsilence
from bot.intake.inbox import Drain
from bot.ports import Delivery, Silenced
from bot.storage.database import SqlDatabase
from bot.wiring.work import told as told_of
from connectors import pagerduty
from tests.fakes import NOON, FakeClock, an_alert
from tests.flows.reaching.fakes import FakePages, FakeResponder, a_reaching_desk, latest, told, until

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the stores have their own tests on both
ROUTING = """
default: {channel: "#incidents", escalation: standard}
people: {olivia@example.com: U0OLIVIA}
escalations: {standard: {SEV2: [{after: 0m, to: "pagerduty:payments"}]}}
"""
OLIVIA = Person("U0OLIVIA")


def handling(deed: Deed, ref: str = "P1", **fields: object) -> Handling:
    given = {"connector": "pagerduty", "deed": deed, "at": NOON + timedelta(minutes=1), "ref": ref, "by": "olivia@example.com"}
    return Handling(**{**given, **fields})  # type: ignore[arg-type]  # the test gives what it means


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    responders = {"pagerduty": FakeResponder(), "alertmanager": FakeResponder(deeds=frozenset({Deed.SILENCED, Deed.UNSILENCED}))}
    silences = {"alertmanager": FakeResponder()}
    return a_reaching_desk(
        database, clock, ROUTING, responders=responders, pagers={"pagerduty": FakePages()}, silence_sources=silences
    )


def from_pagerduty(**fields: object) -> Alert:
    return an_alert(**{"connector": "pagerduty", "ref": "P1", "labels": {"incident": "P1"}, **fields})


async def alerts(desk: Desk, *batch: Alert):  # type: ignore[no-untyped-def]  # the newest incident
    await desk.db.write(lambda tx: on_alerts(tx, batch, desk))
    return (await desk.db.read(lambda tx: desk.incidents.recent(tx, 1)))[0]


async def tell(desk: Desk, *handlings: Handling) -> None:
    await desk.db.write(lambda tx: on_handlings(tx, handlings, desk))


async def test_an_acknowledgement_there_is_one_here_once_and_goes_to_the_others_but_not_back(
    desk: Desk, clock: FakeClock
) -> None:
    incident = await alerts(desk, from_pagerduty(), an_alert(name="Slow", labels={"alertname": "Slow"}))
    await until(desk, clock, seconds=5)
    for _ in range(3):
        await tell(desk, handling(Deed.ACKNOWLEDGED))
        await until(desk, clock, seconds=1)
    now = await latest(desk, incident)
    assert (now.status, now.acknowledged_by) == (Status.ACKNOWLEDGED, "U0OLIVIA")
    assert len([t for t in await told(desk, incident) if t.startswith("acknowledged (in pagerduty)")]) == 1
    assert desk.responders["pagerduty"].carried == []
    assert desk.responders["alertmanager"].carried == []  # it takes no such deed
    assert desk.pagers["pagerduty"].carried == [(page_key(incident.id, "payments"), Deed.ACKNOWLEDGED, "U0OLIVIA")]  # another one


async def test_pressed_here_it_is_done_there_and_the_echo_ends(desk: Desk, clock: FakeClock) -> None:
    incident = await alerts(desk, from_pagerduty())
    await until(desk, clock, seconds=5)
    now = await latest(desk, incident)
    await desk.db.write(lambda tx: acknowledge(tx, now, OLIVIA, desk))
    await until(desk, clock, seconds=1)
    assert desk.responders["pagerduty"].carried == [("P1", Deed.ACKNOWLEDGED, "U0OLIVIA")]
    assert desk.pagers["pagerduty"].carried == [(page_key(incident.id, "payments"), Deed.ACKNOWLEDGED, "U0OLIVIA")]
    before = len(desk.work.started)
    await tell(desk, handling(Deed.ACKNOWLEDGED), handling(Deed.ACKNOWLEDGED, ref="", key=page_key(incident.id, "payments")))
    assert len(desk.work.started) == before
    done = await latest(desk, incident)
    await desk.db.write(lambda tx: resolve_by(tx, done, OLIVIA, "fixed", desk))
    await until(desk, clock, seconds=1)
    assert [d for _, d, _ in desk.responders["pagerduty"].carried] == [Deed.ACKNOWLEDGED, Deed.RESOLVED]
    assert [d for _, d, _ in desk.pagers["pagerduty"].carried] == [Deed.ACKNOWLEDGED, Deed.RESOLVED]
    before = len(desk.work.started)
    await tell(desk, handling(Deed.RESOLVED), handling(Deed.ACKNOWLEDGED), handling(Deed.UNACKNOWLEDGED))
    assert len(desk.work.started) == before


async def test_one_of_two_problems_resolved_there_is_not_the_whole_incident(desk: Desk) -> None:
    other = an_alert(name="Slow", labels={"alertname": "Slow"})
    incident = await alerts(desk, from_pagerduty(), other)
    for _ in range(2):
        await tell(desk, handling(Deed.RESOLVED))
    assert (await latest(desk, incident)).live
    assert len([t for t in await told(desk, incident) if "was resolved in pagerduty; 1 other" in t]) == 1
    await alerts(desk, an_alert(name="Slow", labels={"alertname": "Slow"}, resolved=True, ended_at=NOON))
    await tell(desk, handling(Deed.RESOLVED))
    over = await latest(desk, incident)
    assert (over.status, over.resolved_by) == (Status.RESOLVED, "U0OLIVIA")


async def test_a_page_of_ours_that_a_person_resolves_is_the_whole_incident(desk: Desk, clock: FakeClock) -> None:
    incident = await alerts(desk, an_alert(), an_alert(name="Slow", labels={"alertname": "Slow"}))
    await until(desk, clock, seconds=5)
    await tell(desk, handling(Deed.RESOLVED, ref="", key=page_key(incident.id, "payments"), by="Somebody"))
    assert (await latest(desk, incident)).resolved_by == "Somebody"


async def test_an_acknowledgement_that_runs_out_there_opens_it_again_and_pages_again(desk: Desk, clock: FakeClock) -> None:
    incident = await alerts(desk, from_pagerduty())
    await until(desk, clock, seconds=5)
    await tell(desk, handling(Deed.ACKNOWLEDGED))
    clock.advance(minutes=30)
    await tell(desk, handling(Deed.UNACKNOWLEDGED, by=""))
    await until(desk, clock, seconds=5)
    now = await latest(desk, incident)
    assert (now.status, now.acknowledged_by) == (Status.OPEN, "")
    assert len(desk.pagers["pagerduty"].pages) == 2


async def test_an_acknowledgement_of_the_time_before_it_fired_again_is_late(desk: Desk, clock: FakeClock) -> None:
    incident = await alerts(desk, from_pagerduty(started_at=NOON + timedelta(minutes=5)))
    clock.advance(minutes=6)
    incident = await alerts(desk, from_pagerduty(started_at=NOON + timedelta(minutes=5)))
    moved = (await latest(desk, incident)).members[0].joined_at
    await tell(desk, handling(Deed.ACKNOWLEDGED, at=moved - timedelta(minutes=1)))
    assert (await latest(desk, incident)).status is Status.OPEN


async def test_a_silence_pressed_here_covers_every_firing_instance_there_and_is_ended_there(desk: Desk, clock: FakeClock) -> None:
    instances = [
        an_alert(ref=f"a{n}", labels={"alertname": "HighErrorRate", "service": "payments", "pod": f"payments-{n}"})
        for n in (1, 2)
    ]
    incident = await alerts(desk, *instances)
    now = await latest(desk, incident)
    await desk.db.write(lambda tx: silence(tx, now, OLIVIA, timedelta(hours=2), desk))
    await until(desk, clock, seconds=1)
    ((alert, deed, end),) = desk.responders["alertmanager"].alerts
    assert (alert.labels, deed, end) == (
        {"alertname": "HighErrorRate", "service": "payments"},
        Deed.SILENCED,
        NOON + timedelta(hours=2),
    )
    assert "silenced in alertmanager too: HighErrorRate (made-1)" in await told(desk, incident)
    quiet = await latest(desk, incident)
    await desk.db.write(lambda tx: unsilence(tx, quiet, OLIVIA, desk))
    await until(desk, clock, seconds=1)
    assert desk.responders["alertmanager"].alerts[1][1] is Deed.UNSILENCED
    assert (await latest(desk, incident)).silenced_until is None


async def test_a_silence_made_there_is_seen_once_every_firing_instance_is_in_it_and_its_end_is_seen(
    desk: Desk, clock: FakeClock
) -> None:
    instances = [an_alert(ref=f"a{n}", labels={"alertname": "HighErrorRate", "pod": f"payments-{n}"}) for n in (1, 2)]
    incident = await alerts(desk, *instances)
    source, end = desk.silence_sources["alertmanager"], clock() + timedelta(hours=1)

    async def look() -> None:
        desk.work.start(None, "reach", "see_silences", f"look:{len(desk.work.started)}", {})
        await until(desk, clock, seconds=1)

    source.silences = (Silenced("a1", end, "Olivia Ops", "upgrade"),)
    await look()
    assert (await latest(desk, incident)).silenced_until is None
    source.silences = (Silenced("a1", end, "Olivia Ops", "upgrade"), Silenced("a2", end, "Olivia Ops", "upgrade"))
    for _ in range(3):
        await look()
    quiet = await latest(desk, incident)
    assert (quiet.silenced_until, quiet.silenced_by) == (end, "alertmanager")
    assert len([t for t in await told(desk, incident) if "upgrade" in t]) == 1
    source.silences = ()
    for _ in range(2):
        await look()
    assert (await latest(desk, incident)).silenced_until is None
    assert desk.responders["alertmanager"].alerts == []  # nothing is sent back
    source.fails = Unavailable("Alertmanager did not answer.")
    await look()
    assert "silences of alertmanager" in desk.vitals.failing


async def test_a_vendor_that_is_away_holds_nothing_up_and_is_told_later(desk: Desk, clock: FakeClock) -> None:
    incident = await alerts(desk, from_pagerduty())
    await until(desk, clock, seconds=5)
    vendor, now = desk.responders["pagerduty"], await latest(desk, incident)
    vendor.fails = Unavailable("PagerDuty did not answer.")
    await desk.db.write(lambda tx: acknowledge(tx, now, OLIVIA, desk))
    assert (await latest(desk, incident)).status is Status.ACKNOWLEDGED
    for _ in range(2):
        desk.work.done = {d for d in desk.work.done if not d.startswith("carry")}
        with pytest.raises(Unavailable):
            await until(desk, clock, seconds=1)
    assert len([t for t in await told(desk, incident) if "tried again" in t]) == 1
    vendor.fails = None
    for _ in range(2):  # twice is once
        desk.work.done = {d for d in desk.work.done if not d.startswith("carry")}
        await until(desk, clock, seconds=1)
    assert len(vendor.carried) == 1


async def test_an_alert_that_the_vendor_does_not_know_any_more_is_told_of_and_not_tried_again(
    desk: Desk, clock: FakeClock
) -> None:
    incident = await alerts(desk, from_pagerduty())
    now = await latest(desk, incident)
    desk.responders["pagerduty"].fails = NotFound("PagerDuty has nothing there.")
    await desk.db.write(lambda tx: acknowledge(tx, now, OLIVIA, desk))
    await until(desk, clock, seconds=5)
    assert any(t.startswith("pagerduty was not told (acknowledged)") for t in await told(desk, incident))


async def test_a_handling_of_something_unknown_is_passed_over(desk: Desk) -> None:
    incident = await alerts(desk, from_pagerduty())
    await tell(
        desk,
        handling(Deed.ACKNOWLEDGED, ref="P999"),
        handling(Deed.RESOLVED, ref=""),
        handling(Deed.RESOLVED, ref="", key="tocsin:another:x"),
        handling(Deed.ACKNOWLEDGED, connector="opsgenie"),
    )
    assert (await latest(desk, incident)).status is Status.OPEN
    assert fingerprint(from_pagerduty()) == (await latest(desk, incident)).members[0].fingerprint


async def test_what_clears_while_it_is_silenced_has_cleared_although_its_vendor_says_nothing(
    desk: Desk, clock: FakeClock
) -> None:
    instances = [an_alert(ref=f"a{n}", labels={"alertname": "HighErrorRate", "pod": f"payments-{n}"}) for n in (1, 2)]
    incident = await alerts(desk, *instances)
    source, end = desk.silence_sources["alertmanager"], clock() + timedelta(hours=1)

    async def look(fires: frozenset[str] | None, *silenced: str) -> bool:
        source.fires, source.silences = fires, tuple(Silenced(ref, end, "Olivia Ops", "upgrade") for ref in silenced)
        desk.work.start(None, "reach", "see_silences", f"look:{len(desk.work.started)}", {})
        await until(desk, clock, seconds=1)
        return (await latest(desk, incident)).members[0].firing

    assert await look(frozenset()), "what nobody silenced is the vendor's to tell"
    assert await look(frozenset({"a1", "a2"}), "a1", "a2")
    assert await look(None, "a1", "a2"), "it has just started and knows of no alert yet"
    assert await look(frozenset({"a2"}), "a2")
    assert not await look(frozenset())
    assert desk.work.named("settle"), "and the incident ends as any other"
    assert not any("silenced no more" in line for line in await told(desk, incident))


async def test_a_name_at_the_vendor_that_looks_like_a_slack_user_is_nobody_in_slack(desk: Desk) -> None:
    incident = await alerts(desk, from_pagerduty())
    await tell(desk, handling(Deed.ACKNOWLEDGED, by="U0APPROVER"))
    line = (await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id)))[-1]
    assert (line.by, line.text) == ("U0APPROVER in pagerduty", "acknowledged (in pagerduty)")


def our_news(key: str, verb: str = "triggered", person: str = "") -> Delivery:
    """PagerDuty's news of an incident with this key."""
    about = {"id": "P9", "title": "INC-1 is not acknowledged", "incident_key": key, "priority": {"summary": "P1"}}
    agent = {"type": "user_reference", "summary": person} if person else {"type": "service_reference"}
    event = {
        "id": f"{key}{verb}",
        "event_type": f"incident.{verb}",
        "agent": agent,
        "data": about,
        "occurred_at": NOON.isoformat(),
    }
    return Delivery("pagerduty", {}, json.dumps({"event": event}).encode(), NOON)


async def drained(desk: Desk, *deliveries: Delivery) -> None:
    """The deliveries through the real drain and the real stories."""
    await desk.db.keep(lambda tx: desk.inbox.add(tx, [(one, str(n)) for n, one in enumerate(deliveries)]))
    while await Drain(desk, {"pagerduty": pagerduty.CONNECTOR}, told_of()).once():
        pass


async def test_news_of_a_page_that_we_sent_is_no_alert(desk: Desk, clock: FakeClock) -> None:
    incident = await alerts(desk, an_alert())
    await until(desk, clock, seconds=5)
    assert desk.pagers["pagerduty"].pages
    await drained(desk, our_news(page_key(incident.id, "payments")))
    assert [i.id for i in await desk.db.read(lambda tx: desk.incidents.recent(tx, 9))] == [incident.id]


@pytest.mark.parametrize("form", ["tocsin:", "tocsin:another:payments", "{}:somebody"])
async def test_our_key_written_by_somebody_else_hides_no_alert_and_handles_nothing_of_ours(
    desk: Desk, clock: FakeClock, form: str
) -> None:
    incident = await alerts(desk, an_alert())
    await until(desk, clock, seconds=5)
    key = form.format(page_key(incident.id, "")[:-1])
    await drained(desk, our_news(key), our_news(key, "resolved", "mallory"))
    newest, *_ = await desk.db.read(lambda tx: desk.incidents.recent(tx, 9))
    assert (newest.title, newest.severity) == ("INC-1 is not acknowledged", Severity.SEV4)  # two Tocsins do not page each other
    assert (await latest(desk, incident)).status is Status.OPEN
