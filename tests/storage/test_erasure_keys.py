"""A name may be part of what a row is known by: then rows that are the same afterwards become one, and nothing is too long."""

import pytest

from bot.domain.attribution import ServiceMapping
from bot.ports import Transaction
from bot.storage.attribution import SqlAttributionStore
from bot.storage.database import SqlDatabase
from bot.storage.erasure import Names, Touched, erase
from tests.fakes import NOON

ALIAS = "erased-12345678"
STORE = SqlAttributionStore()


def fill(database: SqlDatabase, *values: str, label: str = "owner") -> None:
    def put(tx: Transaction) -> None:
        for value in values:
            STORE.put(tx, ServiceMapping(label, value, "payments", "U0OTHER", NOON))

    database.write_now(put)


def left(database: SqlDatabase, name: str) -> tuple[list[str], set[Touched]]:
    touched = database.write_now(lambda tx: erase(tx, Names([name]), ALIAS, really=True))
    return sorted(m.value for m in database.read_now(STORE.mappings)), {t for t in touched if t.table == "service_mappings"}


def test_two_spellings_of_a_name_in_one_key_are_one_row_afterwards(database: SqlDatabase) -> None:
    fill(database, "olivia", "Olivia", "OLIVIA", "team-blue")
    values, touched = left(database, "olivia")
    assert values == [ALIAS, "team-blue"]
    assert touched == {Touched("service_mappings", 1, "rewritten"), Touched("service_mappings", 2, "erased")}


def test_what_is_erased_twice_under_one_alias_is_one_row(database: SqlDatabase) -> None:
    fill(database, "olivia", ALIAS)
    assert left(database, "olivia")[0] == [ALIAS]


@pytest.mark.parametrize("value", ["x " * 125 + "bob", "bob " + "x" * 240])
def test_an_alias_that_is_longer_than_the_name_does_not_burst_its_column(database: SqlDatabase, value: str) -> None:
    fill(database, value)
    values, _ = left(database, "bob")
    assert [("bob" in v, len(v) <= 255) for v in values] == [(False, True)]
