"""The audit for others: rows of text as JSON lines or CSV, and lines read back from either so that they can be checked.

A cell of a CSV that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that begins with an
apostrophe: whoever takes one leading apostrophe away has the text as it was.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Generic, TypeVar

from bot.actions.told import ActionStory
from bot.domain.audit import AuditLine
from bot.domain.chain import spelt
from bot.errors import NotFound

T = TypeVar("T")
Row = Mapping[str, object]
LONGEST = 4_000_000  # bytes of one line of a file that is read
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")  # spreadsheets take the wide forms too


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How values become rows: the names of the columns in order, and a value's row."""

    columns: tuple[str, ...]
    row: Callable[[T], Row]


def _line_row(line: AuditLine) -> Row:
    return {
        "seq": line.seq,
        "at": spelt(line.at),
        "actor": line.actor,
        "actor_salt": line.actor_salt,
        "actor_digest": line.actor_digest,
        "deed": line.deed,
        "subject": line.subject,
        "detail": line.detail,
        "detail_salt": line.detail_salt,
        "detail_digest": line.detail_digest,
        "previous": line.previous,
        "hash": line.hash,
        "seal": line.seal,
    }


def _story_row(story: ActionStory) -> Row:
    every = {name: getattr(story, name) for name in ActionStory.__slots__}
    return {name: spelt(value) if isinstance(value, datetime) else value for name, value in every.items()}


COLUMNS = (
    "seq", "at", "actor", "actor_salt", "actor_digest", "deed", "subject", "detail", "detail_salt", "detail_digest", "previous",
    "hash", "seal",
)  # fmt: skip
LINES: Shape[AuditLine] = Shape(COLUMNS, _line_row)
STORIES: Shape[ActionStory] = Shape(tuple(ActionStory.__slots__), _story_row)


def write_rows(out: BinaryIO, shape: Shape[T], values: Iterable[T], form: str) -> int:
    """One row a value, written as it comes; how many. `form` is "json" (an object a line) or "csv" (RFC 4180, UTF-8)."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    count = 0
    try:
        sheet = csv.writer(text, quoting=csv.QUOTE_ALL)
        if form == "csv":
            sheet.writerow(shape.columns)
        for count, value in enumerate(values, 1):  # noqa: B007  counts what was written
            row = shape.row(value)
            if form == "csv":
                sheet.writerow([safe(_cell(row[name])) for name in shape.columns])
            else:
                text.write(json.dumps(row, ensure_ascii=False) + "\n")
    finally:
        text.detach()  # whoever opened the file closes it
    return count


def _cell(value: object) -> str:
    if value is None:
        return ""
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def safe(cell: str) -> str:
    """The cell as no spreadsheet calculates it."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def unsafe(cell: str) -> str:
    """The cell as it was before `safe`."""
    return cell.removeprefix("'")


def read_lines(file: BinaryIO, name: str) -> Iterator[AuditLine]:
    """The lines of an export of either form, one after the other. Raises NotFound naming the first that is none."""
    rows = _from_json if file.peek(1)[:1] == b"{" else _from_csv  # type: ignore[attr-defined]  # files opened with "rb" can
    for number, row in enumerate(rows(file, name), 1):
        try:
            yield _line(row)
        except (KeyError, TypeError, ValueError) as error:
            raise _none_of_ours(name, number) from error


def _none_of_ours(name: str, number: int) -> NotFound:
    return NotFound(f"Row {number} of {name} is no line of the audit; `tocsin audit export` writes what can be checked here.")


def _texts(file: BinaryIO, name: str) -> Iterator[str]:
    number = 0
    while raw := file.readline(LONGEST + 1):
        number += 1
        if len(raw) > LONGEST:
            raise NotFound(f"Line {number} of {name} is longer than {LONGEST:,} bytes; no line of the audit is.")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _none_of_ours(name, number) from error


def _from_json(file: BinaryIO, name: str) -> Iterator[Mapping[str, object]]:
    for number, text in enumerate(_texts(file, name), 1):
        try:
            row = json.loads(text)
        except ValueError as error:
            raise _none_of_ours(name, number) from error
        if not isinstance(row, dict):
            raise _none_of_ours(name, number)
        yield row


def _from_csv(file: BinaryIO, name: str) -> Iterator[Mapping[str, object]]:
    csv.field_size_limit(LONGEST)
    reader = csv.DictReader(_texts(file, name))
    try:
        if reader.fieldnames is not None and not {*COLUMNS} <= {*reader.fieldnames}:
            raise _none_of_ours(name, 1)
        for row in reader:
            cells: dict[str, object] = {key: unsafe(value) for key, value in row.items() if isinstance(value, str)}
            for part in ("actor", "detail"):  # a salt is never empty: without one the part was erased
                if cells.get(f"{part}_salt") == "":
                    cells[part] = cells[f"{part}_salt"] = None
            yield {**cells, "seq": int(str(cells["seq"]))}
    except (csv.Error, KeyError, ValueError) as error:
        raise _none_of_ours(name, reader.line_num) from error


def _line(row: Mapping[str, object]) -> AuditLine:
    told = {name: row[name] for name in COLUMNS}
    wrong = [name for name in COLUMNS if not isinstance(told[name], _KINDS.get(name, str))]
    if wrong or isinstance(told["seq"], bool):
        raise ValueError(f"{', '.join(wrong)} cannot be read")
    at = datetime.fromisoformat(str(told["at"]))
    if spelt(at) != told["at"]:
        raise ValueError("the time is not written as it stands under the hash")
    return AuditLine(**{**told, "at": at})  # type: ignore[arg-type]  # the kinds were checked just now


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "seq": int,
    **{name: (str, type(None)) for name in ("actor", "actor_salt", "detail", "detail_salt")},
}
