"""Stopping an action: by whoever may, once, honest about what had ended; before the start without the deployer."""

import asyncio
from dataclasses import replace

import pytest

from bot.actions.execute import Step
from bot.actions.policy import read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Cancel, Stopping
from bot.domain.request import CommandRequest, Deed, Person
from bot.domain.view import NoteView, Shown
from bot.errors import IllegalMove, NotFound, Unavailable
from bot.flows.acting import cancelling, executing
from bot.flows.acting.steps import page_of, record
from bot.flows.desk import Desk
from bot.ports import Order, Run, RunState, Transaction
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase
from tests.actions.estate import (
    AMIR,
    OLIVIA,
    RULES,
    SAM,
    FakeDeployer,
    a_desk,
    deeds,
    press,
    proposed,
    run_for,
    the,
)
from tests.fakes import FakeClock, InMemoryWork
from tests.postgres import on_sqlite


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer(outcome=RunState.RUNNING)


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def approved(desk: Desk) -> Action:
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    return await the(desk, action.id)


async def running(desk: Desk, clock: FakeClock) -> Action:
    action = await approved(desk)
    await run_for(desk, clock, 2)
    action = await the(desk, action.id)
    assert (action.status, action.run) == (ActionStatus.EXECUTING, "run-1")
    return action


async def cancel(desk: Desk, action: Action, who: str, id: str = "") -> str:
    shown: Shown | None = await press(desk, Deed.ACTION_CANCEL, action.id, who, id)
    assert isinstance(shown, NoteView)
    return shown.text


async def type_it(desk: Desk, words: str, who: str = OLIVIA) -> NoteView:
    return await cancelling.on_words(CommandRequest(Person(who), "C-OPS", "deploy", tuple(words.split()), words, "t", "c"), desk)


class Racing(SqlActionStore):
    """Somebody's wish to stop an action is committed between a look's reading and its writing, once."""

    wished = False

    def move(self, tx: Transaction, before: Action, after: Action) -> Action | None:
        if not self.wished:
            self.wished = True
            super().move(tx, before, replace(before, cancel=Cancel(OLIVIA, before.updated_at)))
        return super().move(tx, before, after)


@on_sqlite
@pytest.mark.parametrize(
    ("step", "status", "works"),
    [
        (Step(None, "It runs still."), ActionStatus.EXECUTING, [("execute", 4)]),
        (Step(ActionStatus.FAILED, "Exit 1."), ActionStatus.FAILED, []),
        (Step(ActionStatus.VERIFYING, "It ran."), ActionStatus.VERIFYING, [("verify_action", 0)]),
    ],
)
async def test_a_wish_uttered_while_a_look_is_written_down_loses_neither_the_look_nor_the_next_one(
    desk: Desk, clock: FakeClock, step: Step, status: ActionStatus, works: list[tuple[str, int]]
) -> None:
    action = await running(desk, clock)
    assert isinstance(desk.work, InMemoryWork)
    before = len(desk.work.started)
    await record(action, step, 3, replace(desk, actions=Racing()))
    latest = await the(desk, action.id)
    assert (latest.status, latest.outcome) == (status, step.text)
    assert latest.cancel is not None
    assert latest.cancel.by == OLIVIA
    looks = [w for w in desk.work.started[before:] if w.name in ("execute", "verify_action")]
    assert [(w.name, w.args["look"]) for w in looks] == works


