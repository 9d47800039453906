"""Nobody takes an incident: one after the other is reached, once each, until somebody does. The clock stands still."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.alert import Severity
from bot.domain.handling import page_key
from bot.domain.incident import Status
from bot.domain.request import Person
from bot.domain.view import IncidentView, NoteView
from bot.errors import NotFound, Unavailable
from bot.flows.announce import announce
from bot.flows.tending import acknowledge, resolve_by, silence
from bot.ports import OnCall
from bot.slack.blocks import render
from bot.storage.database import SqlDatabase
from tests.fakes import FakeChannel, FakeClock, InMemoryWork
from tests.flows.reaching.fakes import FakePager, FakePages, a_reaching_desk, handlers_of, latest, opened, told, until

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the stores have their own tests on both
ROUTING = """
default: {channel: "#incidents", on_call: [U0STATIC], on_call_from: "pagerduty:primary", escalation: standard}
people: {ben@example.com: U0BEN}
rotas:
  backend: {every: day, handover: "12:05", start: 2026-11-21, people: [U0ANNA, ben@example.com]}
escalations:
  standard:
    SEV1: [{after: 0m, to: "pagerduty:payments"}]
    SEV2: [{after: 5m, to: "rota:backend"}, {after: 10m, to: pagerduty}, {after: 20m, to: "#leads"}]
    SEV3: [{after: 5m, to: U0LEAD}]
