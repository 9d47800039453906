"""The store of actions: moves are compare-and-set, one action at a time per service and environment."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.domain.action import Action, ActionKind, ActionStatus, Decision, Plan, Risk
from bot.domain.change import Commit
from bot.errors import IllegalMove
from bot.ports import Transaction
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase, sql
from tests.fakes import NOON
from tests.postgres import on_sqlite

STORE = SqlActionStore()


def an_action(**fields: object) -> Action:
    action = Action(
        id="a1",
        kind=ActionKind.ROLLBACK,
        service="payments",
        environment="production",
        target="v42",
        status=ActionStatus.AWAITING,
        requested_by="U0ONCALL",
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(action, **fields)  # type: ignore[arg-type]  # fields of Action, given by the tests


async def test_an_action_comes_back_as_it_went_in(database: SqlDatabase) -> None:
    commit = Commit("3f2c1a9", "olivia", NOON, "raise retries", ("services/payments/settings.json",))
    plan = Plan("v43", "3f2c1a9", "v42", "77aa", (commit,), ("x",), Risk.HIGH, ("because",), (), NOON, "hash")
    action = an_action(plan=plan, decisions=(Decision("U1", True, NOON, "go"),), expires_at=NOON)
    await database.write(lambda tx: STORE.add(tx, action))
    assert await database.read(lambda tx: STORE.get(tx, "a1")) == replace(action, version=1)
    assert await database.read(lambda tx: STORE.get(tx, "a2")) is None


async def test_the_first_of_two_moves_wins(database: SqlDatabase) -> None:
    before = await database.write(lambda tx: STORE.add(tx, an_action()))
    yes = before.move(ActionStatus.APPROVED, NOON)
    no = before.move(ActionStatus.REFUSED, NOON)
    results = await asyncio.gather(
        database.write(lambda tx: STORE.move(tx, before, yes)),
        database.write(lambda tx: STORE.move(tx, before, no)),
    )
    assert [r is None for r in results].count(True) == 1
    winner = next(r for r in results if r is not None)
    assert winner.version == 2
    assert await database.read(lambda tx: STORE.get(tx, "a1")) == winner


async def test_a_move_from_a_stale_status_is_nothing(database: SqlDatabase) -> None:
    before = await database.write(lambda tx: STORE.add(tx, an_action()))
    lying = replace(before, status=ActionStatus.APPROVED)
    assert await database.write(lambda tx: STORE.move(tx, lying, before)) is None


async def test_a_second_action_under_way_on_the_same_service_is_refused_by_the_database(
    database: SqlDatabase,
) -> None:
    def approve(id: str, **fields: object) -> Action | None:
        def go(tx: Transaction) -> Action | None:
            before = STORE.add(tx, an_action(id=id, **fields))
            return STORE.move(tx, before, before.move(ActionStatus.APPROVED, NOON))

        return database.write_now(go)

    assert approve("a1") is not None
    with pytest.raises(IllegalMove, match="payments in production is under way"):
        approve("a2")
    assert approve("a3", environment="staging") is not None
    assert approve("a4", service="checkout") is not None


async def test_unfinished_and_of_incident_know_the_order(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        for n, status in enumerate([ActionStatus.AWAITING, ActionStatus.SUCCEEDED, ActionStatus.EXECUTING]):
            at = NOON + timedelta(minutes=n)
            STORE.add(tx, an_action(id=f"a{n}", status=status, created_at=at, incident_id="i1"))
        STORE.add(tx, an_action(id="other", status=ActionStatus.EXPIRED, incident_id="i2"))

    await database.write(fill)
    assert [a.id for a in await database.read(STORE.unfinished)] == ["a0", "a2"]
    assert [a.id for a in await database.read(lambda tx: STORE.of_incident(tx, "i1"))] == ["a2", "a1", "a0"]


async def test_history_is_read_by_time_service_and_environment_newest_first(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        for n in range(6):
            service, where = ("payments", "checkout")[n % 2], ("production", "staging")[n // 4]
            at = NOON + timedelta(hours=n)
            status = ActionStatus.SUCCEEDED
            STORE.add(tx, an_action(id=f"a{n}", status=status, created_at=at, service=service, environment=where))

    await database.write(fill)

    async def ids(start: int, end: int, **by: Any) -> list[str]:
        first, last = NOON + timedelta(hours=start), NOON + timedelta(hours=end)
        return [a.id for a in await database.read(lambda tx: STORE.between(tx, first, last, **by))]

    assert await ids(0, 9) == ["a5", "a4", "a3", "a2", "a1", "a0"]
    assert await ids(1, 3) == ["a3", "a2", "a1"], "both ends are included"
    assert await ids(0, 9, service="payments") == ["a4", "a2", "a0"]
    assert await ids(0, 9, service="payments", environment="staging") == ["a4"]
    assert await ids(0, 9, environment="staging", most=1) == ["a5"]
    assert await ids(7, 9) == []


@on_sqlite
async def test_history_is_read_through_its_indexes(database: SqlDatabase) -> None:
    def plans(tx: Transaction) -> list[str]:
        told = []
        for more in ("", "AND service = 'payments' "):
            asked = f"EXPLAIN QUERY PLAN SELECT body FROM actions WHERE created_at >= 1 AND created_at <= 2 {more}"
            told.append(" ".join(str(row) for row in sql(tx).execute(text(asked + "ORDER BY created_at DESC, id DESC LIMIT 5"))))
        return told

    all_of_them, of_one = await database.read(plans)
    assert "ix_actions_created_at" in all_of_them
    assert "ix_actions_service_created_at" in of_one


async def test_what_a_step_led_to_is_found_by_step_service_and_time(database: SqlDatabase) -> None:
    kept = (("payments", "a#b@1"), ("payments", "a#b@1"), ("checkout", "a#b@1"), ("payments", "a#b@2"), ("payments", ""))

    def go(tx: Transaction) -> None:
        for number, (service, step) in enumerate(kept):
            at = NOON + timedelta(minutes=number)
            STORE.add(tx, an_action(id=f"step-{number}", service=service, step=step, created_at=at))

    await database.write(go)
    found = await database.read(lambda tx: STORE.of_step(tx, "a#b@1", "payments", "production"))
    assert [a.id for a in found] == ["step-1", "step-0"]
    late = await database.read(lambda tx: STORE.stepped(tx, NOON + timedelta(minutes=1)))
    assert [a.id for a in late] == ["step-3", "step-2", "step-1"]