@on_sqlite
async def test_a_running_action_is_stopped_by_its_deployer_and_ends_as_cancelled_by_that_person(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await running(desk, clock)
    assert "its deployer is asked to stop it" in await cancel(desk, action, OLIVIA)
    asked = await the(desk, action.id)
    assert (asked.status, asked.updated_at) == (ActionStatus.EXECUTING, action.updated_at)
    assert asked.cancel is not None
    assert (asked.cancel.by, asked.cancel.state) == (OLIVIA, Stopping.ASKED)
    await run_for(desk, clock, 5)
    ended = await the(desk, action.id)
    assert ended.status is ActionStatus.FAILED
    assert ended.outcome == f"It was cancelled by {OLIVIA}; what had been done by then is not undone."
    assert ended.cancel is not None
    assert ended.cancel.state is Stopping.STOPPED
    assert vendor.asked.count("cancel") == 1
    assert await deeds(desk, action.id) == [
        (OLIVIA, "requested"),
        (AMIR, "approved"),
        ("tocsin", "executing"),
        (OLIVIA, "asked to cancel"),
        ("tocsin", "failed"),
    ]
    assert vendor.runs == [action.id]


@on_sqlite
async def test_what_is_approved_but_not_started_is_refused_without_asking_the_deployer(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await approved(desk)
    asked = list(vendor.asked)
    assert await cancel(desk, action, AMIR) == "The rollback of payments to v42 is cancelled. Nothing was started."
    await run_for(desk, clock, 60)
    ended = await the(desk, action.id)
    assert (ended.status, vendor.runs) == (ActionStatus.REFUSED, [])
    assert ended.outcome == f"Cancelled by {AMIR} before it started. Nothing was started."
    assert vendor.asked == asked
    assert (await deeds(desk, action.id))[-1] == (AMIR, "cancelled")


async def test_two_presses_at_once_are_one_wish(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await running(desk, clock)
    told = await asyncio.gather(
        cancel(desk, action, OLIVIA, "p1"), cancel(desk, action, AMIR, "p2"), cancel(desk, action, OLIVIA, "p3")
    )
    assert sum("its deployer is asked" in t for t in told) == 1
    others = [t for t in told if "its deployer is asked" not in t]
    assert all("asked for that already" in t or "a moment before you" in t for t in others)
    await run_for(desk, clock, 5)
    assert vendor.asked.count("cancel") == 1
    assert [d for _, d in await deeds(desk, action.id)].count("asked to cancel") == 1


@on_sqlite
async def test_a_stranger_is_told_who_may_and_that_is_written_down(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await running(desk, clock)
    shown = await press(desk, Deed.ACTION_CANCEL, action.id, SAM)
    assert isinstance(shown, NoteView)
    assert "may cancel production rollbacks" in shown.text
    assert set(shown.mention) == {OLIVIA, "U0NIGHT", AMIR, "U0CHIEF"}
    assert (await the(desk, action.id)).cancel is None
    assert (await deeds(desk, action.id))[-1] == (SAM, "refused")
    assert "cancel" not in vendor.asked


@on_sqlite
async def test_whoever_may_break_the_glass_may_cancel_too(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:

    policies = read_policies(RULES + "break_glass:\n  people: [U0OUTSIDER]\n")
    action = await running(desk, clock)
    assert "is asked to stop it" in await cancel(replace(desk, policies=lambda: policies), action, SAM)


async def test_a_cancel_that_crosses_the_end_says_that_it_was_too_late(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await running(desk, clock)
    vendor.finish(Order("payments", "production", "v42", action.id), Run("run-1", RunState.SUCCEEDED, "v42"))
    await cancel(desk, action, OLIVIA)
    await run_for(desk, clock, 3)
    after = await the(desk, action.id)
    assert after.status is ActionStatus.VERIFYING
    assert after.cancel is not None
    assert after.cancel.state is Stopping.TOO_LATE
    said = await cancel(desk, action, OLIVIA, "again")
    assert "could not be cancelled: its run had ended" in said
    assert "/rollback payments v43 production" in said
    assert vendor.runs == [action.id]


async def test_a_wish_uttered_while_the_deployer_is_asked_to_start_loses_neither_the_run_nor_the_wish(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = await approved(desk)
    begin = vendor.start

    async def slowly(order: Order) -> Run:
        run = await begin(order)
        vendor.by_key.clear()  # this deployer tells of its runs by their ids only
        assert "is asked" in await cancel(desk, action, OLIVIA)
        vendor.by_key[order.key] = run
        return run

    monkeypatch.setattr(vendor, "start", slowly)
    await executing.execute({"action": action.id, "look": 0}, desk)
    after = await the(desk, action.id)
    assert (after.status, after.run) == (ActionStatus.EXECUTING, "run-1")
    assert after.cancel is not None
    await run_for(desk, clock, 5)
    assert (await the(desk, action.id)).status is ActionStatus.FAILED
    assert vendor.runs == [action.id]


@on_sqlite
async def test_what_somebody_wants_stopped_is_not_started_again_after_a_crash(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    vendor.idempotent = True
    action = await approved(desk)
    moved = action.move(ActionStatus.EXECUTING, desk.clock())
    await desk.db.write(lambda tx: desk.actions.move(tx, action, moved))
    await cancel(desk, action, OLIVIA)
    await run_for(desk, clock, 900, step=15)
    ended = await the(desk, action.id)
    assert vendor.runs == []
    assert ended.status is ActionStatus.FAILED
    assert "never arrived" in ended.outcome
    assert ended.cancel is not None
    assert ended.cancel.state is Stopping.STOPPED  # there was no run that had ended; the outcome says what there was


@on_sqlite
async def test_the_work_that_asks_may_run_twice_and_a_deployer_that_is_down_is_asked_again(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await running(desk, clock)
    vendor.down = True
    await cancel(desk, action, OLIVIA)
    await cancelling.cancel_run({"action": action.id, "look": 0}, desk)
    await cancelling.cancel_run({"action": action.id, "look": 0}, desk)
    assert isinstance(desk.work, InMemoryWork)
    vendor.down = False
    await run_for(desk, clock, 5)
    assert (await the(desk, action.id)).status is ActionStatus.FAILED
    await cancelling.cancel_run({"action": action.id, "look": 0}, desk)
    assert (await deeds(desk, action.id))[-1] == ("tocsin", "failed")


@on_sqlite
async def test_a_deployer_that_refuses_says_why_and_may_be_asked_again(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = await running(desk, clock)
    real = vendor.cancel

    async def refuse(order: Order) -> Run:
        raise IllegalMove("Its token may not cancel runs.")

    monkeypatch.setattr(vendor, "cancel", refuse)
    await cancel(desk, action, OLIVIA)
    await run_for(desk, clock, 2)
    after = await the(desk, action.id)
    assert after.cancel is not None
    assert (after.cancel.state, after.cancel.answer) == (Stopping.FAILED, "Its token may not cancel runs.")
    monkeypatch.setattr(vendor, "cancel", real)
    assert "is asked to stop it" in await cancel(desk, action, AMIR)
    await run_for(desk, clock, 5)
    assert (await the(desk, action.id)).outcome.startswith(f"It was cancelled by {AMIR}")


@on_sqlite
async def test_a_deployer_that_takes_its_time_stops_it_later(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = await running(desk, clock)

    async def heard(order: Order) -> Run:
        return vendor.by_key[order.key]

    monkeypatch.setattr(vendor, "cancel", heard)
    await cancel(desk, action, OLIVIA)
    await run_for(desk, clock, 3)
    assert (await the(desk, action.id)).cancel.state is Stopping.UNDER_WAY  # type: ignore[union-attr]  # it was asked for
    order = Order("payments", "production", "v42", action.id)
    vendor.finish(order, Run("run-1", RunState.CANCELLED, "v42"))
    await run_for(desk, clock, 10)
    ended = await the(desk, action.id)
    assert ended.cancel is not None
    assert (ended.status, ended.cancel.state) == (ActionStatus.FAILED, Stopping.STOPPED)


@on_sqlite
async def test_a_deployer_that_cannot_stop_anything_is_not_asked(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    vendor.cancels = False
    action = await running(desk, clock)
    assert "cannot be asked to stop a run" in await cancel(desk, action, OLIVIA)
    assert "cancel" not in vendor.asked


@on_sqlite
async def test_the_deployer_that_never_answers_is_given_up_and_that_is_said(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = await running(desk, clock)

    async def silent(order: Order) -> Run:
        raise Unavailable("It did not answer.")

    monkeypatch.setattr(vendor, "cancel", silent)
    await cancel(desk, action, OLIVIA)
    await run_for(desk, clock, 200, step=5)
    after = await the(desk, action.id)
    assert after.status is ActionStatus.EXECUTING
    assert after.cancel is not None
    assert (after.cancel.state, after.cancel.answer) == (Stopping.FAILED, "The deployer cannot be asked: It did not answer.")
    assert (await deeds(desk, action.id))[-1] == ("tocsin", "could not be cancelled")


@on_sqlite
async def test_by_words_the_service_is_enough_where_one_action_is_under_way(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    with pytest.raises(NotFound, match="Nothing of payments is under way"):
        await type_it(desk, "cancel payments")
    with pytest.raises(NotFound, match="did you mean payments"):
        await type_it(desk, "cancel payment")
    assert (await type_it(desk, "cancel")).text.startswith("Usage: /deploy cancel")
    await running(desk, clock)
    with pytest.raises(NotFound, match="in staging"):
        await type_it(desk, "cancel payments staging")
    assert "is asked to stop it" in (await type_it(desk, "cancel payments-api production")).text
    assert "may cancel" in (await type_it(desk, "cancel payments", SAM)).text


@on_sqlite
async def test_a_plan_that_waits_is_withdrawn_by_the_same_words(desk: Desk, vendor: FakeDeployer) -> None:
    action = await proposed(desk)
    assert "is cancelled" in (await type_it(desk, "cancel payments")).text
    assert (await the(desk, action.id)).status is ActionStatus.REFUSED


def test_only_https_addresses_without_secrets_lead_to_a_run() -> None:

    assert page_of("https://ci.example.com/runs/7?a=1") == "https://ci.example.com/runs/7?a=1"
    for bad in (
        "http://ci.example.com/runs/7",
        "javascript:alert(1)",
        "https://olivia:secret@ci.example.com/",
        "https://ci.example.com/?token=abcdefgh12345678",
        "https://ci.example.com/a b",
        "https://[half",
        "https://ci.example.com/" + "x" * 2000,
        "",
    ):
        assert page_of(bad) == ""


@on_sqlite
async def test_the_link_of_a_run_is_kept(desk: Desk, vendor: FakeDeployer, clock: FakeClock) -> None:
    action = await running(desk, clock)
    order = Order("payments", "production", "v42", action.id)
    vendor.finish(order, Run("run-1", RunState.RUNNING, "v42", "https://ci.example.com/7", ("step 1",)))
    await run_for(desk, clock, 5)
    shown = await the(desk, action.id)
    assert (shown.link, shown.output, shown.kind) == ("https://ci.example.com/7", ("step 1",), ActionKind.ROLLBACK)
    vendor.finish(order, Run("run-1", RunState.RUNNING, "v42", "", ("step 2",)))
    await run_for(desk, clock, 10)
    assert (await the(desk, action.id)).link == "https://ci.example.com/7"
