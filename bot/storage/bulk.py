"""One statement for many rows, without the work that SQLAlchemy and the drivers do anew for each of them.

SQLite takes the rows one by one, in C. PostgreSQL would be told each row by itself, in Python: there new rows travel as
one JSON text, which the server takes apart.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Dialect,
    Insert,
    LargeBinary,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from bot.ports import Transaction
from bot.storage.database import UtcDateTime, sql

DIALECTS = ("sqlite", "postgresql")
Statement = Insert | Update | Delete
Row = Mapping[str, object]
Tell = Callable[[Any], object]


def execute_many(tx: Transaction, statement: Statement, rows: Sequence[Row]) -> int:
    """Run it once per row; how many rows of the table that concerned. All rows have the keys of the first.

    The statement is kept, so it is a constant of its module. It may name parameters with `bindparam`.
    """
    if not rows:
        return 0
    connection = sql(tx)
    text, told, positional = _prepared(statement, connection.dialect, tuple(rows[0]))
    values = zip(*_told_columns(rows, told), strict=True)
    names = [name for name, _ in told]
    given: Any = list(values) if positional else [dict(zip(names, row, strict=True)) for row in values]
    return connection.exec_driver_sql(text, given).rowcount


def put_many(tx: Transaction, table: Table, rows: Sequence[Row], *, replace: bool = False) -> None:
    """Insert rows, which all have the keys of the first; with `replace` one that stands under its primary key is replaced.

    Of two rows with one primary key the last one wins.
    """
    if not rows:
        return
    connection, keys = sql(tx), tuple(rows[0])
    if connection.dialect.name != "postgresql" or any(isinstance(table.c[key].type, LargeBinary) for key in keys):
        execute_many(tx, _inserting(table, connection.dialect.name, replace), rows)
        return
    if replace and len(rows) > 1:  # one statement cannot replace a row twice
        primary = itemgetter(*[c.name for c in table.primary_key])
        rows = list({primary(row): row for row in rows}.values())
    text, told = _from_json(table, keys, replace, connection.dialect)
    given = [dict(zip(keys, row, strict=True)) for row in zip(*_told_columns(rows, told), strict=True)]
    connection.exec_driver_sql(text, {"rows": _JSON.encode(given).decode()})


def among(values: str, whose: Column[Any], dialect: str) -> ColumnElement[bool]:
    """The condition that a column's value is among those that the parameter `values` holds, made by `listed`."""
    if dialect == "postgresql":
        text = cast(bindparam(values, type_=Text()), postgresql.JSON)
        found = func.json_array_elements_text(text).table_valued("value")
    else:
        found = func.json_each(bindparam(values, type_=Text())).table_valued("value")
    return whose.in_(select(found.c.value))


def listed(values: Collection[str]) -> str:
    """Values for `among`, however many."""
    return _JSON.encode(sorted(values)).decode()


_JSON = msgspec.json.Encoder()


@lru_cache(maxsize=128)
def _inserting(table: Table, dialect: str, replace: bool) -> Insert:
    new = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return _replacing(new, table) if replace else new


def _replacing(new: Any, table: Table) -> Insert:
    key = [column.name for column in table.primary_key]
    values = {c.name: new.excluded[c.name] for c in table.columns if c.name not in key}
    done: Insert = new.on_conflict_do_update(index_elements=key, set_=values)
    return done


@lru_cache(maxsize=128)
def _from_json(table: Table, keys: tuple[str, ...], replace: bool, dialect: Dialect) -> tuple[str, list[tuple[str, Tell | None]]]:
    """The statement that takes its rows out of one parameter, and how each column's values are told to it."""
    given = (
        func.json_to_recordset(cast(bindparam("rows", type_=Text()), postgresql.JSON))
        .table_valued(*[column(key, table.c[key].type) for key in keys], name="given")
        .render_derived(with_types=True)
    )
    new: Any = postgresql.insert(table).from_select(list(keys), select(*[given.c[key] for key in keys]))
    compiled = (_replacing(new, table) if replace else new).compile(dialect=dialect)
    return str(compiled), [(key, _told(table.c[key].type, dialect)) for key in keys]


@lru_cache(maxsize=128)
def _prepared(statement: Statement, dialect: Dialect, keys: tuple[str, ...]) -> tuple[str, list[tuple[str, Tell | None]], bool]:
    """Its text, its parameters in order, each with how its values are told, and whether they go by position."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    told = [(name, _told(compiled.binds[name].type, dialect)) for name in compiled.positiontup or compiled.params]
    return str(compiled), told, compiled.positional


def _told_columns(rows: Sequence[Row], told: Iterable[tuple[str, Tell | None]]) -> list[list[object]]:
    """The values of each column as the driver is told them. Rows are alike in much: each value is told once."""
    columns = []
    for name, tell in told:
        values = [row[name] for row in rows]
        if tell is not None:
            known = {value: tell(value) for value in set(values)}
            values = [known[value] for value in values]
        columns.append(values)
    return columns


def _told(kind: Any, dialect: Dialect) -> Tell | None:
    """How the driver is told a value of this kind; None if as it is."""
    if isinstance(kind, UtcDateTime) and dialect.name == "sqlite":
        return _time_as_text
    tell: Tell | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return tell


def _time_as_text(value: datetime | None) -> str | None:
    """As UtcDateTime keeps it on SQLite, in a tenth of the time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no timezone; times are UTC and say so.")
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]
