"""A step that people confirmed often enough starts by itself, once; everything that speaks against it costs a degree."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus, Authority, Decision
from bot.domain.automation import Condition, Degree
from bot.domain.change import Commit
from bot.domain.evidence import Confidence, Diagnosis, Remedy, Verdict
from bot.domain.incident import Status
from bot.domain.lock import Lock
from bot.domain.request import Deed, Person, Press
from bot.domain.suggestion import reference
from bot.domain.view import NoteView, Place
from bot.errors import Unavailable
from bot.flows.acting import executing
from bot.flows.acting.pressing import on_press
from bot.flows.automating.standing import digest_lines, on_home
from bot.flows.automating.starting import automate
from bot.flows.automating.weighing import confirmations, offers
from bot.flows.desk import Desk
from bot.knowledge.library import Library
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, SAM, FakeDeployer, FakeRepository, clear, deeds, newest, press, the
from tests.fakes import NOON, FakeChannel, FakeClock, InMemoryWork
from tests.flows.automating.estate import (
    AUTOMATIC,
    LABEL,
    ONE_CLICK,
    ONE_PRESS,
    PAGE,
    a_desk,
    confirmed_before,
    convicted,
    handlers,
    offered,
    open_incident,
    page,
    rules,
    the_step,
)

REF = reference(the_step().id)


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


async def worked(desk: Desk, clock: FakeClock, seconds: float = 0.0) -> None:
    assert isinstance(desk.work, InMemoryWork)
    await desk.work.run_all(handlers(desk), now=clock.now)
    for _ in range(int(seconds)):
        clock.advance(seconds=1)
        await desk.work.run_all(handlers(desk), now=clock.now)


async def actions_of(desk: Desk) -> tuple[Action, ...]:
    return await desk.db.read(lambda tx: desk.actions.of_incident(tx, "0193-incident"))


async def missing(desk: Desk, degree: Degree = Degree.AUTOMATIC) -> set[Condition]:
    [offer] = await offered(desk)
    return {m.condition for m in offer.ruled.missing if m.degree is degree}


async def test_a_step_that_three_incidents_confirmed_runs_by_itself_and_a_person_is_told_by_name(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    incident = await open_incident(desk)
    await worked(desk, clock, 10)
    action = await newest(desk)
    assert (action.status, action.target, action.requested_by) == (ActionStatus.VERIFYING, "v42", "tocsin")
    assert [(d.authority, d.by) for d in action.decisions] == [(Authority.STEP, the_step().id)]
    assert vendor.runs == [action.id]
    assert [deed for _, deed in await deeds(desk, action.id)][:3] == ["requested", "approved", "executing"]
    assert await deeds(desk, "automation") == [("tocsin", "started by itself")]
    assert isinstance(desk.channel, FakeChannel)
    [told] = [p.view for p in desk.channel.posts if p.key == f"automatic:{action.id}"]
    assert isinstance(told, NoteView)
    assert told.mention == (OLIVIA,)
    assert "rolls back payments to v42 in production by itself" in told.text
    assert "People approved it before, and it helped, in INC-1, INC-2, INC-3." in told.text
    *_, back, off = told.text.splitlines()
    assert back == 'The way back: `/deploy payments v43 production --fix "the automatic step was wrong"`'
    assert off == "Stop all of this: `/incident automation off`"
    assert await offered(desk, incident.id) == ()  # it is under way
    await clear(desk)
    await worked(desk, clock, 10)
    assert (await the(desk, action.id)).status is ActionStatus.SUCCEEDED
    lines = await desk.db.read(lambda tx: digest_lines(tx, desk, NOON - timedelta(days=1)))
    assert lines == ("1 action by itself: rollback of payments to v42 (succeeded)",)
    assert "Automation is on: 1 by itself" in await desk.db.read(lambda tx: on_home(tx, desk))


async def test_two_replicas_start_one_automatic_action(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    one, other = await a_desk(database, clock, vendor), await a_desk(database, clock, vendor)
    await confirmed_before(one, 3)
    incident = await open_incident(one)
    args = {"incident_id": incident.id, "step": REF}
    await asyncio.gather(*(automate(args, desk) for desk in (one, other, one, other)))
    [action] = await actions_of(one)
    assert action.status is ActionStatus.APPROVED
    starts = [executing.execute({"action": action.id, "look": 0}, desk) for desk in (one, other)]
    await asyncio.gather(*starts)
    assert vendor.runs == [action.id]


NOT_CONFIRMED: tuple[dict[str, Any], ...] = (
    {"action": {"decisions": ()}},
    {"action": {"decisions": (Decision(LABEL, True, NOON, "", Authority.STEP),)}},
    {"action": {"status": ActionStatus.FAILED}},
    {"action": {"incident_id": "past-1"}},
    {"incident": {"confirmed_by": "", "confirmed_cause": ""}},
    {"incident": {"confirmed_cause": "a full disk"}},
    {"incident": {"waiting_since": NOON}},
    {"incident": {"merged_into": "INC-9"}},
    {"incident": {"status": Status.OPEN}},
)


async def test_what_people_did_not_confirm_counts_for_nothing(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 2)
    for number, fields in enumerate(NOT_CONFIRMED, 3):
        await confirmed_before(desk, 1, first=number, **fields)

    def counted(tx: Transaction) -> tuple[str, ...]:
        return confirmations(tx, desk.actions.of_step(tx, the_step().id, "payments", "production"), desk)

    assert await desk.db.read(counted) == ("INC-1", "INC-2")
    await open_incident(desk)
    assert await missing(desk) == {Condition.CONFIRMED}
    await worked(desk, clock, 5)
    assert await actions_of(desk) == ()
    assert vendor.runs == []


async def test_a_last_run_that_did_no_good_takes_it_back_to_people(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3, first=2)
    failed = {"status": ActionStatus.FAILED, "created_at": NOON - timedelta(hours=2)}
    await confirmed_before(desk, 1, action=failed)
    await open_incident(desk)
    assert await missing(desk) == {Condition.LAST_RUN}


async def test_whoever_rewords_a_step_begins_to_confirm_it_anew(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(
        database, clock, vendor, documents=(page(PAGE.replace("kind: rollback", "kind: rollback\n    target: v4*")),)
    )
    await confirmed_before(desk, 3)
    await open_incident(desk)
    assert Condition.CONFIRMED in await missing(desk)


async def test_an_incident_that_a_person_resolved_confirms_as_well(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3, incident={"confirmed_by": "", "confirmed_cause": "", "resolved_by": OLIVIA})
    await open_incident(desk)
    assert await missing(desk) == set()


async def test_a_lock_or_a_freeze_stops_it_before_and_after_its_approval(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    incident = await open_incident(desk)
    await automate({"incident_id": incident.id, "step": REF}, desk)
    action = await newest(desk)
    assert action.status is ActionStatus.APPROVED
    lock = Lock("payments", "production", SAM, "moving the ledger", NOON, NOON + timedelta(hours=2))
    await desk.db.write(lambda tx: desk.locks.put(tx, None, lock))
    await worked(desk, clock)
    ended = await the(desk, action.id)
    assert ended.status is ActionStatus.REFUSED
    assert vendor.runs == []
    assert ("tocsin", "automation refused") in await deeds(desk, action.id)
    assert await missing(desk) == {Condition.GUARD, Condition.ONCE}


async def test_once_a_day_on_one_service_and_again_the_day_after(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    await open_incident(desk)
    await worked(desk, clock, 10)
    await clear(desk)
    await worked(desk, clock, 10)
    assert len(vendor.runs) == 1
    clock.advance(hours=3)
    vendor.running["payments"] = "v43"
    again = await open_incident(desk, id="0193-second", number=43)
    [offer] = await offered(desk, again.id)
    assert {m.condition for m in offer.ruled.missing if m.degree is Degree.AUTOMATIC} == {Condition.PER_DAY}
    await worked(desk, clock, 10)
    assert len(vendor.runs) == 1
    clock.advance(hours=21)
    third = await open_incident(desk, id="0193-third", number=44)
    [offer] = await offered(desk, third.id)
    assert offer.ruled.degree is Degree.AUTOMATIC
    await worked(desk, clock, 10)
    assert len(vendor.runs) == 2


async def by_itself(desk: Desk, service: str, status: ActionStatus) -> None:
    """Another step of another page acted by itself at noon, on this service."""
    step = "runbooks/a.md#b@c"
    other = Action(
        id=f"other-{service}",
        kind=ActionKind.ROLLBACK,
        service=service,
        environment="production",
        target="v1",
        status=status,
        requested_by="tocsin",
        created_at=NOON,
        updated_at=NOON,
        decisions=(Decision(step, True, NOON, "", Authority.STEP),),
        step=step,
    )
    await desk.db.write(lambda tx: desk.actions.add(tx, other))


async def test_an_hour_takes_only_so_many_of_all_steps(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    desk = await a_desk(database, clock, vendor, rules(AUTOMATIC.replace("tier_1: 1", "tier_1: 1\n  per_hour: 1")))
    await confirmed_before(desk, 3)

    await by_itself(desk, "printer", ActionStatus.SUCCEEDED)
    await open_incident(desk)
    assert await missing(desk) == {Condition.PER_HOUR}
    clock.advance(minutes=61)
    assert await missing(desk) == set()


async def test_nothing_starts_beside_another_automatic_action_of_the_neighbourhood(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)

    await by_itself(desk, "checkout", ActionStatus.EXECUTING)
    await open_incident(desk)
    assert await missing(desk) == {Condition.NEIGHBOURS}


async def test_a_step_whose_conditions_do_not_hold_is_not_even_suggested(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    told = (
        Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, "nothing explains it", NOON),
        convicted(confidence=Confidence.LIKELY),
        replace(convicted(), remedy=Remedy.CONFIG_REVERT),
    )
    for number, diagnosis in enumerate(told, 50):
        await open_incident(desk, diagnosis, id=f"0193-{number}", number=number)
        assert await offered(desk, f"0193-{number}") == ()
    await worked(desk, clock, 1)
    assert vendor.asked == []


async def test_a_verdict_that_falls_between_approval_and_start_stops_it(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    incident = await open_incident(desk)
    await automate({"incident_id": incident.id, "step": REF}, desk)
    fallen = Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, "a model contradicts", NOON)
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, fallen))
    await worked(desk, clock, 5)
    assert (await newest(desk)).status is ActionStatus.REFUSED
    assert vendor.runs == []


async def test_a_bot_that_has_not_read_its_runbooks_yet_neither_drops_a_step_nor_refuses_its_start(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    """Found by tests/once: durable work goes on at once after a crash, and the library is read beside it."""
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    incident = await open_incident(desk)
    just_begun, args = replace(desk, library=Library([], None)), {"incident_id": incident.id, "step": REF}
    with pytest.raises(Unavailable, match="being read"):  # the work is tried again
        await automate(args, just_begun)
    await automate(args, desk)
    action = await newest(desk)
    await executing.execute({"action": action.id, "look": 0}, just_begun)
    waits = await the(desk, action.id)
    assert waits.status is ActionStatus.APPROVED
    assert waits.outcome.startswith("Not begun yet: The runbooks are being read")
    await worked(desk, clock, 10)
    assert vendor.runs == [action.id]


async def test_what_runs_must_be_what_is_convicted(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    vendor.running["payments"] = "v44"
    vendor.healthy = {"v44": True, "v43": True, "v42": True}
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    await open_incident(desk)
    await worked(desk, clock, 5)
    action = await newest(desk)
    assert action.status is ActionStatus.REFUSED  # it was planned, and the plan showed that another version runs
    assert "v44 runs, not the convicted v43" in action.outcome
    assert vendor.runs == []
    [offer] = await offered(desk)
    assert offer.ruled.degree is Degree.SUGGEST
    assert {m.condition for m in offer.ruled.missing} == {Condition.ONCE, Condition.STILL_GUILTY, Condition.ONE_PRESS}


async def test_a_plan_riskier_than_wanted_is_withdrawn_and_says_so(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    commit = Commit("3f2c1a9", "dana", NOON, "a column more", ("services/payments/migrations/7.sql",))
    desk = await a_desk(database, clock, vendor, change_sources=(FakeRepository((commit,)),))
    await confirmed_before(desk, 3)
    await open_incident(desk)
    await worked(desk, clock, 5)
    action = await newest(desk)
    assert action.status is ActionStatus.REFUSED
    assert "the plan's risk is high, not low at most" in action.outcome
    assert vendor.runs == []


async def test_one_click_is_planned_beforehand_and_one_press_of_an_approver_starts_it(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor, rules(ONE_CLICK, ONE_PRESS))
    incident = await open_incident(desk)
    await worked(desk, clock)
    action = await newest(desk)
    assert (action.status, action.requested_by, action.step) == (ActionStatus.AWAITING, "tocsin", the_step().id)
    [offer] = await offered(desk)
    assert (offer.ruled.degree, offer.plan, offer.target) == (Degree.ONE_CLICK, action.id, "v42")
    refused = await press(desk, Deed.STEP_RUN, f"{incident.id}:{REF}", SAM)
    assert isinstance(refused, NoteView)
    assert "Only approvers may approve" in refused.text
    assert await press(desk, Deed.STEP_RUN, f"{incident.id}:{REF}", OLIVIA) is None
    assert [d.by for d in (await the(desk, action.id)).decisions] == [OLIVIA]
    await worked(desk, clock, 5)
    assert vendor.runs == [action.id]


async def test_one_press_asks_too_so_it_counts_only_where_people_may_ask(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    elsewhere = ONE_PRESS.replace("one_click: true", 'one_click: true\n    channels: ["#deploys"]')
    desk = await a_desk(database, clock, vendor, rules(ONE_CLICK, elsewhere))
    incident = await open_incident(desk)
    await worked(desk, clock)
    action = await newest(desk)
    for deed, value in ((Deed.STEP_RUN, f"{incident.id}:{REF}"), (Deed.ACTION_APPROVE, action.id)):
        refused = await press(desk, deed, value, OLIVIA)
        assert isinstance(refused, NoteView)
        assert "are asked for in #deploys only" in refused.text
    there = Press(Person(OLIVIA), Place("C-DEPLOYS", "1.1"), Deed.STEP_RUN, f"{incident.id}:{REF}", "t1", "p1")
    assert await on_press(there, desk) is None
    await worked(desk, clock, 5)
    assert vendor.runs == [action.id]


async def test_one_click_needs_a_rule_that_allows_one_press(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor, rules(ONE_CLICK))
    incident = await open_incident(desk)
    assert await missing(desk, Degree.ONE_CLICK) == {Condition.ONE_PRESS}
    await worked(desk, clock, 5)
    assert await actions_of(desk) == ()
    note = await press(desk, Deed.STEP_PROPOSE, f"{incident.id}:{REF}", OLIVIA)
    assert isinstance(note, NoteView)
    assert note.text == "The plan to rollback payments is in the thread; it is awaiting approval."
    action = await newest(desk)
    assert (action.requested_by, action.step, action.target) == (OLIVIA, the_step().id, "v42")
    note = await press(desk, Deed.ACTION_APPROVE, action.id, OLIVIA)  # whoever asked still may not approve
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED


async def test_a_person_who_plans_something_for_the_incident_goes_first(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = await a_desk(database, clock, vendor)
    await confirmed_before(desk, 3)
    incident = await open_incident(desk)
    await press(desk, Deed.ROLLBACK_PROPOSE, incident.id, OLIVIA)
    await worked(desk, clock, 5)
    [action] = await actions_of(desk)
    assert (action.requested_by, action.status) == (OLIVIA, ActionStatus.AWAITING)
    assert vendor.runs == []


async def test_offers_are_gone_once_the_incident_is_over(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    desk = await a_desk(database, clock, vendor)
    incident = await open_incident(desk)
    assert len(await offered(desk)) == 1

    def over(tx: Transaction) -> int:
        there = desk.incidents.get(tx, incident.id)
        assert there is not None
        done = desk.incidents.save(tx, there.move(Status.RESOLVED, NOON, by=OLIVIA))
        return len(offers(tx, done, convicted(), desk))

    assert await desk.db.write(over) == 0
