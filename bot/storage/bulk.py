"""One statement for many rows, without the work that SQLAlchemy does anew for each of them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Delete, Dialect, Insert, Update

from bot.ports import Transaction
from bot.storage.database import UtcDateTime, sql

Statement = Insert | Update | Delete
Row = Mapping[str, object]


def execute_many(tx: Transaction, statement: Statement, rows: Sequence[Row]) -> int:
    """Run it once per row; how many rows of the table that concerned. All rows have the keys of the first.

    The statement is kept, so it is a constant of its module. It may name parameters with `bindparam`.
    """
    if not rows:
        return 0
    connection = sql(tx)
    text, prepare = _prepared(statement, connection.dialect, tuple(rows[0]))
    return connection.exec_driver_sql(text, [prepare(row) for row in rows]).rowcount


@lru_cache(maxsize=64)
def _prepared(statement: Statement, dialect: Dialect, keys: tuple[str, ...]) -> tuple[str, Callable[[Row], Any]]:
    """Its text, and how a row becomes the driver's parameters."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    told = [(name, _told(compiled.binds[name].type, dialect)) for name in compiled.positiontup or compiled.params]

    def in_order(row: Row) -> tuple[object, ...]:
        return tuple([row[name] if tell is None else tell(row[name]) for name, tell in told])

    def by_name(row: Row) -> dict[str, object]:
        return {name: row[name] if tell is None else tell(row[name]) for name, tell in told}

    return str(compiled), in_order if compiled.positional else by_name


def _told(kind: Any, dialect: Dialect) -> Callable[[Any], object] | None:
    """How the driver is told a value of this kind; None if as it is."""
    if isinstance(kind, UtcDateTime) and dialect.name == "sqlite":
        return _time_as_text
    tell: Callable[[Any], object] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return tell


def _time_as_text(value: datetime | None) -> str | None:
    """As UtcDateTime keeps it on SQLite, in a tenth of the time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no timezone; times are UTC and say so.")
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]
