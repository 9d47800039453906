"""A deployer that is elsewhere answers like one that is here, and starts once, in time, and only what was approved."""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.domain.errand import START, ErrandKind, ErrandState
from bot.domain.service import Catalogue, Service
from bot.errors import BadSettings, BadSignature, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable
from bot.executor.dispatch import Patience
from bot.executor.fences import Fences
from bot.executor.keys import Signer, new_pair
from bot.executor.letters import Letter, sealed
from bot.executor.mailboxes import DatabaseMailbox
from bot.executor.remote import RemoteDeployer, RemoteDeployers
from bot.executor.warrant import warrant_of
from bot.ports import Order, Run, RunState
from bot.storage.database import SqlDatabase
from tests.actions.estate import FakeDeployer
from tests.executor.room import (
    ACTIONS,
    HASTY,
    STORE,
    an_action,
    an_executor,
    bench,
    dispatch,
    mailbox,
    now,
    remote,
)
from tests.fakes import FakeClock

ORDER = Order("payments", "production", "v42", "a1", "v42-sha")


class Vendor(FakeDeployer):
    """One that also rehearses, knows checks and commits of versions."""

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        return (f"would set {order.service} to {order.version}", "token=abcdefgh12345678")

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        return {"lint": True, "tests": commit != "bad"}

    async def commit_of(self, service: str, version: str) -> str:
        return f"{version}-sha"


async def test_every_question_is_answered_by_the_deployer_itself(database: SqlDatabase) -> None:
    vendor, here = Vendor(cancels=False), remote(database)
    async with an_executor(mailbox(database), bench(vendor)):
        assert await here.current("payments", "production") == await vendor.current("payments", "production")
        assert await here.versions("payments", "production") == await vendor.versions("payments", "production")
        assert await here.check() == ()
        assert await here.checks("payments", "bad") == {"lint": True, "tests": False}
        assert await here.commit_of("payments", "v99") == "v99-sha"
        assert (await here.rehearse(ORDER))[0] == "would set payments to v42"
        assert "abcdefgh12345678" not in (await here.rehearse(ORDER))[1]
        assert (await here.status(ORDER)).state is RunState.UNKNOWN
        assert here.how_to_ask(ORDER) == "run `deployctl status --key a1`"
        assert here.cancels is False
        vendor.down = True
        with pytest.raises(Unavailable, match="The deployer does not answer"):
            await here.current("payments", "production")
    assert database.read_now(lambda tx: STORE.get(tx, "ask:q1")) is None  # nobody waits for it any more


@pytest.mark.slow
async def test_a_deployer_without_a_dry_run_or_checks_has_none(database: SqlDatabase) -> None:
    here = remote(database)
    async with an_executor(mailbox(database), bench(FakeDeployer())):
        assert (await here.rehearse(ORDER), await here.checks("payments", "v42-sha")) == ((), {})
        assert await here.commit_of("payments", "v99") == ""


