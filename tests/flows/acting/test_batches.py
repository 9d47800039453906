"""Several services together: one plan each, one message, one press, one after the other, and an end where one fails."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.actions.execute import order_of
from bot.actions.policy import Policies, read_policies
from bot.domain.action import ActionKind, ActionStatus, Claim
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Verdict
from bot.domain.request import CommandRequest, Deed, Person
from bot.domain.service import Catalogue, Service
from bot.domain.view import BatchView, NoteView, Shown
from bot.errors import IllegalMove, NotFound
from bot.flows.acting import executing, sequencing
from bot.flows.acting.batches import batch_turn
from bot.flows.announce import refresh
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.flows.showing import build, incident_view
from bot.ports import Handler, RunState, Scalar
from bot.slack.blocks import render
from bot.storage.database import SqlDatabase
from tests.actions.estate import (
    AMIR,
    OLIVIA,
    RULES,
    SAM,
    FakeDeployer,
    a_desk,
    deeds,
    handlers,
    open_incident,
    press,
    run_for,
    the,
)
from tests.fakes import NOON, FakeChannel, FakeClock, InMemoryWork, a_change

SHOP = Catalogue(
    {
        s.name: s
        for s in (
            Service("gateway", owner="team-web", depends_on=("checkout",), deployer="shop"),
            Service("checkout", owner="team-web", depends_on=("payments",), deployer="shop"),
            Service("payments", owner="team-payments", aliases=("pay",), environments=("production", "staging"), deployer="shop"),
            Service("printer"),
        )
    }
)
ROLLBACK = "payments + gateway, checkout"


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer(running={"gateway": "v43", "checkout": "v43", "payments": "v43"})


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return replace(a_desk(database, clock, vendor), catalogue=lambda: SHOP)


async def say(desk: Desk, text: str, command: str = "rollback", who: str = OLIVIA, id: str = "r1") -> Shown:
    request = CommandRequest(Person(who), "C1", command, tuple(text.split()), text, "t1", id)
    return await on_command(request, desk)


async def opened(desk: Desk) -> str:
    """The batch of the rollback of all three, asked for."""
    await say(desk, ROLLBACK)
    (batch,) = {a.batch for a in await desk.db.read(desk.actions.unfinished)}
    return batch


async def shown(desk: Desk, batch: str) -> BatchView:
    built = await desk.db.read(lambda tx: build(tx, f"batch:{batch}", desk))
    assert built is not None
    assert isinstance(built[0], BatchView)
    return built[0]


async def states(desk: Desk, batch: str) -> list[tuple[str, str]]:
    return [(p.service, p.status.value) for p in (await shown(desk, batch)).parts]


async def passes(desk: Desk, clock: FakeClock, seconds: float) -> None:
    await run_for(desk, clock, seconds, step=5)


def notes(desk: Desk) -> list[NoteView]:
    assert isinstance(desk.channel, FakeChannel)
    return [p.view for p in desk.channel.posts if isinstance(p.view, NoteView)]


async def test_all_go_back_callers_first_each_after_the_one_before_it_is_verified(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    answer = await say(desk, ROLLBACK)
    assert isinstance(answer, NoteView)
    assert answer.text == (
        "The plan to roll back gateway to v42, then checkout to v42, then payments to v42 is posted; it is awaiting approval."
    )
    (batch,) = {a.batch for a in await desk.db.read(desk.actions.unfinished)}
    assert [p.plan is not None for p in (await shown(desk, batch)).parts] == [True] * 3
    await passes(desk, clock, 30)
    assert vendor.runs == []
    assert await press(desk, Deed.BATCH_APPROVE, batch, AMIR) is None
    await passes(desk, clock, 30)
    assert await states(desk, batch) == [
        ("gateway", "verifying"),
        ("checkout", "approved"),
        ("payments", "approved"),
    ]
    assert len(vendor.runs) == 1
    await passes(desk, clock, 240)
    assert [s for _, s in await states(desk, batch)] == ["succeeded"] * 3
    first, second, third = (await shown(desk, batch)).parts
    assert vendor.runs == [first.id, second.id, third.id]
    assert set(vendor.running.values()) == {"v42"}
    assert (await shown(desk, batch)).standing.startswith("All 3 are done")
    assert "nothing got worse" in first.outcome
    assert notes(desk) == []


async def test_the_whole_is_one_message_and_its_parts_have_none_of_their_own(desk: Desk) -> None:
    batch = await opened(desk)
    assert isinstance(desk.work, InMemoryWork)
    wanted = {str(s.args["key"]) for s in desk.work.started if s.name == "refresh"}
    assert wanted == {f"batch:{batch}"}
    assert (await shown(desk, batch)).approvers == (AMIR, "U0CHIEF")  # whoever asked may not approve


async def test_whose_lock_a_batch_tells_of_is_mentioned_by_an_edit_which_rings_nobody(desk: Desk) -> None:
    await say(desk, "lock payments moving 2h", "deploy", "U0NIGHT", "l1")
    await say(desk, f"{ROLLBACK} --override cards fail", who=AMIR)
    (batch,) = {a.batch for a in await desk.db.read(desk.actions.unfinished)}
    key = f"batch:{batch}"
    await refresh({"key": key}, desk)
    assert isinstance(desk.work, InMemoryWork)
    await refresh([work.args for work in desk.work.named("refresh") if work.args["key"] == key][-1], desk)
    assert isinstance(desk.channel, FakeChannel)
    (views,) = [p.views for p in desk.channel.posts if p.key == key]
    mentioned = [{id for part in v.parts if part.plan for id in part.plan.named} for v in views if isinstance(v, BatchView)]
    assert "U0NIGHT" not in mentioned[0]
    assert "U0NIGHT" in mentioned[-1]


async def test_the_same_request_twice_is_one_batch(desk: Desk) -> None:
    batch = await opened(desk)
    await asyncio.gather(*(say(desk, ROLLBACK) for _ in range(3)))
    assert {a.batch for a in await desk.db.read(desk.actions.unfinished)} == {batch}
    assert len(await desk.db.read(desk.actions.unfinished)) == 3


@pytest.mark.parametrize(
    ("text", "command", "words"),
    [
        ("payments + nowhere", "rollback", "There is no service 'nowhere'"),
        ("payments + printer", "rollback", "printer has no deployer"),
        ("payments + pay", "rollback", "A service is named twice"),
        ("payments v99 + checkout", "rollback", "payments v99 never ran"),
        ("payments + checkout", "deploy", "Usage: /deploy <service> <version> + <service> <version>"),
        ("payments +", "rollback", "Usage: /rollback"),
        ("payments + checkout staging", "rollback", "staging"),
    ],
)
async def test_a_wrong_part_refuses_the_whole_and_nothing_is_kept(desk: Desk, text: str, command: str, words: str) -> None:
    try:
        answer = await say(desk, text, command)
        said = answer.text if isinstance(answer, NoteView) else ""
    except (NotFound, IllegalMove) as error:
        said = error.for_people
    assert words in said
    assert await desk.db.read(desk.actions.unfinished) == ()


async def test_a_service_that_is_busy_refuses_the_whole(desk: Desk) -> None:
    await say(desk, "payments", id="r0")
    (alone,) = await desk.db.read(desk.actions.unfinished)
    await press(desk, Deed.ACTION_APPROVE, alone.id, AMIR)
    with pytest.raises(IllegalMove, match="one at a time"):
        await say(desk, ROLLBACK)
    assert [a.id for a in await desk.db.read(desk.actions.unfinished)] == [alone.id]


async def test_versions_and_a_claim_are_read_for_each(desk: Desk) -> None:
    await say(desk, "payments v41 + gateway production --override it is urgent")
    found = {a.service: a for a in await desk.db.read(desk.actions.unfinished)}
    assert (found["payments"].target, found["gateway"].target) == ("v41", "v42")
    assert {(a.claim, a.claim_reason) for a in found.values()} == {(Claim.OVERRIDE, "it is urgent")}


async def test_deploys_go_the_other_way_round(desk: Desk) -> None:
    await say(desk, "gateway v44, payments v44", "deploy")
    (batch,) = {a.batch for a in await desk.db.read(desk.actions.unfinished)}
    assert [s for s, _ in await states(desk, batch)] == ["payments", "gateway"]


TWO_TEAMS = RULES.replace(
    "rules:",
    """rules:
  - name: money
    environments: [production]
    services: [payments]
    request: [on-call]
    approve: [bankers]""",
).replace("groups:", "groups:\n  bankers: [U0BANK]")


async def test_one_press_counts_where_the_person_may_says_where_not_and_nothing_begins_before_all_are_approved(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    rules: Policies = read_policies(TWO_TEAMS)
    desk = replace(desk, policies=lambda: rules)
    batch = await opened(desk)
    assert set((await shown(desk, batch)).approvers) == {AMIR, "U0CHIEF", "U0BANK"}
    answer = await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    assert isinstance(answer, NoteView)
    assert answer.text.startswith("Approved: gateway, checkout. Not payments: Only bankers may approve")
    await passes(desk, clock, 60)
    assert vendor.runs == []
    assert [s for _, s in await states(desk, batch)] == ["approved", "approved", "awaiting approval"]
    nobody = await press(desk, Deed.BATCH_APPROVE, batch, SAM)
    assert isinstance(nobody, NoteView)
    assert "may approve" in nobody.text
    await press(desk, Deed.BATCH_APPROVE, batch, "U0BANK")
    await passes(desk, clock, 300)
    assert [s for _, s in await states(desk, batch)] == ["succeeded"] * 3


async def test_one_that_fails_is_the_last_and_people_hear_what_stands_and_the_way_back(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    batch = await opened(desk)
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    await passes(desk, clock, 30)
    vendor.outcome = RunState.FAILED
    await passes(desk, clock, 200)
    assert await states(desk, batch) == [("gateway", "succeeded"), ("checkout", "failed"), ("payments", "refused")]
    assert len(vendor.runs) == 2
    last = (await shown(desk, batch)).parts[-1]
    assert last.outcome == "Nothing was started: checkout, which is of the same batch, failed."
    (call,) = notes(desk)
    assert "Done: gateway to v42. checkout failed. Not begun: payments." in call.text
    assert "The way back: /deploy gateway v43 production" in call.text
    assert {OLIVIA, AMIR} <= set(call.mention)
    assert (await shown(desk, batch)).standing in call.text


async def test_rejecting_or_expiring_one_ends_all_and_nobody_is_called(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    batch = await opened(desk)
    await press(desk, Deed.ACTION_REJECT, (await shown(desk, batch)).parts[1].id, AMIR)
    await passes(desk, clock, 10)
    assert [s for _, s in await states(desk, batch)] == ["refused"] * 3
    again = await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    assert isinstance(again, NoteView)
    assert (vendor.runs, notes(desk)) == ([], [])


async def test_the_rest_can_be_stopped_while_one_runs(desk: Desk, clock: FakeClock, vendor: FakeDeployer) -> None:
    batch = await opened(desk)
    vendor.outcome = RunState.RUNNING
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    await passes(desk, clock, 10)
    assert (await shown(desk, batch)).cancels
    refused = await press(desk, Deed.BATCH_STOP, batch, SAM)
    assert isinstance(refused, NoteView)
    assert await press(desk, Deed.BATCH_STOP, batch, OLIVIA) is None
    assert [s for _, s in await states(desk, batch)] == ["executing", "refused", "refused"]
    running = (await shown(desk, batch)).parts[0]
    vendor.finish(order_of(running), replace(vendor.by_key[running.id], state=RunState.SUCCEEDED))
    await passes(desk, clock, 120)
    assert (await the(desk, running.id)).status is ActionStatus.SUCCEEDED
    assert len(vendor.runs) == 1
    (call,) = notes(desk)
    assert "Done: gateway to v42. Not begun: checkout, payments." in call.text


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_done_again_after_a_crash_each_part_runs_once_and_in_order(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, seed: int
) -> None:
    chance = random.Random(seed)
    batch = await opened(desk)
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    known: Mapping[str, Handler] = handlers(desk)
    assert isinstance(desk.work, InMemoryWork)
    for _ in range(60):
        clock.advance(seconds=5)
        await desk.work.run_all(known, now=clock.now)
        due = [s for s in desk.work.started if s.name in ("execute", "verify_action", "batch_turn")]
        for again in chance.sample(due, min(3, len(due))):  # as after a kill between the end of the work and its record
            await known[again.name](again.args)
    found = (await shown(desk, batch)).parts
    assert [p.status for p in found] == [ActionStatus.SUCCEEDED] * 3
    assert vendor.runs == [p.id for p in found]


async def test_the_rescue_of_a_part_that_waits_starts_nothing(desk: Desk, clock: FakeClock, vendor: FakeDeployer) -> None:
    batch = await opened(desk)
    vendor.outcome = RunState.RUNNING
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    await passes(desk, clock, 10)
    waiting = (await shown(desk, batch)).parts[1]
    args: Mapping[str, Scalar] = {"action": waiting.id, "look": 12}
    await executing.execute(args, desk)
    await batch_turn({"batch": batch}, desk)
    assert (await the(desk, waiting.id)).status is ActionStatus.APPROVED
    assert len(vendor.runs) == 1


async def test_warnings_that_have_no_room_on_the_message_of_a_batch_are_counted(desk: Desk) -> None:
    view = await shown(desk, await opened(desk))
    plan = view.parts[0].plan
    assert plan is not None
    first = replace(view.parts[0], plan=replace(plan, barriers=(), warnings=("one", "two", "three", "four")))
    drawn = str(render(replace(view, parts=(first, *view.parts[1:]))).blocks)
    assert "⚠️ two" in drawn
    assert "⚠️ … and 2 more" in drawn
    assert "three" not in drawn


async def test_parts_that_wait_for_one_that_ended_unnoticed_are_let_go_by_the_rescue(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    batch = await opened(desk)
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    first = (await shown(desk, batch)).parts[0]
    failed = first.move(ActionStatus.EXECUTING, desk.clock()).move(ActionStatus.FAILED, desk.clock(), "It was lost.")
    await desk.db.write(lambda tx: desk.actions.move(tx, first, failed))
    assert isinstance(desk.work, InMemoryWork)
    desk.work.done |= {s.id for s in desk.work.started}  # all of its work is lost
    clock.advance(minutes=30)
    await desk.db.write(lambda tx: executing.rescue(tx, desk))
    await desk.work.run_all(handlers(desk), now=clock.now)
    assert [s for _, s in await states(desk, batch)] == ["failed", "refused", "refused"]
    assert vendor.runs == []


async def test_a_part_of_which_nobody_knows_has_a_message_of_its_own_and_holds_the_others(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    batch = await opened(desk)
    vendor.outcome = RunState.UNKNOWN
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    await passes(desk, clock, 260)
    first, *others = (await shown(desk, batch)).parts
    assert first.status is ActionStatus.UNCERTAIN
    assert {p.status for p in others} == {ActionStatus.APPROVED}
    assert isinstance(desk.work, InMemoryWork)
    assert f"action:{first.id}" in {str(s.args["key"]) for s in desk.work.started if s.name == "refresh"}
    await press(desk, Deed.ACTION_DID_NOT_RUN, first.id, AMIR)
    await passes(desk, clock, 10)
    assert [s for _, s in await states(desk, batch)] == ["failed", "refused", "refused"]


async def test_a_change_that_shipped_several_services_is_rolled_back_as_a_whole_from_the_card(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    cause = Candidate("c1", "payments", "one train", version="v43", commit="3f2c1a9", shipped_at=NOON)
    guilty = Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "the train did it [E1]", NOON, cause=cause)
    train = a_change(id="c1", services=("payments", "checkout", "printer"), version="v43", at=NOON)
    await desk.db.write(lambda tx: desk.changes.save(tx, [train]))
    incident = await open_incident(desk, guilty)
    card = await desk.db.read(lambda tx: incident_view(tx, incident, desk))
    assert card.may_propose_with == ("checkout",)
    assert "and what was shipped with it (checkout), callers first" in str(render(card).blocks)
    answer = await press(desk, Deed.ROLLBACK_PROPOSE, incident.id, OLIVIA)
    assert isinstance(answer, NoteView)
    assert "roll back checkout to v42, then payments to v42" in answer.text
    found = await desk.db.read(lambda tx: desk.actions.of_incident(tx, incident.id))
    assert {(a.service, a.kind, a.target) for a in found} == {
        ("checkout", ActionKind.ROLLBACK, "v42"),
        ("payments", ActionKind.ROLLBACK, "v42"),
    }
    (batch,) = {a.batch for a in found}
    await press(desk, Deed.BATCH_APPROVE, batch, AMIR)
    await passes(desk, clock, 90)
    first = (await shown(desk, batch)).parts[0]
    assert first.status is ActionStatus.SUCCEEDED  # what still fires is for the part to come
    assert (OLIVIA, "requested") in await deeds(desk, first.id)


def test_what_names_several_services() -> None:
    assert sequencing.several(("a", "+", "b"))
    assert sequencing.several(("a,", "b"))
    assert not sequencing.several(("a", "v1", "production"))
    assert not sequencing.several(("a", "--override", "one,", "two", "+", "three"))
