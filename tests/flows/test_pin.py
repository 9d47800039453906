"""A pinned message stands in the timeline once, with who said it, whoever pins it again."""

from datetime import timedelta

import pytest

from bot.domain.incident import Entry, Incident
from bot.domain.request import Person, Pin
from bot.domain.view import NoteView, Place, Said, TimelineView
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.flows.pin import on_pin, pin
from bot.ports import Card
from bot.slack.blocks import render
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, an_incident

CARD = Place("C-PAYMENTS", "9.1")


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock)
    await kept(desk)
    return desk


async def kept(desk: Desk, place: Place = CARD, **fields: object) -> Incident:
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, **fields)))
    await desk.db.write(lambda tx: desk.cards.put(tx, Card(f"card:{incident.id}", place)))
    return incident


def said(desk: Desk, place: Place, text: str = "it began with v43, token=abcdefgh12345678") -> None:
    message = Said(place, "U0OUTSIDER", text, NOON - timedelta(minutes=3))
    desk.channel.messages[place.channel, place.ts] = message


async def pinned(desk: Desk, place: Place, *, by: str = "U0ONCALL", asked: bool = False, id: str = "Ev1") -> NoteView | None:
    shown = await on_pin(Pin(Person(by), Place(place.channel, place.ts), asked, id), desk)
    for item in desk.work.named("pin"):
        if item.id not in desk.work.done:
            await pin(item.args, desk)
            desk.work.done.add(item.id)
    assert shown is None or isinstance(shown, NoteView)
    return shown


async def notes(desk: Desk, number: str = "INC-42") -> tuple[Entry, ...]:
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, number))
    assert incident is not None
    return await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))


async def test_a_reply_in_the_incidents_thread_goes_to_its_timeline_without_its_secret(desk: Desk) -> None:
    place = Place("C-PAYMENTS", "9.7", "9.1")
    said(desk, place)
    assert await pinned(desk, place) is None
    [entry] = await notes(desk)
    assert (entry.at, entry.by) == (NOON - timedelta(minutes=3), "U0ONCALL")
    assert entry.text.startswith("pinned: @U0OUTSIDER said “it began with v43")
    assert "abcdefgh" not in entry.text
    lines = str(render(TimelineView(an_incident(), (entry,))).blocks)
    assert "📌 <@U0OUTSIDER>: “it began with v43" in lines
    assert "(<@U0ONCALL>)" in lines


async def test_a_message_is_pinned_once_whoever_pins_it_again(desk: Desk) -> None:
    place = Place("C-PAYMENTS", "9.7", "9.1")
    said(desk, place)
    await pinned(desk, place)
    await pinned(desk, place, by="U0APPROVER", id="Ev2")
    again = await pinned(desk, place, asked=True, id="a1")
    assert again == NoteView("That message is in a timeline already.")
    await pin({"channel": place.channel, "ts": place.ts, "by": "U0ONCALL"}, desk)  # the work may run twice
    assert len(await notes(desk)) == 1


async def test_a_message_of_the_incidents_channel_goes_to_the_newest_live_one(desk: Desk) -> None:
    await kept(desk, Place("C-PAYMENTS", "10.1"), id="newer", number=43, opened_at=NOON + timedelta(minutes=1))
    place = Place("C-PAYMENTS", "11.1")
    said(desk, place)
    assert await pinned(desk, place, asked=True) == NoteView("This message goes to the timeline of INC-43.")
    assert (len(await notes(desk, "INC-42")), len(await notes(desk, "INC-43"))) == (0, 1)


async def test_a_message_where_no_incident_is_goes_nowhere_and_may_be_pinned_later(desk: Desk) -> None:
    place = Place("C-LUNCH", "3.1")
    said(desk, place, "soup")
    assert await pinned(desk, place) is None
    told = await pinned(desk, place, asked=True)
    assert told is not None
    assert "No incident is open in this channel" in told.text
    await kept(desk, Place("C-LUNCH", "4.1"), id="late", number=43)
    await pinned(desk, place, asked=True, id="a2")
    assert len(await notes(desk, "INC-43")) == 1


async def test_a_message_that_nobody_may_read_is_not_pinned_and_slack_being_down_is_tried_again(desk: Desk) -> None:
    place = Place("C-PAYMENTS", "9.7")
    await pinned(desk, place)
    assert await notes(desk) == ()
    desk.channel.fail_next = 1
    with pytest.raises(Unavailable):
        await pinned(desk, place, id="Ev2")