quiet_hours: [{severity: [SEV3], hours: "22:00-07:00"}]
second_outlet: {to: [email], after: 2m}
"""
OLIVIA = Person("U0OLIVIA")


@pytest.fixture
def pager() -> FakePages:
    return FakePages(people=(OnCall("Olivia", "olivia@example.com"),))


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, pager: FakePages):  # type: ignore[no-untyped-def]  # a Desk whose fakes the tests look into
    channel = FakeChannel(emails={"olivia@example.com": "U0OLIVIA"})
    fields = {"pagers": {"pagerduty": pager, "email": FakePages()}, "schedules": {"pagerduty": pager}}
    return a_reaching_desk(database, clock, ROUTING, channel=channel, **fields)


def notes(desk) -> list[tuple[str, str, tuple[str, ...]]]:  # type: ignore[no-untyped-def]  # as above
    """(channel, text, whom it mentions) of every note that was posted."""
    return [(p.place.channel, p.view.text, p.view.mention) for p in desk.channel.posts if isinstance(p.view, NoteView)]


async def test_one_after_the_other_is_reached_each_once_at_their_time(desk, clock: FakeClock, pager: FakePages) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock)
    await until(desk, clock, minutes=4)
    assert (notes(desk), pager.pages) == ([], [])
    await until(desk, clock, minutes=2)
    ((channel, _, mention),) = notes(desk)
    assert (channel, mention) == ("C-INCIDENTS", ("U0BEN",))  # whose turn it is by then
    assert desk.channel.posts[-1].place.thread
    await until(desk, clock, minutes=5)
    assert [p.key for p in pager.pages] == [page_key(incident.id, "")]
    await until(desk, clock, hours=3)
    assert [n[0] for n in notes(desk)] == ["C-INCIDENTS", "C-LEADS"]
    assert len(pager.pages) == 1
    assert "rota:backend was called in the thread (U0BEN)" in await told(desk, incident)
    assert "pagerduty was paged" in await told(desk, incident)


async def test_the_owner_is_whoever_is_on_call_and_the_card_says_who_said_so(desk, clock: FakeClock, pager: FakePages) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock)
    await until(desk, clock, seconds=5)
    now = await latest(desk, incident)
    assert (now.on_call, now.on_call_from) == (("U0OLIVIA",), "pagerduty primary")
    card = next(p.view for p in desk.channel.posts if isinstance(p.view, IncidentView))
    assert "<@U0OLIVIA> (pagerduty primary)" in str(render(card, frozenset()).blocks)
    assert pager.asked == 1


@pytest.mark.parametrize("people", [None, (), (OnCall("Zoe", "zoe@example.com"),)], ids=["away", "nobody", "not in Slack"])
async def test_if_the_pager_cannot_say_the_people_of_the_file_are_on_call_and_it_says_so(  # type: ignore[no-untyped-def]
    desk, clock: FakeClock, pager: FakePages, people: tuple[OnCall, ...] | None
) -> None:
    if people is None:
        pager.fails = Unavailable("PagerDuty did not answer.")
    else:
        pager.people = people
    incident = await opened(desk, clock)
    await until(desk, clock, seconds=5)
    now = await latest(desk, incident)
    assert now.on_call == ("U0STATIC",)
    assert now.on_call_from.startswith("routing.yaml: ")
    assert bool(desk.vitals.failing) == (people is None)


@pytest.mark.parametrize("deed", ["acknowledge", "resolve", "silence"])
async def test_it_stops_when_somebody_takes_ends_or_silences_it(desk, clock: FakeClock, pager: FakePages, deed: str) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock)
    await until(desk, clock, minutes=6)
    now = await latest(desk, incident)
    deeds = {
        "acknowledge": lambda tx: acknowledge(tx, now, OLIVIA, desk),
        "resolve": lambda tx: resolve_by(tx, now, OLIVIA, "fixed", desk),
        "silence": lambda tx: silence(tx, now, OLIVIA, timedelta(hours=1), desk),
    }
    await desk.db.write(deeds[deed])
    await until(desk, clock, minutes=50)
    assert len([n for n in notes(desk) if n[1].startswith("INC-42 SEV2 is yours")]) == 1
    assert pager.pages == []
    await until(desk, clock, minutes=30)
    assert len(pager.pages) == (1 if deed == "silence" else 0)  # a silence ends, and nobody has it still


async def test_a_restart_in_the_middle_reaches_nobody_twice_and_forgets_nobody(  # type: ignore[no-untyped-def]
    desk, clock: FakeClock, pager: FakePages
) -> None:
    incident = await opened(desk, clock)
    await until(desk, clock, minutes=6)
    fresh = replace(desk, work=InMemoryWork())
    for item in desk.work.started:  # every timer that ever was runs again, in a process that remembers nothing
        if item.name in ("escalate", "reach", "second_outlet"):
            await handlers_of(fresh)[item.name](item.args)
    await desk.db.write(lambda tx: announce(tx, incident, fresh))
    await until(fresh, clock, minutes=30)
    assert [n[0] for n in notes(desk)] == ["C-INCIDENTS", "C-LEADS"]
    assert len(pager.pages) == 1


async def test_an_incident_that_is_open_again_begins_a_new_round(desk, clock: FakeClock, pager: FakePages) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock)
    await until(desk, clock, minutes=12)
    for status in (Status.ACKNOWLEDGED, Status.OPEN):
        now = await latest(desk, incident)
        await desk.db.write(lambda tx, now=now, to=status: desk.incidents.save(tx, now.move(to, clock())))
    now = await latest(desk, incident)
    await desk.db.write(lambda tx: announce(tx, now, desk))
    await until(desk, clock, minutes=9)
    assert len(pager.pages) == 1
    await until(desk, clock, minutes=5)
    assert len(pager.pages) == 2


async def test_severity_that_rises_brings_the_steps_of_the_worse_one(desk, clock: FakeClock, pager: FakePages) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock)
    await until(desk, clock, minutes=1)
    now = await latest(desk, incident)
    worse = await desk.db.write(lambda tx: desk.incidents.save(tx, replace(now, severity=Severity.SEV1)))
    await desk.db.write(lambda tx: announce(tx, worse, desk))
    await until(desk, clock, seconds=1)
    assert [p.target for p in pager.pages] == ["payments"]


async def test_a_pager_that_is_away_is_tried_again_and_the_timeline_says_so_once(
    desk, clock: FakeClock, pager: FakePages
) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock, severity=Severity.SEV1)
    pager.fails = Unavailable("PagerDuty did not answer.")
    for _ in range(3):
        desk.work.done = {d for d in desk.work.done if not d.startswith("reach:")}
        with pytest.raises(Unavailable):
            await until(desk, clock, seconds=1)
    assert len([t for t in await told(desk, incident) if "tried again" in t]) == 1
    pager.fails = None
    desk.work.done = {d for d in desk.work.done if not d.startswith("reach:")}
    await until(desk, clock, seconds=1)
    assert len(pager.pages) == 1
    assert "pagerduty:payments was paged" in await told(desk, incident)


async def test_a_target_that_is_not_there_fails_visibly_and_holds_nothing_up(desk, clock: FakeClock, pager: FakePages) -> None:  # type: ignore[no-untyped-def]
    incident = await opened(desk, clock, severity=Severity.SEV1)
    pager.fails = NotFound("PagerDuty has no routing key named 'payments'.")
    await until(desk, clock, minutes=1)
    assert any("could not be called" in t and "routing key" in t for t in await told(desk, incident))


async def test_quiet_hours_disturb_nobody_and_the_morning_tells_once(database: SqlDatabase, pager: FakePages) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 23, 0, tzinfo=UTC))
    desk = a_reaching_desk(database, clock, ROUTING, pagers={"pagerduty": pager}, schedules={"pagerduty": FakePager(fails=None)})
    for n in (1, 2):
        await opened(desk, clock, id=f"quiet-{n}", number=n, severity=Severity.SEV3)
    await until(desk, clock, hours=7, minutes=59)
    assert notes(desk) == []
    cards = [p.view for p in desk.channel.posts if isinstance(p.view, IncidentView)]
    assert len(cards) == 2
    assert "<@" not in str([render(card, frozenset()).blocks for card in cards])
    await until(desk, clock, minutes=2)
    summary, *called = notes(desk)
    assert summary[1].startswith("2 came up in the quiet hours, 2 still open:")
    assert summary[2] == ("U0STATIC",)
    assert [n[2] for n in called] == [("U0LEAD",), ("U0LEAD",)]


async def test_quiet_hours_never_hold_back_the_worst(database: SqlDatabase, pager: FakePages) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 23, 0, tzinfo=UTC))
    desk = a_reaching_desk(database, clock, ROUTING, pagers={"pagerduty": pager})
    await opened(desk, clock, severity=Severity.SEV1)
    await until(desk, clock, seconds=1)
    assert len(pager.pages) == 1


async def test_slack_down_for_two_minutes_brings_the_second_outlet_once_and_the_card_says_so_later(
    desk, clock: FakeClock
) -> None:  # type: ignore[no-untyped-def]
    mail = desk.pagers["email"]
    desk.channel.down = True
    incident = await opened(desk, clock)
    flows = handlers_of(desk)
    for _ in range(5):
        clock.advance(seconds=50)
        for item in desk.work.started:
            if item.queue == "reach" and (item.not_before is None or item.not_before <= clock()):
                try:
                    await flows[item.name](item.args)
                except Unavailable:  # whoever is to be called in Slack waits for it
                    assert item.name == "reach"
    (page,) = mail.pages
    assert page.link == ""
    assert incident.key in page.title
    desk.channel.down = False
    await flows["refresh"]({"key": f"card:{incident.id}"})
    card = next(p.view for p in desk.channel.posts if isinstance(p.view, IncidentView))
    assert any("while Slack was away, told through email at 12:02 UTC" in n for n in card.notices)
    assert "Slack did not take its card: email is called" in await told(desk, incident)


async def test_a_card_that_stands_in_time_needs_no_second_outlet(desk, clock: FakeClock) -> None:  # type: ignore[no-untyped-def]
    await opened(desk, clock)
    await until(desk, clock, minutes=3)
    assert desk.pagers["email"].pages == []
