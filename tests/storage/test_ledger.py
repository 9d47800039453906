"""The audit trail: whole as long as nobody touches it, and it says where somebody did."""

import pytest
from sqlalchemy import delete, update

from bot.ports import Transaction
from bot.storage.database import SqlDatabase, sql
from bot.storage.ledger import ERASED, SqlLedger, actors, contents, lines
from tests.fakes import NOON

LEDGER = SqlLedger()


@pytest.fixture
def written(database: SqlDatabase) -> SqlDatabase:
    def fill(tx: Transaction) -> None:
        LEDGER.append(tx, NOON, "U0ONCALL", "requested", "a1", {"target": "v42"})
        LEDGER.append(tx, NOON, "U0APPROVER", "approved", "a1", {"plan": "abc"})
        LEDGER.append(tx, NOON, "tocsin", "executing", "a1", {})
        LEDGER.append(tx, NOON, "tocsin", "resolved", "i1", {"by": "verified"})

    database.write_now(fill)
    return database


async def test_lines_come_back_in_order_with_their_detail(written: SqlDatabase) -> None:
    entries = await written.read(lambda tx: LEDGER.entries(tx, "a1"))
    assert [(e.seq, e.actor, e.deed, dict(e.detail)) for e in entries] == [
        (1, "U0ONCALL", "requested", {"target": "v42"}),
        (2, "U0APPROVER", "approved", {"plan": "abc"}),
        (3, "tocsin", "executing", {}),
    ]
    every = await written.read(LEDGER.entries)
    assert [e.previous for e in every] == ["", *(e.hash for e in every[:-1])]
    assert every[0].at == NOON


async def test_an_untouched_chain_is_whole(written: SqlDatabase) -> None:
    assert await written.read(LEDGER.broken_at) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [("actor", "0" * 64), ("deed", "rejected"), ("subject", "a9"), ("hash", "0" * 64), ("previous", ""), ("seal", "0" * 64)],
)
async def test_an_edited_line_is_found(written: SqlDatabase, column: str, value: str) -> None:
    written.write_now(lambda tx: sql(tx).execute(update(lines).where(lines.c.seq == 2).values({column: value})))
    assert await written.read(LEDGER.broken_at) == 2


async def test_an_edited_detail_is_found(written: SqlDatabase) -> None:
    lie = update(contents).where(contents.c.seq == 1).values(detail='{"target":"v1"}')
    written.write_now(lambda tx: sql(tx).execute(lie))
    assert await written.read(LEDGER.broken_at) == 1


async def test_another_name_for_who_did_it_is_found(written: SqlDatabase) -> None:
    written.write_now(lambda tx: sql(tx).execute(update(actors).where(actors.c.seq == 2).values(name="U0ATTACKER")))
    assert await written.read(LEDGER.broken_at) == 2


async def test_a_person_can_be_erased_and_the_chain_stays_whole(written: SqlDatabase) -> None:
    written.write_now(lambda tx: sql(tx).execute(delete(actors).where(actors.c.name == "U0APPROVER")))
    assert await written.read(LEDGER.broken_at) is None
    assert [e.actor for e in await written.read(LEDGER.entries)] == ["U0ONCALL", ERASED, "tocsin", "tocsin"]


async def test_a_missing_line_is_found(written: SqlDatabase) -> None:
    def cut(tx: Transaction) -> None:
        for table in (contents, actors, lines):
            sql(tx).execute(delete(table).where(table.c.seq == 3))

    written.write_now(cut)
    assert await written.read(LEDGER.broken_at) == 3


async def test_a_detail_can_be_erased_and_the_chain_stays_whole(written: SqlDatabase) -> None:
    written.write_now(lambda tx: sql(tx).execute(delete(contents).where(contents.c.seq == 2)))
    assert await written.read(LEDGER.broken_at) is None
    assert (await written.read(LEDGER.entries))[1].detail == {}


async def test_a_rolled_back_line_leaves_no_gap(written: SqlDatabase) -> None:
    def half(tx: Transaction) -> None:
        LEDGER.append(tx, NOON, "tocsin", "failed", "a1", {})
        raise LookupError("no")

    with pytest.raises(LookupError):
        written.write_now(half)
    written.write_now(lambda tx: LEDGER.append(tx, NOON, "tocsin", "verified", "a1", {}))
    assert await written.read(LEDGER.broken_at) is None
    assert [e.seq for e in await written.read(LEDGER.entries)] == [1, 2, 3, 4, 5]
