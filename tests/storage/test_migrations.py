"""The schema: the migrations build exactly what the stores use, and a schema from the future is refused."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from sqlalchemy import text

import bot.storage
from bot.durable.table import metadata as work_metadata
from bot.errors import BadSettings
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, metadata, sql

for module in pkgutil.iter_modules(bot.storage.__path__):  # every store registers its tables when it is imported
    importlib.import_module(f"bot.storage.{module.name}")


def schema(database: SqlDatabase) -> dict[str, str]:
    """Name to the statement that makes it, for every table and index, without what does not matter."""

    def read(tx: Transaction) -> dict[str, str]:
        rows = sql(tx).execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
        return {name: re.sub(r"\s+", "", statement) for name, statement in rows if not name.startswith(("alembic", "sqlite"))}

    return database.read_now(read)


def test_the_migrations_build_what_the_stores_use(tmp_path: Path) -> None:
    migrated, made = (SqlDatabase(f"sqlite:///{tmp_path}/{name}.db") for name in ("migrated", "made"))
    migrated.open()
    made.open(migrate=False)

    def create(tx: Transaction) -> None:
        metadata.create_all(sql(tx))
        work_metadata.create_all(sql(tx))

    made.write_now(create)
    assert len(schema(migrated)) > 20
    assert schema(migrated) == schema(made)
    migrated.close()
    made.close()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    database.open()
    database.write_now(lambda tx: sql(tx).execute(text("INSERT INTO work_replica VALUES ('a', 1)")))
    database.close()
    database.open()
    assert database.read_now(lambda tx: sql(tx).execute(text("SELECT id FROM work_replica")).scalar()) == "a"
    database.close()


def test_a_schema_from_the_future_is_refused_with_what_to_do(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    database.open()
    database.write_now(lambda tx: sql(tx).execute(text("UPDATE alembic_version SET version_num = '9999'")))
    database.close()
    with pytest.raises(BadSettings, match=r"newer Tocsin \(schema 9999; this one knows up to \d{4}\)"):
        database.open()
    database.open(migrate=False)  # the refusal let go of the lock file
    database.close()


def test_a_command_beside_the_server_never_migrates(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    with pytest.raises(BadSettings, match="There is no database at"):
        database.open(beside=True)
    database.open(migrate=False)
    database.write_now(lambda tx: None)
    database.close()
    with pytest.raises(BadSettings, match=r"has schema none, this Tocsin needs \d{4}"):
        database.open(beside=True)


def test_a_step_that_fails_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    database.open(migrate=False)
    database.write_now(lambda tx: sql(tx).execute(text("CREATE TABLE work (something_else TEXT)")))
    database.close()
    with pytest.raises(Exception, match="work already exists"):
        database.open()
    database.open(migrate=False)
    assert set(schema(database)) == {"work"}
    database.close()
