"""An incident opened by hand: one per request, looked into, told in the message's thread; alerts may join it."""

from dataclasses import replace

import pytest

from bot.domain.alert import Severity
from bot.domain.incident import Incident, Status
from bot.domain.request import Opening, Person
from bot.domain.view import NoteView, Place
from bot.errors import NotAllowed
from bot.flows.alerts import on_alerts
from bot.flows.asking import question
from bot.flows.desk import Desk
from bot.flows.manual import open_by_hand, opened_by_hand
from bot.flows.settling import settle
from bot.flows.tending import resolve_by
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import FakeChannel, FakeClock, an_alert

SOURCE = Place("C-CHAT", "5.1")


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


def asked(**fields: object) -> Opening:
    given: dict[str, object] = {
        "person": Person("U0ONCALL"),
        "place": SOURCE,
        "service": "payments",
        "severity": Severity.SEV2,
        "title": "customers cannot pay",
        "said_by": "U0OUTSIDER",
        "text": "customers cannot pay\nmy password=hunter2hunter2",
        "id": "view:V1",
    }
    return Opening(**{**given, **fields})  # type: ignore[arg-type]  # a test's shorthand


async def live(desk: Desk) -> Incident:
    [incident] = await desk.db.read(lambda tx: desk.incidents.live(tx))
    return incident


async def run(desk: Desk) -> None:
    known = {
        **handlers(desk),
        "opened_by_hand": lambda args: opened_by_hand(args, desk),
        "settle": lambda args: settle(args, desk),
    }
    await desk.work.run_all(known, now=desk.clock())


async def test_the_same_request_twice_is_one_incident_with_the_message_in_its_timeline(desk: Desk) -> None:
    first, second = await open_by_hand(asked(), desk), await open_by_hand(asked(), desk)
    assert first == second == NoteView("INC-1 is open: customers cannot pay. Its card follows in #payments.")
    incident = await live(desk)
    assert (incident.severity, incident.service, incident.status) == (Severity.SEV2, "payments", Status.OPEN)
    [entry] = await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))
    assert entry.by == "U0ONCALL"
    assert "customers cannot pay" in entry.text
    assert "https://chat.example/C-CHAT/5.1" in entry.text
    assert "hunter2" not in entry.text
    assert [e.deed for e in await desk.db.read(lambda tx: desk.ledger.entries(tx, incident.id))] == ["opened"]


async def test_it_has_a_card_is_looked_into_and_the_thread_is_told_once(desk: Desk, clock: FakeClock) -> None:
    await open_by_hand(asked(), desk)
    clock.advance(seconds=30)
    await run(desk)
    incident = await live(desk)
    assert await desk.db.read(lambda tx: desk.diagnoses.latest(tx, incident.id)) is not None
    assert any(p.key == f"card:{incident.id}" for p in desk.channel.posts)
    await opened_by_hand(desk.work.named("opened_by_hand")[0].args, desk)
    told = [p for p in desk.channel.posts if p.place.thread == "5.1" and p.place.channel == "C-CHAT"]
    assert len(told) == 1
    assert isinstance(told[0].view, NoteView)
    assert told[0].view.text == "INC-1 was opened from this message. Its card is in #payments."


async def test_where_the_bot_may_not_post_the_person_is_told_directly(desk: Desk) -> None:
    class Closed(FakeChannel):
        async def post(self, place: Place, view: object, *, key: str) -> Place:
            raise NotAllowed("not_in_channel")

    await open_by_hand(asked(), desk)
    closed = Closed()
    object.__setattr__(desk, "channel", closed)
    await opened_by_hand(desk.work.named("opened_by_hand")[0].args, desk)
    [(place, user, _)] = closed.whispers
    assert (place, user) == (Place(""), "U0ONCALL")


async def test_slack_being_down_costs_the_link_and_not_the_incident(desk: Desk) -> None:
    desk.channel.fail_next = 1
    await open_by_hand(asked(), desk)
    assert (await live(desk)).number == 1


async def test_a_question_in_the_messages_thread_is_about_the_incident(desk: Desk) -> None:
    await open_by_hand(asked(), desk)
    await open_by_hand(asked(id="view:V2", service="search", place=Place("C-CHAT", "6.1")), desk)
    first, _ = await desk.db.read(lambda tx: question.about(tx, Place("C-CHAT", "9.9", "5.1"), "", desk))
    assert first is not None
    assert first.service == "payments"


async def test_an_alert_of_the_same_service_joins_it_and_only_a_person_ends_it(desk: Desk, clock: FakeClock) -> None:
    await open_by_hand(asked(), desk)
    incident = await live(desk)
    await settle({"incident_id": incident.id}, desk)
    assert (await live(desk)).status is Status.OPEN
    clock.advance(seconds=60)
    alert = an_alert(started_at=clock())
    await desk.db.write(lambda tx: on_alerts(tx, [alert], desk))
    joined = await live(desk)
    assert joined.id == incident.id
    assert [m.name for m in joined.members] == ["HighErrorRate"]
    clock.advance(seconds=60)
    cleared = replace(alert, resolved=True, ended_at=clock())
    await desk.db.write(lambda tx: on_alerts(tx, [cleared], desk))
    assert (await live(desk)).firing == 0
    clock.advance(seconds=3600)
    await run(desk)
    assert (await live(desk)).status is Status.OPEN
    await desk.db.write(lambda tx: resolve_by(tx, desk.incidents.get(tx, incident.id) or incident, Person("U1"), "", desk))
    assert await desk.db.read(lambda tx: desk.incidents.live(tx)) == ()
