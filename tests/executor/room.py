"""A bot whose deployer is elsewhere, and an executor in the same process: real keys, a real database, a vendor in memory."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.actions.planning.matter import plan_hash
from bot.domain.action import Action, ActionKind, ActionStatus, Decision, Plan
from bot.executor.dispatch import Dispatch, Patience
from bot.executor.fences import Fences
from bot.executor.keys import Signer, Verifier, new_pair
from bot.executor.mailboxes import DatabaseMailbox
from bot.executor.remote import RemoteDeployer
from bot.executor.running import Executor
from bot.executor.work import Bench
from bot.ports import Mailbox, Transaction
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase
from bot.storage.errands import SqlErrandStore
from tests.fakes import NOON

PRIVATE, PUBLIC = new_pair()
STORE, ACTIONS = SqlErrandStore(), SqlActionStore()
QUICK = Patience(timedelta(seconds=30), timedelta(seconds=30), timedelta(seconds=120), taken=timedelta(seconds=30))
HASTY = Patience(timedelta(seconds=0.05), timedelta(seconds=0.05), timedelta(seconds=120))


def an_action(**fields: Any) -> Action:
    """A rollback of payments to v42 that Amir approved, about to start."""
    plan = Plan("v43", "v43-sha", "v42", "v42-sha", made_at=NOON)
    action = Action(
        "a1",
        ActionKind.ROLLBACK,
        "payments",
        "production",
        "v42",
        ActionStatus.EXECUTING,
        "U0ONCALL",
        NOON,
        NOON,
        deployer="shop",
        decisions=(Decision("U0APPROVER", True, NOON),),
    )
    action = replace(replace(action, plan=plan), **fields)
    return action if action.plan is None else replace(action, plan=replace(action.plan, hash=plan_hash(action, action.plan)))


def now() -> datetime:
    return datetime.now(UTC)


def dispatch(database: SqlDatabase, patience: Patience = QUICK, clock: Callable[[], datetime] = now) -> Dispatch:
    return Dispatch(database, STORE, ACTIONS, Signer(PRIVATE), clock, patience)


def remote(database: SqlDatabase, patience: Patience = QUICK, clock: Callable[[], datetime] = now) -> RemoteDeployer:
    """The bot's side, with an action a1 that is about to start in the database."""
    numbers = itertools.count(1)

    def keep(tx: Transaction) -> None:
        if ACTIONS.get(tx, "a1") is None:
            ACTIONS.add(tx, an_action())

    database.write_now(keep)
    return RemoteDeployer("shop", dispatch(database, patience, clock), lambda: f"q{next(numbers)}")


def bench(vendor: Any, fences: Fences | None = None, clock: Callable[[], datetime] = now) -> Bench:
    return Bench({"shop": vendor}, Verifier(PUBLIC), fences or Fences(), clock)


def mailbox(database: SqlDatabase, name: str = "exe-1", clock: Callable[[], datetime] = now) -> DatabaseMailbox:
    return DatabaseMailbox(database, STORE, clock, name, ("shop",))


@contextlib.asynccontextmanager
async def an_executor(box: Mailbox, work: Bench) -> AsyncIterator[None]:
    """It runs while this is entered."""
    stop = asyncio.Event()
    running = asyncio.create_task(Executor(box, work).run(stop))
    try:
        yield
    finally:
        stop.set()
        await running
