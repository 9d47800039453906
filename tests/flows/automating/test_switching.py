"""/incident automation off is for everybody and at once: it wins against whatever has not begun."""

import asyncio

import pytest

from bot.domain.action import ActionStatus
from bot.domain.automation import Condition, Degree
from bot.domain.change import Version
from bot.domain.request import CommandRequest, Deed, Person
from bot.domain.suggestion import reference
from bot.domain.view import NoteView
from bot.errors import NotAllowed
from bot.flows.acting import executing
from bot.flows.automating.standing import on_home
from bot.flows.automating.starting import automate
from bot.flows.automating.switching import automation
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, SAM, FakeDeployer, deeds, newest, press, the
from tests.fakes import FakeChannel, FakeClock, InMemoryWork
from tests.flows.automating.estate import (
    LABEL,
    ONE_CLICK,
    ONE_PRESS,
    a_desk,
    confirmed_before,
    handlers,
    offered,
    open_incident,
    rules,
    the_step,
)

REF = reference(the_step().id)


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


async def switch(desk: Desk, word: str, who: str = SAM, id: str = "r1") -> str:
    words = ("automation", word) if word else ("automation",)
    return (await automation(CommandRequest(Person(who), "C-OPS", "incident", words, "", "t", id), desk)).text


async def approved(desk: Desk) -> str:
    """An automatic action that has its approval and has not begun."""
    await confirmed_before(desk, 3)
    incident = await open_incident(desk)
    await automate({"incident_id": incident.id, "step": REF}, desk)
    action = await newest(desk)
    assert action.status is ActionStatus.APPROVED
    return action.id


async def test_off_stops_what_is_approved_and_has_not_begun(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    id = await approved(desk)
    said = await switch(desk, "off")
    assert said == "Automation is off: nothing is planned or started by itself. 1 not begun yet were stopped."
    await executing.execute({"action": id, "look": 0}, desk)
    stopped = await the(desk, id)
    assert (stopped.status, stopped.outcome) == (ActionStatus.REFUSED, "Automation was switched off; nothing was started.")
    assert vendor.runs == []
    assert (await deeds(desk, id))[-1] == (SAM, "withdrawn")
    assert (await deeds(desk, "automation"))[-1] == (SAM, "automation off")
    assert await switch(desk, "off") == "Automation is off: nothing is planned or started by itself."
    assert isinstance(desk.work, InMemoryWork)
    await desk.work.run_all(handlers(desk), now=clock.now)
    assert isinstance(desk.channel, FakeChannel)
    [told] = [p for p in desk.channel.posts if p.key.startswith("automation:off:")]
    assert told.place.channel == "C-INCIDENTS"
    assert isinstance(told.view, NoteView)
    assert (told.view.named, "1 that had not begun were stopped" in told.view.text) == ((SAM,), True)


async def test_off_that_comes_while_the_vendor_is_asked_wins_before_the_start(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await a_desk(database, clock, vendor)
    id = await approved(desk)

    async def slow(service: str, environment: str) -> Version:
        await switch(desk, "off")  # after the work looked at the action, before it claims the start
        return Version("v43", "v43-sha")

    monkeypatch.setattr(vendor, "current", slow)
    await executing.execute({"action": id, "look": 0}, desk)
    assert (await the(desk, id)).status is ActionStatus.REFUSED
    assert vendor.runs == []


async def test_a_race_of_off_with_the_start_ends_one_way_or_the_other(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    id = await approved(desk)
    await asyncio.gather(
        executing.execute({"action": id, "look": 0}, desk),
        switch(desk, "off"),
        executing.execute({"action": id, "look": 0}, desk),
    )
    action = await the(desk, id)
    lines = await desk.db.read(lambda tx: desk.ledger.entries(tx))
    order = [e.deed for e in lines if e.deed in ("executing", "automation off")]
    if action.status is ActionStatus.REFUSED:
        assert (vendor.runs, order) == ([], ["automation off"])
    else:
        assert (vendor.runs, order) == ([id], ["executing", "automation off"])


async def test_a_switch_left_off_by_an_older_process_stops_the_start_too(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    id = await approved(desk)
    await desk.db.write(lambda tx: desk.switches.turn(tx, "automation", "off", SAM, clock()))
    await executing.execute({"action": id, "look": 0}, desk)
    assert (await the(desk, id)).status is ActionStatus.REFUSED
    assert vendor.runs == []
    [why] = [e.detail for e in await desk.db.read(lambda tx: desk.ledger.entries(tx, id)) if e.deed == "automation refused"]
    assert why is not None
    assert why["why"] == "automation is switched off"


async def test_off_means_nothing_is_planned_beforehand_and_the_card_says_why(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor, rules(ONE_CLICK, ONE_PRESS))
    await switch(desk, "off")
    incident = await open_incident(desk)
    [offer] = await offered(desk)
    assert (offer.ruled.degree, {m.condition for m in offer.ruled.missing}) == (Degree.SUGGEST, {Condition.SWITCH})
    assert isinstance(desk.work, InMemoryWork)
    assert desk.work.named("automate") == []
    assert vendor.asked == []
    await press(desk, Deed.STEP_PROPOSE, f"{incident.id}:{REF}", OLIVIA)  # people may still ask for it
    assert (await newest(desk)).requested_by == OLIVIA


async def test_off_ends_a_plan_for_one_click_but_not_what_a_person_approved(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor, rules(ONE_CLICK, ONE_PRESS))
    incident = await open_incident(desk)
    await automate({"incident_id": incident.id, "step": REF}, desk)
    await press(desk, Deed.STEP_RUN, f"{incident.id}:{REF}", OLIVIA)
    mine = await newest(desk)
    assert mine.status is ActionStatus.APPROVED
    await switch(desk, "off")
    assert (await the(desk, mine.id)).status is ActionStatus.APPROVED
    await switch(desk, "on", OLIVIA, "r2")
    other = await open_incident(desk, id="0193-other", number=43)
    await desk.db.write(lambda tx: desk.actions.move(tx, mine, mine.move(ActionStatus.REFUSED, clock())))
    await automate({"incident_id": other.id, "step": REF}, desk)
    [waiting] = await desk.db.read(desk.actions.unfinished)
    await switch(desk, "off", SAM, "r3")
    assert (await the(desk, waiting.id)).status is ActionStatus.REFUSED


async def test_on_is_for_the_people_of_the_groups(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    desk = await a_desk(database, clock, vendor)
    await switch(desk, "off")
    with pytest.raises(NotAllowed, match="may switch automation on; anybody may switch it off"):
        await switch(desk, "on")
    assert "Automation is off" in await desk.db.read(lambda tx: on_home(tx, desk))
    said = await switch(desk, "on", AMIR, "r2")
    assert said.startswith("Automation is on. Automation: on. 0 in the last 24 hours.")
    assert await deeds(desk, "automation") == [(SAM, "automation off"), (AMIR, "automation on")]


async def test_its_state_tells_which_steps_may_do_more(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    desk = await a_desk(database, clock, vendor)
    said = await switch(desk, "status")
    assert said == await switch(desk, "") == await switch(desk, "nonsense")
    assert said.split("\n") == [
        "Automation: on. 0 in the last 24 hours.",
        f"automatic: {LABEL} (by itself)",
        "1 typed step in trusted runbooks; the rest is suggested only.",
    ]
