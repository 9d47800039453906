"""Asking, planning, approving: who may, once each, in time, one at a time."""

import asyncio
from datetime import timedelta

import pytest

from bot.actions.approvals import NotYours, OneAtATime
from bot.actions.policy import read_policies
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.evidence import Confidence, Diagnosis, Verdict
from bot.domain.request import Deed, Person
from bot.domain.view import NoteView, Place
from bot.errors import IllegalMove, NotFound
from bot.flows.acting.proposing import propose
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import (
    AMIR,
    OLIVIA,
    RULES,
    SAM,
    FakeDeployer,
    a_desk,
    convicted,
    deeds,
    handlers,
    newest,
    open_incident,
    press,
    proposed,
    run_for,
    the,
)
from tests.fakes import NOON, FakeClock, InMemoryWork


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def ask(desk: Desk, kind: ActionKind = ActionKind.DEPLOY, **fields: str) -> Action:
    wish = {"service": "payments", "target": "v44", "environment": "production", "who": OLIVIA, "key": "", **fields}
    return await propose(
        incident=None,
        kind=kind,
        service=wish["service"],
        target=wish["target"],
        environment=wish["environment"],
        person=Person(wish["who"]),
        desk=desk,
        reason="because",
        place=Place("C-OPS"),
        key=wish["key"],
    )


async def test_the_button_on_a_card_makes_a_plan_that_waits_for_approval(desk: Desk) -> None:
    incident = await open_incident(desk, convicted())
    note = await press(desk, Deed.ROLLBACK_PROPOSE, incident.id, OLIVIA)
    action = await newest(desk)
    assert isinstance(note, NoteView)
    assert note.text == "The plan to roll back payments to v42 is in the thread; it is awaiting approval."
    assert (action.status, action.target, action.requested_by) == (ActionStatus.AWAITING, "v42", OLIVIA)
    assert (action.policy, action.approvals_needed) == ("production", 1)
    assert action.expires_at == NOON + timedelta(minutes=30)
    assert action.plan is not None
    assert action.plan.current_version == "v43"
    assert await deeds(desk, action.id) == [(OLIVIA, "requested")]
    entries = await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))
    assert [e.text for e in entries] == ["rollback of payments to v42: requested"]
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"action:{action.id}"))
    assert card is not None
    assert card.pending


async def test_the_version_before_the_guilty_one_is_the_target(desk: Desk, vendor: FakeDeployer) -> None:
    vendor.healthy = {"v44": True, "v43": True, "v42": False, "v41": True}
    vendor.running["payments"] = "v44"
    assert (await proposed(desk)).target == "v41"


async def test_pressing_propose_twice_makes_one_action(desk: Desk) -> None:
    incident = await open_incident(desk, convicted())
    await asyncio.gather(
        press(desk, Deed.ROLLBACK_PROPOSE, incident.id, OLIVIA, "p1"),
        press(desk, Deed.ROLLBACK_PROPOSE, incident.id, OLIVIA, "p1"),
        press(desk, Deed.ROLLBACK_PROPOSE, incident.id, AMIR, "p2"),
    )
    assert len(await desk.db.read(lambda tx: desk.actions.of_incident(tx, incident.id))) == 1


async def test_nothing_is_proposed_without_a_convicted_change(desk: Desk) -> None:
    unsure = Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, "nothing explains it", NOON)
    incident = await open_incident(desk, unsure)
    note = await press(desk, Deed.ROLLBACK_PROPOSE, incident.id, OLIVIA)
    assert note == NoteView("No change is named as the cause of INC-42, so there is nothing to roll back.")
    assert await desk.db.read(desk.actions.unfinished) == ()


async def test_an_approval_starts_the_work_in_the_same_transaction(desk: Desk) -> None:
    action = await proposed(desk)
    assert await press(desk, Deed.ACTION_APPROVE, action.id, AMIR) is None
    approved = await the(desk, action.id)
    assert approved.status is ActionStatus.APPROVED
    assert [d.by for d in approved.decisions] == [AMIR]
    assert isinstance(desk.work, InMemoryWork)
    started = desk.work.named("execute")
    assert [(s.queue, s.id, s.partition) for s in started] == [("actions", f"action:{action.id}", "payments/production")]
    assert await deeds(desk, action.id) == [(OLIVIA, "requested"), (AMIR, "approved")]


async def test_an_outsider_is_refused_with_the_rule_and_who_may(desk: Desk) -> None:
    action = await proposed(desk)
    note = await press(desk, Deed.ACTION_APPROVE, action.id, SAM)
    assert isinstance(note, NoteView)
    assert note.text == 'Only approvers may approve production rollbacks (rule "production"). Ask one of them.'
    assert note.mention == (AMIR, "U0CHIEF")
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING
    assert (await deeds(desk, action.id))[-1] == (SAM, "refused")


async def test_whoever_proposed_may_not_approve_in_production(desk: Desk) -> None:
    action = await proposed(desk, OLIVIA)
    note = await press(desk, Deed.ACTION_APPROVE, action.id, OLIVIA)
    assert isinstance(note, NoteView)
    assert "Whoever asked may not approve it too" in note.text
    assert OLIVIA not in note.mention
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING


async def test_elsewhere_whoever_asked_may_approve(desk: Desk) -> None:
    action = await ask(desk, environment="staging", who=SAM)
    await press(desk, Deed.ACTION_APPROVE, action.id, SAM)
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED


