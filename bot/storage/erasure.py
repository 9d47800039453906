"""A person leaves the database: wherever the id or a name stands, in whatever table, something else stands afterwards.

What is under the hash of a chain is told apart from its line (see `chain`); there the whole part goes, salt included. All
else is rewritten: an alias that says nothing stands for the person, the same in all places, so that two approvals by two
people remain two. Tables are found by looking at the database, so that one which is added later is never forgotten.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    and_,
    delete,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    update,
)

from bot.errors import NotFound
from bot.ports import Transaction
from bot.storage import journal, ledger
from bot.storage.chain import random_salt
from bot.storage.database import SqlDatabase, sql

SHORTEST = 3  # characters of a name; a shorter one would be found in half of all words
_ALIAS = "erased-"
_APART = {part.table.name: chain for chain in (journal.CHAIN, ledger.CHAIN) for part in chain.parts}
_CHAINED = {chain.lines.name: chain for chain in (journal.CHAIN, ledger.CHAIN)}
_VERSIONED = ("incidents", "actions")  # compare-and-set: whoever read the person before writes nothing back


@dataclass(frozen=True, slots=True)
class Touched:
    """What happens to some rows of a table: "rewritten", "erased", or "stays" for what a chain has under its hash."""

    table: str
    rows: int
    deed: str


class Names:
    """What a person is called: whole words, in upper or lower case. Raises NotFound for a name that is none."""

    def __init__(self, names: Sequence[str]) -> None:
        wanted = [" ".join(name.split()) for name in names]
        for name in wanted:
            if len(name) < SHORTEST or name.lower() == "tocsin":
                raise NotFound(f"{name!r} is not a name that can be erased: it would be found in too many words.")
        longest = sorted(set(wanted), key=len, reverse=True)
        spelt = dict.fromkeys(form for name in longest for form in (name, json.dumps(name)[1:-1]))
        words = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in spelt)
        self._pattern = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.IGNORECASE)
        self.hints = tuple(sorted({spelt for name in wanted for spelt in _spellings(max(name.split(), key=len))}))

    def out_of(self, told: str, alias: str) -> str:
        """The text, or the JSON value that it is, without these names; equal if it has none."""
        if told[:1] in ("{", "["):
            try:
                value = json.loads(told)
            except ValueError:
                return self._pattern.sub(alias, told)
            cleaned = self._cleaned(value, alias)
            return told if cleaned == value else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
        return self._pattern.sub(alias, told)

    def _cleaned(self, value: object, alias: str) -> object:
        if isinstance(value, str):
            return self._pattern.sub(alias, value)
        if isinstance(value, list):
            return [self._cleaned(item, alias) for item in value]
        if isinstance(value, dict):
            return {self._pattern.sub(alias, key): self._cleaned(item, alias) for key, item in value.items()}
        return value


def _spellings(word: str) -> set[str]:
    """A word as it may stand in the database: its cases, and each as JSON in ASCII writes it."""
    cases = {word, word.lower(), word.upper(), word.title()}
    return cases | {json.dumps(case)[1:-1] for case in cases}


def new_alias() -> str:
    """What stands for somebody who was erased."""
    return _ALIAS + random_salt()[:8]


def erase(tx: Transaction, names: Names, alias: str, *, really: bool) -> tuple[Touched, ...]:
    """Replace or delete every mention of a person; with `really` False only say what that would touch."""
    if sql(tx).dialect.name == "postgresql":
        sql(tx).execute(text("SET LOCAL statement_timeout = 0"))  # it reads all that there is
    found = MetaData()
    found.reflect(sql(tx))
    touched = []
    for table in sorted(found.tables.values(), key=lambda t: t.name):
        if table.primary_key.columns:
            touched += _table(tx, table, names, alias, really)
    return tuple(touched)


def erase_received(db: SqlDatabase, names: Names, alias: str, *, really: bool) -> tuple[Touched, ...]:
    """`erase` in the deliveries where they lie in a file of their own; on PostgreSQL they lie among the rest."""
    if db.postgres:
        return ()
    return db.keep_now(lambda tx: erase(tx, names, alias, really=really))


def _table(tx: Transaction, table: Table, names: Names, alias: str, really: bool) -> list[Touched]:
    texts = [column for column in table.columns if isinstance(column.type, String | LargeBinary)]
    keys = list(table.primary_key.columns)
    if not texts:
        return []
    read = select(*{c.name: c for c in (*keys, *texts)}.values())
    rows: dict[tuple[object, ...], RowMapping] = {}
    for hint in names.hints:  # one by one: a database has a limit to how long a condition may be
        hinted = read.where(or_(*(_mentions(tx, column, hint) for column in texts)))
        rows |= {tuple(row[key.name] for key in keys): row for row in sql(tx).execute(hinted).mappings()}
    changed = [(row, change) for row in rows.values() if (change := _change(row, texts, names, alias))]
    deeds = {"rewritten": 0, "erased": 0, "stays": 0}
    for row, change in changed:
        this = [key == row[key.name] for key in keys]
        deeds[_one(tx, table, this, change, really)] += 1
    return [Touched(table.name, count, deed) for deed, count in deeds.items() if count]


def _mentions(tx: Transaction, column: "Column[object]", hint: str) -> ColumnElement[bool]:
    if not isinstance(column.type, LargeBinary):
        return column.icontains(hint, autoescape=True)
    raw = hint.encode()
    if sql(tx).dialect.name == "postgresql":
        pattern = re.sub(rb"([\\%_])", rb"\\\1", raw)
        return column.op("LIKE", is_comparison=True)(literal(b"%" + pattern + b"%", LargeBinary))
    return func.instr(column, raw) > 0


def _change(row: RowMapping, texts: "Sequence[Column[object]]", names: Names, alias: str) -> dict[str, object]:
    """The columns of a row that mention the person, as they will be."""
    change: dict[str, object] = {}
    for column in texts:
        was = row[column.name]
        if isinstance(was, bytes | memoryview):
            told = bytes(was).decode("utf-8", "surrogateescape")
            now: object = names.out_of(told, alias).encode("utf-8", "surrogateescape")
            was = bytes(was)
        else:
            now = was if was is None else names.out_of(was, alias)
        if now != was and isinstance(now, str) and isinstance(column.type, String):
            now = now[: column.type.length]  # an alias may be longer than the name
        if now != was:
            change[column.name] = now
    return change


def _one(tx: Transaction, table: Table, this: list[ColumnElement[bool]], change: Mapping[str, object], really: bool) -> str:
    if table.name in _APART:
        if really:
            sql(tx).execute(delete(table).where(*this))
        return "erased"
    values = dict(change)
    chain = _CHAINED.get(table.name)
    if chain is not None:
        values = {name: "" for name in change if name not in chain.facts}
        if not values:
            return "stays"
    if table.name == "feedback":
        values["said"] = random_salt() * 2  # it was a hash of who said it: guessable
    if table.name in _VERSIONED:
        values["version"] = table.c.version + 1
    if _taken(tx, table, this, values):
        if really:
            sql(tx).execute(delete(table).where(*this))
        return "erased"
    if really:
        sql(tx).execute(update(table).where(*this).values(values))
        if table.name in _VERSIONED:
            _raise_version(tx, table, this)
    return "rewritten"


def _taken(tx: Transaction, table: Table, this: list[ColumnElement[bool]], values: Mapping[str, object]) -> bool:
    """Another row has the very key that this one would get: two spellings of one name are the same afterwards."""
    unique = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes if index.unique)]
    for key in unique:
        if not any(column.name in values for column in key):
            continue
        mine = sql(tx).execute(select(*key).where(*this)).mappings().first()
        if mine is None:
            continue
        after = {column: values.get(column.name, mine[column.name]) for column in key}
        same = [column == value for column, value in after.items()]
        if None not in after.values() and sql(tx).execute(select(literal(1)).where(*same, not_(and_(*this)))).first():
            return True
    return False


def _raise_version(tx: Transaction, table: Table, this: list[ColumnElement[bool]]) -> None:
    """The version inside the body is that of the column."""
    row = sql(tx).execute(select(table.c.version, table.c.body).where(*this)).one()
    body = json.loads(row.body) | {"version": row.version}
    told = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    sql(tx).execute(update(table).where(*this).values(body=told))
