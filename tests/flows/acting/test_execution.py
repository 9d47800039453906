"""Carrying out an approved action: started once, followed, verified, or honestly uncertain."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.change import ChangeStatus
from bot.domain.incident import Status
from bot.domain.request import Deed
from bot.domain.view import NoteView
from bot.errors import NotAllowed
from bot.flows.acting import executing, verifying
from bot.flows.desk import Desk
from bot.ports import Order, Run, RunState, Transaction
from bot.storage.database import SqlDatabase
from tests.actions.estate import (
    AMIR,
    OLIVIA,
    FakeDeployer,
    a_desk,
    clear,
    deeds,
    newest,
    press,
    proposed,
    run_for,
    the,
)
from tests.fakes import FakeChannel, FakeClock, a_change, a_member, an_incident


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def approved(desk: Desk) -> Action:
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    return await the(desk, action.id)


async def in_executing(desk: Desk) -> Action:
    """An action whose process died right after the record that a start is attempted."""
    action = await approved(desk)
    moved = action.move(ActionStatus.EXECUTING, desk.clock())
    kept = await desk.db.write(lambda tx: desk.actions.move(tx, action, moved))
    assert kept is not None
    return kept


def order(action: Action) -> Order:
    return Order(action.service, action.environment, action.target, action.id)


async def test_a_rollback_that_helps_is_verified_and_resolves_the_incident(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)
    await run_for(desk, clock, 10)
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    assert vendor.running["payments"] == "v42"
    await clear(desk)
    await run_for(desk, clock, 10)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.SUCCEEDED
    assert done.outcome.startswith("Verified: v42 runs and its alerts have cleared")
    assert "abcdefgh12345678" not in " ".join(done.output)
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, "INC-42"))
    assert incident is not None
    assert (incident.status, incident.resolved_by) == (Status.RESOLVED, "verified after rollback to v42")
    assert await deeds(desk, action.id) == [
        (OLIVIA, "requested"),
        (AMIR, "approved"),
        ("tocsin", "executing"),
        ("tocsin", "verifying"),
        ("tocsin", "succeeded"),
    ]
    assert (await deeds(desk, incident.id))[-1] == ("tocsin", "resolved")
    assert await desk.db.read(desk.ledger.broken_at) is None
    assert vendor.runs == [action.id]


async def test_a_rollback_that_helps_leaves_the_end_of_an_incident_by_hand_to_a_person(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)

    def by_hand(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, "INC-42")
        assert incident is not None
        desk.incidents.save(tx, replace(incident, opened_by=OLIVIA))

    await desk.db.write(by_hand)
    await run_for(desk, clock, 10)
    await clear(desk)
    await run_for(desk, clock, 10)
    assert (await the(desk, action.id)).status is ActionStatus.SUCCEEDED
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, "INC-42"))
    assert incident is not None
    assert incident.live


@dataclass
class Tagged(FakeDeployer):
    """A vendor that deploys by tags, which can be moved."""

    tags: dict[str, str] = field(default_factory=lambda: {"v42": "v42-sha"})

    async def commit_of(self, service: str, version: str) -> str:
        return self.tags.get(version, "")


async def test_a_tag_that_was_moved_after_people_approved_its_commit_is_not_deployed(
    database: SqlDatabase, clock: FakeClock
) -> None:
    vendor = Tagged()
    desk = a_desk(database, clock, vendor)
    action = await approved(desk)
    assert action.plan is not None
    assert action.plan.target_commit == "v42-sha"
    vendor.tags["v42"] = "e71100000000beef"
    await run_for(desk, clock, 3)
    refused = await the(desk, action.id)
    assert (refused.status, vendor.runs) == (ActionStatus.REFUSED, [])
    assert "v42 became another commit: e71100000000, not v42-sha" in refused.outcome


async def test_what_was_approved_long_before_the_bot_came_back_is_not_begun(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)
    clock.advance(hours=2)
    await run_for(desk, clock, 5)
    late = await the(desk, action.id)
    assert (late.status, vendor.runs) == (ActionStatus.EXPIRED, [])
    assert "approved more than an hour ago" in late.outcome
    assert (await deeds(desk, action.id))[-1] == ("tocsin", "expired")


async def test_what_the_vendor_says_last_of_a_failure_is_told_without_its_secrets(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    vendor.outcome = RunState.FAILED
    action = await approved(desk)
    await run_for(desk, clock, 5)
    failed = await the(desk, action.id)
    assert failed.outcome.startswith("The deployer says that it failed: deployed token=")
    entries = await desk.db.read(lambda tx: desk.ledger.entries(tx, action.id))
    assert "abcdefgh12345678" not in f"{failed.outcome} {[e.detail for e in entries]}"


async def test_a_rollback_that_does_not_help_says_so_and_the_way_back(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await approved(desk)
    await run_for(desk, clock, 130)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert done.outcome == (
        "It did not help: v42 runs, but after 120 s still fires: HighErrorRate on payments. "
        "The way back: /deploy payments v43 production"
    )
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, an_incident().id))
    assert incident is not None
    assert incident.live


async def test_what_broke_while_the_bot_had_not_yet_seen_the_end_of_the_run_made_things_worse(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    """The vendor told of the deployment, and checkout failed, some seconds before the deployer was asked again."""
    vendor.outcome = RunState.RUNNING
    action = await approved(desk)
    await run_for(desk, clock, 10)
    told = clock.now
    fails = a_member(fingerprint="f2", name="HighErrorRate", service="checkout", joined_at=told + timedelta(seconds=2))

    def breaks(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, "INC-42")
        assert incident is not None
        desk.incidents.save(tx, replace(incident, members=(*incident.members, fails)))
        done = a_change(status=ChangeStatus.SUCCEEDED, at=told, services=("payments",), environment="production", version="v42")
        desk.changes.save(tx, [done])

    await desk.db.write(breaks)
    clock.advance(seconds=5)
    vendor.finish(order(action), Run("run-1", RunState.SUCCEEDED))
    await run_for(desk, clock, 60)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert done.outcome.startswith(
        "It made things worse: v42 runs, and since then fires what did not before: HighErrorRate on checkout."
    )


async def test_the_button_of_an_action_that_did_no_good_plans_the_way_back_for_approval(desk: Desk, clock: FakeClock) -> None:
    action = await approved(desk)
    await run_for(desk, clock, 130)
    note = await press(desk, Deed.ACTION_BACK, action.id, OLIVIA)
    back = await newest(desk)
    assert isinstance(note, NoteView)
    assert note.text == "The plan to bring payments v43 back is in the thread; it is awaiting approval."
    assert (back.kind, back.target, back.incident_id) == (ActionKind.DEPLOY, "v43", action.incident_id)
    assert back.status is ActionStatus.AWAITING, "nothing runs before somebody approves it"


async def test_an_action_that_helped_cannot_be_taken_back_by_an_old_button(desk: Desk, clock: FakeClock) -> None:
    action = await approved(desk)
    await clear(desk)
    await run_for(desk, clock, 60)
    note = await press(desk, Deed.ACTION_BACK, action.id, OLIVIA)
    assert isinstance(note, NoteView)
    assert note.text == "This rollback of payments is succeeded; there is nothing to take back."
    assert (await newest(desk)).id == action.id


async def test_a_deployer_that_says_success_but_switches_nothing_is_found_out(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    vendor.switches = False
    action = await approved(desk)
    await clear(desk)
    await run_for(desk, clock, 130)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert "v43 runs in place of v42" in done.outcome


async def test_a_run_that_takes_long_is_followed_to_its_end(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    vendor.outcome = RunState.RUNNING
    action = await approved(desk)
    await run_for(desk, clock, 60)
    running = await the(desk, action.id)
    assert (running.status, running.run) == (ActionStatus.EXECUTING, "run-1")
    vendor.finish(order(action), Run("run-1", RunState.FAILED, output=("disk full",)))
    await run_for(desk, clock, 20)
    done = await the(desk, action.id)
    assert (done.status, done.outcome) == (ActionStatus.FAILED, "The deployer says that it failed: disk full")
    assert vendor.runs == [action.id]


async def test_a_run_cancelled_at_the_deployer_has_failed_and_says_what_is_left(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    vendor.outcome = RunState.RUNNING
    action = await approved(desk)
    await run_for(desk, clock, 5)
    await vendor.cancel(order(action))
    await run_for(desk, clock, 60)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert done.outcome == "It was cancelled at the deployer; what had been done by then is not undone."


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_start_whose_answer_is_lost_is_asked_about_and_never_repeated(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock, idempotent: bool
) -> None:
    vendor.lose_answer, vendor.idempotent = True, idempotent
    action = await approved(desk)
    await run_for(desk, clock, 5)
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    assert vendor.runs == [action.id]
    assert vendor.asked.count("start") == 1


async def test_a_start_that_never_arrived_is_repeated_only_with_an_idempotent_deployer(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    vendor.refuse_start, vendor.idempotent = True, True
    action = await approved(desk)
    await run_for(desk, clock, 5)
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    assert vendor.runs == [action.id]
    assert vendor.asked.count("start") == 2


async def test_a_start_that_never_arrived_becomes_uncertain_and_calls_a_person(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    vendor.refuse_start = True
    action = await approved(desk)
    await run_for(desk, clock, 100)
    lost = await the(desk, action.id)
    assert lost.status is ActionStatus.UNCERTAIN
    assert lost.outcome.endswith(f"It is not tried again. To find out, run `deployctl status --key {action.id}`.")
    assert vendor.asked.count("start") == 1
    assert vendor.runs == []
    assert isinstance(desk.channel, FakeChannel)
    [call] = desk.channel.posts
    assert isinstance(call.view, NoteView)
    assert call.view.mention == (OLIVIA, AMIR)
    assert call.view.text == lost.outcome


async def test_an_uncertain_action_is_settled_when_the_deployer_can_tell(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await in_executing(desk)
    vendor.runs.append(action.id)  # it had arrived; only the answer and then the deployer were lost
    vendor.finish(order(action), Run("run-1", RunState.SUCCEEDED))
    vendor.down = True
    await run_for(desk, clock, 100)
    assert (await the(desk, action.id)).status is ActionStatus.UNCERTAIN
    vendor.down = False
    await run_for(desk, clock, 35)
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    assert vendor.asked.count("start") == 0


async def test_an_order_that_never_arrived_stops_blocking_the_service(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await in_executing(desk)
    await run_for(desk, clock, 100)
    assert (await the(desk, action.id)).status is ActionStatus.UNCERTAIN
    await run_for(desk, clock, 700, step=10)
    done = await the(desk, action.id)
    assert (done.status, done.outcome) == (
        ActionStatus.FAILED,
        "It never arrived: the deployer does not know it, and v43 still runs.",
    )
    assert vendor.runs == []


async def test_an_uncertain_action_that_a_person_deployed_over_stops_blocking_the_service(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await in_executing(desk)
    await run_for(desk, clock, 100)
    assert (await the(desk, action.id)).status is ActionStatus.UNCERTAIN
    vendor.running["payments"] = "v45"
    await run_for(desk, clock, 700, step=10)
    done = await the(desk, action.id)
    assert (done.status, done.outcome) == (
        ActionStatus.FAILED,
        "It was overtaken: v45 runs, and the deployer does not know it.",
    )


async def test_a_deployer_that_is_gone_leaves_it_uncertain_and_says_how_to_find_out(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await in_executing(desk)
    vendor.down = True
    await run_for(desk, clock, 100)
    lost = await the(desk, action.id)
    assert lost.status is ActionStatus.UNCERTAIN
    assert "the deployer cannot be asked: The deployer does not answer" in lost.outcome
    assert "To find out, run `deployctl status" in lost.outcome


async def test_a_deployer_that_goes_silent_after_it_ran_leaves_it_uncertain_and_says_how_to_find_out(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)
    await run_for(desk, clock, 2)
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    vendor.down = True
    await run_for(desk, clock, 130)
    lost = await the(desk, action.id)
    assert lost.status is ActionStatus.UNCERTAIN
    assert lost.outcome.endswith(f"To find out, run `deployctl status --key {action.id}`.")


async def test_a_second_order_that_is_refused_says_nothing_of_the_first(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.idempotent = True
    action = await in_executing(desk)  # its order is on its way and arrives late
    start = vendor.start

    async def refused(order: Order) -> Run:
        raise NotAllowed("The token may do too little.")

    monkeypatch.setattr(vendor, "start", refused)
    await run_for(desk, clock, 2)
    assert (await the(desk, action.id)).status is ActionStatus.EXECUTING
    await start(order(action))
    await run_for(desk, clock, 10)
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    assert vendor.runs == [action.id]


async def test_a_deployer_that_forgets_its_run_is_never_started_again(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    vendor.outcome, vendor.idempotent = RunState.RUNNING, True
    action = await approved(desk)
    await run_for(desk, clock, 3)
    vendor.by_key.clear()
    await run_for(desk, clock, 5)
    lost = await the(desk, action.id)
    assert lost.status is ActionStatus.UNCERTAIN
    assert "no longer knows its run run-1" in lost.outcome
    assert vendor.runs == [action.id]


async def test_nothing_starts_when_the_world_moved_since_the_plan(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await approved(desk)
    vendor.running["payments"] = "v44"
    await run_for(desk, clock, 3)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.REFUSED
    assert done.outcome.startswith("Since the plan was made, v44 came in place of v43. Nothing was started")
    assert vendor.runs == []


async def test_a_deployer_that_is_down_before_the_start_is_waited_for_and_then_given_up(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)
    vendor.down = True
    await run_for(desk, clock, 5)
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED
    await run_for(desk, clock, 120)
    done = await the(desk, action.id)
    assert (done.status, done.outcome) == (
        ActionStatus.REFUSED,
        "Nothing was started: The deployer does not answer.",
    )
    assert vendor.runs == []


async def test_the_handler_may_run_twice_at_once_and_again_later(desk: Desk, vendor: FakeDeployer) -> None:
    action = await approved(desk)
    args = {"action": action.id, "look": 0}
    await asyncio.gather(*(executing.execute(args, desk) for _ in range(4)))
    await executing.execute(args, desk)
    assert vendor.runs == [action.id]
    assert [d for _, d in await deeds(desk, action.id)].count("executing") == 1
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING


async def test_verification_run_twice_ends_it_once(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await approved(desk)
    await run_for(desk, clock, 3)
    await clear(desk)
    args = {"action": action.id, "look": 0}
    await asyncio.gather(*(verifying.verify(args, desk) for _ in range(3)))
    assert [d for _, d in await deeds(desk, action.id)].count("succeeded") == 1


async def test_a_run_that_never_ends_is_looked_at_by_a_person(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    vendor.outcome = RunState.RUNNING
    action = await approved(desk)
    await run_for(desk, clock, 1900, step=10)
    lost = await the(desk, action.id)
    assert lost.status is ActionStatus.UNCERTAIN
    assert "it still runs after 30 min" in lost.outcome


async def test_while_the_deployer_cannot_be_asked_an_approved_action_says_why_it_has_not_begun(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)
    vendor.down = True
    await run_for(desk, clock, 10)
    waits = await the(desk, action.id)
    assert waits.status is ActionStatus.APPROVED
    assert waits.outcome.startswith("Not begun yet: ")
    vendor.down = False
    await run_for(desk, clock, 130)
    assert "Not begun" not in (await the(desk, action.id)).outcome
    assert vendor.runs == [action.id]


async def test_an_alert_of_the_service_that_opens_an_incident_of_its_own_after_the_action_made_things_worse(
    desk: Desk, clock: FakeClock
) -> None:
    """The incident is older than alerts are folded into it, so that what the rollback broke comes as another one."""
    action = await approved(desk)
    await run_for(desk, clock, 5)
    new = a_member(fingerprint="f3", name="LatencyHigh", joined_at=clock.now)
    other = an_incident(id="other", number=43, members=(new,), opened_at=clock.now)
    await desk.db.write(lambda tx: desk.incidents.save(tx, other))
    await run_for(desk, clock, 60)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert done.outcome.startswith(
        "It made things worse: v42 runs, and since then fires what did not before: LatencyHigh on payments."
    )
