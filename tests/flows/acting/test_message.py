"""The one message of an action: whom it waits for by name, how far it is, edited at a rate that people can bear."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.actions.execute import Step
from bot.actions.policy import read_policies
from bot.domain.action import ActionStatus
from bot.domain.request import Deed
from bot.domain.view import ActionView
from bot.flows.acting.steps import record
from bot.flows.announce import refresh, show_action, show_progress
from bot.flows.desk import Desk
from bot.ports import Order, Run, RunState, Scalar
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, RULES, FakeDeployer, a_desk, handlers, press, proposed, run_for, the
from tests.fakes import FakeChannel, FakeClock, InMemoryWork
from tests.postgres import on_sqlite

pytestmark = on_sqlite  # what the stores promise is tested on both databases in tests/storage

GROUPED = RULES.replace("approvers: [U0APPROVER, U0CHIEF, U0ONCALL]", 'approvers: ["@release", S0CHIEFS, U0LONE]')


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer(outcome=RunState.RUNNING)


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


def chat(desk: Desk) -> FakeChannel:
    assert isinstance(desk.channel, FakeChannel)
    return desk.channel


async def shown(desk: Desk, id: str) -> ActionView:
    await refresh({"key": f"action:{id}"}, desk)
    view = next(p for p in chat(desk).posts if p.key == f"action:{id}").views[-1]
    assert isinstance(view, ActionView)
    return view


async def test_it_waits_for_the_people_of_small_groups_by_name_and_for_large_groups_by_theirs(desk: Desk) -> None:
    policies = read_policies(GROUPED)
    grouped = replace(desk, policies=lambda: policies)
    chat(desk).memberships.update({f"U0CHIEF{n}": ("S0CHIEFS",) for n in range(12)})
    chat(desk).memberships.update({AMIR: ("release",), OLIVIA: ("release",)})
    action = await proposed(grouped)
    view = await shown(grouped, action.id)
    assert view.approvers == ("U0LONE", AMIR), "whoever asked may not approve it too"
    assert view.groups == ("S0CHIEFS",)
    chat(desk).memberships.clear()
    assert (await shown(grouped, action.id)).groups == ("release", "S0CHIEFS")


async def test_nobody_is_named_for_what_waits_for_nobody(desk: Desk) -> None:
    policies = read_policies(GROUPED.replace("S0CHIEFS, U0LONE", "S0CHIEFS, U0APPROVER"))
    grouped = replace(desk, policies=lambda: policies)
    action = await proposed(grouped)
    await press(grouped, Deed.ACTION_APPROVE, action.id, AMIR)
    assert (await shown(grouped, action.id)).groups == ()


async def test_it_counts_the_minutes_that_it_runs_and_offers_to_stop_it(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert (await shown(desk, action.id)).cancels
    await run_for(desk, clock, 130)
    view = await shown(desk, action.id)
    assert (view.minutes, view.cancels) == (2, True)
    assert view.action.since(ActionStatus.EXECUTING) is not None
    vendor.cancels = False
    assert not (await shown(desk, action.id)).cancels


async def test_nobody_counts_the_minutes_of_what_is_uncertain(desk: Desk, clock: FakeClock) -> None:
    action = await proposed(desk)
    lost = replace(action, status=ActionStatus.EXECUTING).move(ActionStatus.UNCERTAIN, clock.now)
    await desk.db.write(lambda tx: desk.actions.move(tx, action, lost))
    clock.advance(seconds=600)
    assert (await shown(desk, action.id)).minutes == 0


async def test_progress_is_told_every_few_seconds_at_most_and_the_end_at_once(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer
) -> None:
    work = desk.work
    assert isinstance(work, InMemoryWork)

    async def edits(args: Mapping[str, Scalar]) -> None:
        await refresh(args, desk)

    known = {**handlers(desk), "refresh": edits}
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    key = f"action:{action.id}"
    for _ in range(5):
        await work.run_all(known, now=clock.now)
        clock.advance(seconds=1)
    before = len(chat(desk).edits)
    order = Order("payments", "production", "v42", action.id)
    for second in range(30):
        vendor.finish(order, Run("run-1", RunState.RUNNING, "v42", "", (f"step {second}",)))
        current = await the(desk, action.id)
        await record(current, Step(None, "", vendor.by_key[action.id]), 3, desk)
        clock.advance(seconds=1)
        await work.run_all(known, now=clock.now)
    assert 5 <= len(chat(desk).edits) - before <= 11
    await desk.db.write(lambda tx: show_progress(tx, action, desk))
    waiting = [w for w in work.named("refresh") if w.args.get("key") == key and w.id not in work.done]
    assert [w.not_before > clock.now for w in waiting if w.not_before] == [True]
    await desk.db.write(lambda tx: show_action(tx, action, desk))
    at_once = [w for w in work.named("refresh") if w.args.get("key") == key and w.id not in work.done and not w.not_before]
    assert len(at_once) == 1
    await desk.db.write(lambda tx: show_action(tx, action, desk))
    card = await desk.db.read(lambda tx: desk.cards.get(tx, key))
    assert card is not None
    assert card.pending == at_once[0].args["asked"], "asking again while one is outstanding changes nothing"
    clock.advance(seconds=5)
    await work.run_all(known, now=clock.now)