async def test_a_start_runs_once_however_often_it_is_asked_for(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(), remote(database)
    async with an_executor(mailbox(database), bench(vendor)), an_executor(mailbox(database, "exe-2"), bench(vendor)):
        runs = await asyncio.gather(*(here.start(ORDER) for _ in range(5)))
        again = await remote(database).start(ORDER)
        assert (await here.status(ORDER)).state is RunState.SUCCEEDED
    assert {run.id for run in (*runs, again)} == {"run-1"}
    assert vendor.runs == ["a1"]
    assert "abcdefgh12345678" not in str(again)


@pytest.mark.slow
async def test_many_starts_and_two_executors_are_one_run_each(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(running={f"s{n}": "v43" for n in range(12)}), remote(database)
    for n in range(12):
        database.write_now(partial(ACTIONS.add, action=an_action(id=f"b{n}", service=f"s{n}")))
    async with an_executor(mailbox(database), bench(vendor)), an_executor(mailbox(database, "exe-2"), bench(vendor)):
        await asyncio.gather(*(here.start(Order(f"s{n}", "production", "v42", f"b{n}")) for n in range(12)))
    assert sorted(vendor.runs) == sorted(f"b{n}" for n in range(12))


async def test_reality_that_moved_since_the_plan_is_not_overrun(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(), remote(database)
    vendor.running["payments"] = "v44"
    async with an_executor(mailbox(database), bench(vendor)):
        with pytest.raises(IllegalMove, match="Since the plan was made, v44 came in place of v43"):
            await here.start(ORDER)
        run = await here.status(ORDER)
    assert (run.state, "Nothing was started" in run.output[0]) == (RunState.FAILED, True)
    assert vendor.runs == []


async def test_while_the_executor_is_away_a_start_waits_and_then_never_begins(database: SqlDatabase) -> None:
    clock, vendor = FakeClock(), FakeDeployer()
    clock.now = now()
    here = remote(database, HASTY, clock)
    with pytest.raises(Unavailable, match="none was ever heard of"):
        await here.start(ORDER)
    assert (await here.status(ORDER)).output == ("It waits for the executor.",)
    clock.advance(minutes=3)
    run = await here.status(ORDER)
    assert run.state is RunState.FAILED
    assert "Nothing was started: The executor was away until the warrant ran out" in run.output[0]
    with pytest.raises(NotStarted, match="The executor was away"):
        await here.start(ORDER)
    async with an_executor(mailbox(database, clock=clock), bench(vendor, clock=clock)):
        await asyncio.sleep(0.2)
    assert vendor.asked == []


@pytest.mark.slow
async def test_a_warrant_that_runs_out_in_an_executors_hands_is_not_begun(database: SqlDatabase) -> None:
    clock, vendor = FakeClock(), FakeDeployer()
    clock.now = now()
    late = FakeClock()
    late.now = clock.now + timedelta(minutes=3)
    here = remote(database, HASTY, clock)
    async with an_executor(mailbox(database, clock=clock), bench(vendor, clock=late)):
        with pytest.raises((NotAllowed, Unavailable)):
            await here.start(ORDER)
        async with asyncio.timeout(30):
            while (errand := await database.read(lambda tx: STORE.get(tx, START + "a1"))) is None or not errand.answer:
                await asyncio.sleep(0.05)
        with pytest.raises(NotAllowed, match="Its warrant ran out"):
            await here.start(ORDER)
    assert vendor.runs == []


@pytest.mark.slow
async def test_what_no_executor_has_begun_is_cancelled_here_and_what_runs_there(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(outcome=RunState.RUNNING), remote(database, HASTY)
    with pytest.raises(Unavailable):
        await here.start(ORDER)
    assert (await here.cancel(ORDER)).state is RunState.CANCELLED
    async with an_executor(mailbox(database), bench(vendor)):
        await asyncio.sleep(0.1)
        assert (await here.status(ORDER)).output == ("It was cancelled before it was begun; nothing was started.",)
        assert vendor.asked == []
        other = replace(ORDER, key="a2", environment="staging")
        database.write_now(lambda tx: ACTIONS.add(tx, an_action(id="a2", environment="staging")))
        patient = RemoteDeployer("shop", dispatch(database), lambda: "q-other")
        assert (await patient.start(other)).state is RunState.RUNNING
        assert (await patient.cancel(other)).state is RunState.CANCELLED
        assert (await patient.status(other)).id == "run-1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fences", "error", "said"),
    [
        (Fences(services=frozenset({"checkout"})), NotAllowed, "nothing for the service 'payments'; it may for checkout"),
        (Fences(environments=frozenset({"staging"})), NotAllowed, "nothing for the environment 'production'"),
        (Fences(least=2), NotAllowed, "least_approvals wants 2"),
        (Fences(most=0), NotStarted, "0 things an hour at most"),
    ],
)
async def test_an_executor_has_fences_of_its_own(
    database: SqlDatabase, fences: Fences, error: type[Exception], said: str
) -> None:
    vendor, here = FakeDeployer(), remote(database)
    async with an_executor(mailbox(database), bench(vendor, fences)):
        with pytest.raises(error, match=said):
            await here.start(ORDER)
    assert vendor.runs == []


def test_a_fence_lets_through_again_after_an_hour() -> None:
    fences, clock = Fences(most=2), FakeClock()
    for _ in range(2):
        fences.count(clock.now)
    with pytest.raises(NotStarted):
        fences.count(clock.now)
    clock.advance(hours=1)
    fences.count(clock.now)


async def test_what_the_bot_did_not_sign_is_refused_and_told(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(), remote(database)
    warrant = warrant_of(an_action(), now(), timedelta(minutes=2))
    letter = Letter(START + "a1", ErrandKind.START, "shop", warrant.issued_at, warrant.expires_at, warrant=warrant)
    database.write_now(lambda tx: STORE.post(tx, sealed(letter, Signer(new_pair()[0]))))
    async with an_executor(mailbox(database), bench(vendor)):
        with pytest.raises(BadSignature, match="no pair"):
            await here.start(ORDER)
    assert vendor.asked == []


async def test_an_errand_that_is_put_back_in_its_place_starts_nothing_again(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(switches=False), remote(database)
    async with an_executor(mailbox(database), bench(vendor)):
        first = await here.start(ORDER)
        done = database.read_now(lambda tx: STORE.get(tx, START + "a1"))
        assert done is not None
        back = replace(done, state=ErrandState.WAITING, taken_by="", answer="", version=done.version + 1)
        database.write_now(lambda tx: STORE.move(tx, done, back))
        assert await here.start(ORDER) == first
    assert vendor.runs == ["a1"]


@pytest.mark.slow
@pytest.mark.parametrize("idempotent", [True, False])
async def test_of_a_start_whose_answer_was_lost_the_vendor_is_asked(database: SqlDatabase, idempotent: bool) -> None:
    vendor, here = FakeDeployer(idempotent=idempotent, lose_answer=True), remote(database)
    async with an_executor(mailbox(database), bench(vendor)):
        assert (await here.start(ORDER)).state is RunState.SUCCEEDED
    assert vendor.runs == ["a1"]


@pytest.mark.slow
async def test_a_start_that_never_arrived_is_told_again_to_a_vendor_that_starts_a_key_once(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(idempotent=True, refuse_start=True), remote(database)
    async with an_executor(mailbox(database), bench(vendor)):
        assert (await here.start(ORDER)).state is RunState.SUCCEEDED
    assert vendor.runs == ["a1"]


@pytest.mark.slow
async def test_each_executor_takes_what_it_has_the_deployer_for(database: SqlDatabase) -> None:
    here, there = FakeDeployer(running={"payments": "v1"}), FakeDeployer(running={"payments": "v2"})
    one = DatabaseMailbox(database, STORE, now, "here", ("shop",))
    two = DatabaseMailbox(database, STORE, now, "there", ("jobs",))
    async with an_executor(one, bench(here)), an_executor(two, replace(bench(there), deployers={"jobs": there})):
        async with asyncio.timeout(30):
            while {p.deployers for p in await dispatch(database).presences()} != {("shop",), ("jobs",)}:
                await asyncio.sleep(0.02)
        numbers = itertools.count()
        names = [RemoteDeployer(name, dispatch(database), lambda: f"n{next(numbers)}") for name in ("shop", "jobs") * 3]
        versions = [(await name.current("payments", "production")).version for name in names]
    assert versions == ["v1", "v2"] * 3


@pytest.mark.slow
async def test_what_is_no_name_reaches_no_deployer(database: SqlDatabase) -> None:
    vendor, here = FakeDeployer(), remote(database)
    async with an_executor(mailbox(database), bench(vendor)):
        with pytest.raises(BadSettings, match="cannot be handed to a deployer"):
            await here.current("payments; rm -rf", "production")
        with pytest.raises(BadSettings, match="cannot be handed to a deployer"):
            await here.status(replace(ORDER, version="--help"))
        with pytest.raises(NotFound, match="No executor has a deployer 'jobs'; those that are there have: shop"):
            await RemoteDeployer("jobs", dispatch(database), lambda: "q-jobs").current("payments", "production")
    assert vendor.asked == []


class Broken(FakeDeployer):
    """Fails as nobody foresaw, when it is told or when it is asked."""

    where = "start"

    async def start(self, order: Order) -> Run:
        raise RuntimeError("a bug")

    async def versions(self, service: str, environment: str) -> Any:
        raise RuntimeError("a bug")


@pytest.mark.slow
async def test_a_bug_of_a_deployer_is_told_and_ends_nothing(database: SqlDatabase) -> None:
    here = remote(database)
    async with an_executor(mailbox(database), bench(Broken())):
        with pytest.raises(IllegalMove, match="nobody foresaw"):
            await here.versions("payments", "production")
        with pytest.raises(Unavailable, match="nobody foresaw"):  # it may have begun
            await here.start(ORDER)
        assert (await here.current("payments", "production")).version == "v43"


@pytest.mark.slow
async def test_an_action_that_does_not_start_gets_no_warrant(database: SqlDatabase) -> None:
    here = remote(database)
    with pytest.raises(IllegalMove, match="no longer kept"):
        await here.start(replace(ORDER, key="never"))


@pytest.mark.slow
async def test_the_bot_knows_a_deployer_for_every_name_of_the_catalogue_and_when_an_executor_was_there(
    database: SqlDatabase,
) -> None:
    catalogue = Catalogue({"a": Service("a", deployer="shop"), "b": Service("b"), "c": Service("c", deployer="jobs")})
    known = RemoteDeployers(lambda: catalogue, dispatch(database), lambda: "q")
    assert (list(known), "shop" in known, "other" in known) == (["shop", "jobs"], True, False)
    assert known["shop"] is known["shop"]
    assert "none was ever heard of; start `tocsin executor`" in await known.dispatch.trouble()
    async with an_executor(mailbox(database), bench(FakeDeployer())):
        async with asyncio.timeout(30):
            while await known.dispatch.trouble():
                await asyncio.sleep(0.05)
    assert [p.deployers for p in await known.dispatch.presences()] == [("shop",)]


async def test_a_question_that_no_executor_takes_says_so_long_before_whoever_asks_gives_up(database: SqlDatabase) -> None:
    ignored = Patience(timedelta(seconds=60), timedelta(seconds=3), timedelta(seconds=120), taken=timedelta(seconds=0.05))
    here = remote(database, ignored)
    with pytest.raises(Unavailable, match=r"No executor took the question within 0\.05 s; none was ever heard of\. Does `tocsin"):
        await here.current("payments", "production")
    assert database.read_now(lambda tx: STORE.get(tx, "ask:q1")) is None, "nobody answers it later"
