"""The database room: transactions, the one writer, the lock file, times, and the codec."""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, String, Table, insert, select, text

from bot.domain.action import Action, ActionKind, ActionStatus, Decision, Plan
from bot.errors import BadSettings, Unavailable
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import SqlDatabase, UtcDateTime, sql
from tests.fakes import NOON, an_alert, an_incident
from tests.postgres import on_sqlite


def make_table(database: SqlDatabase) -> Table:
    from sqlalchemy import MetaData

    table = Table(
        "things",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("at", UtcDateTime),
        Column("n", String),
    )
    database.write_now(lambda tx: table.create(sql(tx)))
    return table


async def test_a_write_commits_and_a_read_sees_it(database: SqlDatabase) -> None:
    table = make_table(database)
    await database.write(lambda tx: sql(tx).execute(insert(table).values(n="one")))
    assert await database.read(lambda tx: sql(tx).execute(select(table.c.n)).scalars().all()) == ["one"]


async def test_a_write_that_raises_leaves_nothing(database: SqlDatabase) -> None:
    table = make_table(database)

    def half(tx: Transaction) -> None:
        sql(tx).execute(insert(table).values(n="one"))
        raise LookupError("no")

    with pytest.raises(LookupError):
        await database.write(half)
    assert database.read_now(lambda tx: sql(tx).execute(select(table)).all()) == []


@on_sqlite
async def test_writes_never_overlap(database: SqlDatabase) -> None:
    table = make_table(database)

    def count_up(tx: Transaction) -> None:
        n = len(sql(tx).execute(select(table)).all())
        sql(tx).execute(insert(table).values(id=n + 1, n=str(n)))

    await asyncio.gather(*(database.write(count_up) for _ in range(50)))
    assert len(database.read_now(lambda tx: sql(tx).execute(select(table)).all())) == 50


@on_sqlite
async def test_a_read_cannot_write(database: SqlDatabase) -> None:
    table = make_table(database)
    with pytest.raises(Exception, match="readonly"):
        await database.read(lambda tx: sql(tx).execute(insert(table).values(n="one")))


@on_sqlite
async def test_a_full_disk_is_unavailable_and_heals(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        sql(tx).exec_driver_sql("CREATE TABLE filler (body BLOB)")
        sql(tx).exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")

    pages = await database.write(lambda tx: sql(tx).exec_driver_sql("PRAGMA page_count").scalar_one())
    await database.write(lambda tx: sql(tx).exec_driver_sql(f"PRAGMA max_page_count={pages + 5}"))
    with pytest.raises(Unavailable, match="full"):
        await database.write(fill)
    await database.write(lambda tx: sql(tx).exec_driver_sql("PRAGMA max_page_count=1000000"))
    await database.write(fill)


def test_times_are_utc_in_and_out(database: SqlDatabase) -> None:
    table = make_table(database)
    tokyo = datetime(2026, 11, 22, 21, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    database.write_now(lambda tx: sql(tx).execute(insert(table).values(at=tokyo)))
    (stored,) = database.read_now(lambda tx: sql(tx).execute(select(table.c.at)).scalars().all())
    assert stored == tokyo
    assert stored.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database: SqlDatabase) -> None:
    table = make_table(database)
    with pytest.raises(Exception, match="has no timezone"):
        database.write_now(lambda tx: sql(tx).execute(insert(table).values(at=NOON.replace(tzinfo=None))))


@on_sqlite
def test_every_commit_is_synced_to_disk(database: SqlDatabase) -> None:
    def pragmas(tx: Transaction) -> tuple[object, ...]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return tuple(sql(tx).execute(text(f"PRAGMA {n}")).scalar() for n in names)

    assert database.write_now(pragmas) == ("wal", 2, 1)


@on_sqlite
def test_a_second_process_is_kept_away_and_told_who_is_there(database: SqlDatabase, tmp_path: Path) -> None:
    second = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    with pytest.raises(BadSettings, match=rf"process {os.getpid()}\b.*tocsin\.db"):
        second.open(migrate=False)


@on_sqlite
def test_a_command_may_read_and_write_beside_the_server(database: SqlDatabase, tmp_path: Path) -> None:
    table = make_table(database)
    beside = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    beside.open(migrate=False, beside=True)
    beside.write_now(lambda tx: sql(tx).execute(insert(table).values(n="from beside")))
    beside.close()
    assert database.read_now(lambda tx: sql(tx).execute(select(table.c.n)).scalars().all()) == ["from beside"]


def test_after_closing_the_next_may_open(tmp_path: Path) -> None:
    for _ in range(3):
        database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
        database.open(migrate=False)
        database.close()
        database.close()


@pytest.mark.parametrize("url", ["sqlite://", "mysql://root:hunter2@localhost/x"])
def test_a_wrong_url_is_refused_with_a_good_one_and_without_the_password(url: str) -> None:
    with pytest.raises(BadSettings, match="a good value is sqlite:////var") as refusal:
        SqlDatabase(url).open()
    assert "hunter2" not in str(refusal.value)


@dataclass(frozen=True, slots=True)
class Grown:
    id: str
    added: tuple[str, ...] = ("default",)
    notes: dict[str, str] = field(default_factory=dict)


def test_domain_values_survive_the_codec() -> None:
    plan = Plan("v43", "b", "v42", "a", reasons=("it is Sunday",), made_at=NOON)
    action = Action(
        "1", ActionKind.ROLLBACK, "payments", "production", "v42", ActionStatus.AWAITING, "U1", NOON, NOON,
        plan=plan, decisions=(Decision("U2", True, NOON),),
    )  # fmt: skip
    assert load(Action, dump(action)) == action
    for value in (an_alert(), an_incident()):
        assert load(type(value), dump(value)) == value
    assert load(tuple[int, ...], dump((1, 2))) == (1, 2)


def test_a_class_may_grow_and_shrink_between_versions() -> None:
    assert load(Grown, '{"id": "a", "gone": 1}') == Grown("a")


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"stored as Grown cannot be read.*\$\.added"):
        load(Grown, '{"id": "a", "added": 3}')