async def test_of_two_approvals_at_once_one_wins_and_the_vendor_runs_once(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await proposed(desk)
    answers = await asyncio.gather(
        press(desk, Deed.ACTION_APPROVE, action.id, AMIR, "p1"),
        press(desk, Deed.ACTION_APPROVE, action.id, "U0CHIEF", "p2"),
        press(desk, Deed.ACTION_APPROVE, action.id, AMIR, "p1"),
    )
    assert answers.count(None) == 1
    assert all("it is approved" in a.text for a in answers if isinstance(a, NoteView))
    await run_for(desk, clock, 3)
    assert vendor.runs == [action.id]
    assert [d for d in await deeds(desk, action.id) if d[1] == "approved"] in (
        [(AMIR, "approved")],
        [("U0CHIEF", "approved")],
    )


async def test_two_approvals_are_two_people(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> None:
    rules = read_policies(RULES.replace("self_approval: false", "self_approval: false\n    approvals: 2"))
    desk = a_desk(database, clock, vendor, policies=rules)
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING
    note = await press(desk, Deed.ACTION_APPROVE, action.id, AMIR, "again")
    assert isinstance(note, NoteView)
    assert "You approved already; 2 people must" in note.text
    await press(desk, Deed.ACTION_APPROVE, action.id, "U0CHIEF")
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED


async def test_an_approval_after_the_time_is_over_is_too_late(desk: Desk, clock: FakeClock) -> None:
    action = await proposed(desk)
    clock.advance(minutes=30)
    note = await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert isinstance(note, NoteView)
    assert "has expired; ask again" in note.text
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING
    assert isinstance(desk.work, InMemoryWork)
    assert desk.work.named("execute") == []
    await desk.work.run_all(handlers(desk), now=clock.now)
    assert (await the(desk, action.id)).status is ActionStatus.EXPIRED
    assert (await deeds(desk, action.id))[-1] == ("tocsin", "expired")


async def test_a_rejection_ends_it(desk: Desk) -> None:
    action = await proposed(desk)
    await press(desk, Deed.ACTION_REJECT, action.id, AMIR)
    assert (await the(desk, action.id)).status is ActionStatus.REFUSED
    note = await press(desk, Deed.ACTION_APPROVE, action.id, "U0CHIEF")
    assert isinstance(note, NoteView)
    assert "was rejected by somebody else" in note.text


async def test_one_action_at_a_time_and_the_other_is_named(desk: Desk) -> None:
    first = await ask(desk, target="v44")
    second = await ask(desk, target="v45")
    await press(desk, Deed.ACTION_APPROVE, first.id, AMIR)
    note = await press(desk, Deed.ACTION_APPROVE, second.id, AMIR)
    assert isinstance(note, NoteView)
    assert "A deploy of payments to v44 in production is approved; one at a time." in note.text
    with pytest.raises(OneAtATime, match="deploy of payments to v44"):
        await ask(desk, target="v46")
    other = await ask(desk, target="v46", environment="staging")
    await press(desk, Deed.ACTION_APPROVE, other.id, AMIR)
    assert (await the(desk, other.id)).status is ActionStatus.APPROVED


async def test_the_same_request_again_gives_the_same_action(desk: Desk) -> None:
    assert (await ask(desk, key="cmd-1")).id == (await ask(desk, key="cmd-1")).id
    assert len(await desk.db.read(desk.actions.unfinished)) == 1


@pytest.mark.parametrize(
    ("wish", "error", "words"),
    [
        ({"service": "paymets"}, NotFound, "no service 'paymets'; did you mean payments"),
        ({"service": "zzz"}, NotFound, "known are: acmepay, checkout, payments"),
        ({"service": "acmepay"}, NotFound, "not ours"),
        ({"service": "printer"}, NotFound, "has no deployer"),
        ({"environment": "prod"}, NotFound, "no environment 'prod'; did you mean production"),
        ({"target": "v43"}, IllegalMove, "runs in production already"),
        ({"target": "v44; rm -rf /"}, NotFound, "cannot be a version"),
        ({"target": "-f"}, NotFound, "cannot be a version"),
        ({"who": SAM}, NotYours, "Only on-call and approvers may ask for production deploys"),
    ],
)
async def test_a_wrong_wish_is_refused_in_plain_words(
    desk: Desk, wish: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await ask(desk, **wish)
    assert await desk.db.read(desk.actions.unfinished) == ()


async def test_a_rollback_goes_only_where_it_was_and_was_well(desk: Desk, vendor: FakeDeployer) -> None:
    vendor.healthy["v40"] = False
    with pytest.raises(NotFound, match="v7 never ran in production; those that did: v43, v42, v41, v40"):
        await ask(desk, ActionKind.ROLLBACK, target="v7")
    with pytest.raises(IllegalMove, match="v40 was never seen healthy"):
        await ask(desk, ActionKind.ROLLBACK, target="v40")
    assert (await ask(desk, ActionKind.ROLLBACK, target="")).target == "v42"


async def test_a_service_that_no_rule_covers_is_refused(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock, FakeDeployer(), policies=read_policies("rules: []"))
    with pytest.raises(NotYours, match=r"No rule of policies\.yaml allows production deploys of payments"):
        await ask(desk)
