"""Nobody knew whether it ran: a person who may approve says so, once, and it is written down."""

import pytest

from bot.domain.action import Action, ActionStatus
from bot.domain.request import Deed
from bot.domain.view import NoteView
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, SAM, FakeDeployer, a_desk, clear, deeds, newest, press, proposed, run_for, the
from tests.fakes import FakeClock


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def uncertain(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> Action:
    """A rollback whose start was attempted, and of which the deployer knows nothing."""
    action = await proposed(desk)
    vendor.refuse_start = True
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    await run_for(desk, clock, 300)
    lost = await the(desk, action.id)
    assert lost.status is ActionStatus.UNCERTAIN
    return lost


async def test_a_person_saw_that_it_ran_so_its_effect_is_verified(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await uncertain(desk, vendor, clock)
    vendor.running["payments"] = "v42"
    assert await press(desk, Deed.ACTION_RAN, action.id, AMIR) is None
    assert (await the(desk, action.id)).status is ActionStatus.VERIFYING
    await clear(desk)
    await run_for(desk, clock, 20)
    assert (await the(desk, action.id)).status is ActionStatus.SUCCEEDED
    assert vendor.runs == []
    assert (AMIR, "settled: it ran") in await deeds(desk, action.id)


async def test_a_person_is_not_believed_against_what_runs(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await uncertain(desk, vendor, clock)
    await press(desk, Deed.ACTION_RAN, action.id, AMIR)
    await run_for(desk, clock, 200)
    done = await the(desk, action.id)
    assert (done.status, "v43 runs in place of v42" in done.outcome) == (ActionStatus.FAILED, True)


async def test_it_did_not_run_so_it_failed_and_the_service_is_free(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await uncertain(desk, vendor, clock)
    await press(desk, Deed.ACTION_DID_NOT_RUN, action.id, AMIR)
    done = await the(desk, action.id)
    assert (done.status, done.outcome) == (ActionStatus.FAILED, "A person says that it did not run.")
    assert (AMIR, "settled: it did not run") in await deeds(desk, action.id)
    await press(desk, Deed.ROLLBACK_PROPOSE, action.incident_id, OLIVIA, id="again")
    again = await newest(desk)
    assert again.id != action.id
    assert again.status is ActionStatus.AWAITING
    await run_for(desk, clock, 300)
    assert (await the(desk, action.id)).status is ActionStatus.FAILED
    assert vendor.runs == []


async def test_the_first_word_counts(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await uncertain(desk, vendor, clock)
    await press(desk, Deed.ACTION_DID_NOT_RUN, action.id, AMIR)
    said = await press(desk, Deed.ACTION_RAN, action.id, OLIVIA)
    assert isinstance(said, NoteView)
    assert "no longer uncertain" in said.text
    assert (await the(desk, action.id)).status is ActionStatus.FAILED


async def test_who_may_not_approve_may_not_settle_and_that_is_written_down(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await uncertain(desk, vendor, clock)
    said = await press(desk, Deed.ACTION_RAN, action.id, SAM)
    assert isinstance(said, NoteView)
    assert "Only approvers may say what became of production rollbacks" in said.text
    assert AMIR in said.mention
    assert (await the(desk, action.id)).status is ActionStatus.UNCERTAIN
    assert (SAM, "refused") in await deeds(desk, action.id)
