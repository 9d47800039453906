"""Past incidents out of CSV and JSON: columns are found by their names or named by a person, bad rows are named and left out."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bot.domain.past import PastIncident
from bot.errors import BadPayload
from bot.knowledge.postmortem import when

LARGEST = 200_000_000  # bytes of one file
LONGEST_CELL = 200_000  # characters
DEEPEST = 20  # lists within lists
FIELDS: Mapping[str, tuple[str, ...]] = {
    "ref": ("id", "key", "number", "incidentid", "incidentnumber", "incidentkey", "issuekey", "reference", "ref"),
    "title": ("title", "name", "subject", "headline", "summary", "shortdescription"),
    "started": ("started", "startedat", "start", "starttime", "startdate", "opened", "openedat", "created", "createdat", "date"),
    "resolved": ("resolved", "resolvedat", "closed", "closedat", "ended", "endedat", "end", "endtime", "enddate", "resolvedon"),
    "severity": ("severity", "sev", "priority", "urgency", "level"),
    "services": ("services", "service", "servicename", "affectedservices", "components", "component", "system", "application"),
    "alerts": ("alerts", "alert", "alertname", "alertnames", "monitor", "trigger"),
    "symptoms": ("symptoms", "symptom", "impact", "customerimpact"),
    "cause": ("cause", "rootcause", "causes", "rootcauses"),
    "change": ("change", "changes", "causedby"),
    "fix": ("fix", "resolution", "mitigation", "remediation", "resolutionnotes", "closenotes", "whathelped"),
    "summary": ("description", "details", "notes", "whathappened", "body"),
    "link": ("link", "url", "htmlurl", "permalink"),
}
_NEEDED = "title"


@dataclass(frozen=True, slots=True)
class BadRow:
    """What could not be read: where it stands, and why."""

    where: str
    why: str


Row = PastIncident | BadRow


def columns_of(names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Field to column: as given, else the first column whose name is known for it; a column serves one field.

    Raises BadPayload for a field or a column that there is not, or if nothing could be the title.
    """
    for field, column in given.items():
        if field not in FIELDS:
            raise BadPayload(f"There is no field {field!r} to map to; there are {', '.join(FIELDS)}.")
        if column not in names:
            raise BadPayload(f"There is no column {column!r}; there are {', '.join(names[:40])}.")
    found, plain = dict(given), {_bare(n): n for n in reversed(names)}
    for field, known in FIELDS.items():
        column = next((plain[k] for k in known if k in plain and plain[k] not in found.values()), "")
        if column:
            found.setdefault(field, column)
    if _NEEDED not in found:
        raise BadPayload(f"No column could be the title among {', '.join(names[:40])}. Say which: --map title=COLUMN")
    return found


def read_csv(path: Path, columns: Mapping[str, str]) -> Iterator[Row]:
    """One incident a line; the delimiter is found out. Raises BadPayload for what is no table."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file, dialect=_dialect(path), restkey="", strict=False)
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                yield BadRow(f"{path.name}:{rows.line_num}", str(error))
                continue
            if row is None:
                return
            cells = {k: v for k, v in row.items() if isinstance(k, str) and isinstance(v, str)}
            yield _row(f"{path.name}:{rows.line_num}", cells, columns)


def csv_names(path: Path) -> list[str]:
    """The names of the columns. Raises BadPayload."""
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return [n for n in next(csv.reader(file, dialect=_dialect(path)), []) if n]
        except csv.Error as error:
            raise BadPayload(f"The first line of {path} names no columns: {error}.") from None


def json_rows(path: Path) -> list[tuple[str, object]]:
    """The objects of a JSON list, of a list within an object ("incidents"), or of lines; each with where it stands."""
    if path.stat().st_size > LARGEST:
        raise BadPayload(f"{path} is larger than {LARGEST // 1_000_000} MB; split it.")
    raw = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        return [(f"{path.name}:{n}", _line(line)) for n, line in enumerate(raw.splitlines(), 1) if line.strip()]
    if isinstance(whole, dict):
        lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        whole = lists[0] if lists else [whole]
    if not isinstance(whole, list):
        raise BadPayload(f"{path} holds no list of incidents.")
    return [(f"{path.name}[{n}]", one) for n, one in enumerate(whole)]


def read_json(rows: Sequence[tuple[str, object]], columns: Mapping[str, str]) -> Iterator[Row]:
    """One incident an object."""
    for where, one in rows:
        if not isinstance(one, dict):
            yield BadRow(where, "it is no JSON object")
            continue
        yield _row(where, {str(k): _text(v) for k, v in one.items()}, columns)


def json_names(rows: Sequence[tuple[str, object]]) -> list[str]:
    """The keys of the first objects."""
    return list(dict.fromkeys(str(k) for _, one in rows[:50] if isinstance(one, dict) for k in one))


def _row(where: str, cells: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    def of(field: str) -> str:
        return cells.get(columns.get(field, ""), "").strip()[:LONGEST_CELL]

    if not of("title"):
        return BadRow(where, f"{columns['title']!r} is empty")
    times = {}
    for field in ("started", "resolved"):
        try:
            times[field] = when(of(field))
        except (ValueError, OverflowError):
            return BadRow(where, f"{columns[field]!r} is {of(field)[:40]!r}; a time looks like 2026-03-02T14:09:00Z")
    return PastIncident(
        ref=(of("ref") or sha256(f"{of('title')}\n{of('started')}".encode()).hexdigest()[:12])[:200],
        title=of("title"),
        started=times["started"],
        resolved=times["resolved"],
        severity=of("severity"),
        services=_many(of("services")),
        alerts=_many(of("alerts")),
        symptoms=_many(of("symptoms")),
        cause=of("cause"),
        change=of("change"),
        fix=of("fix"),
        link=of("link"),
        text=of("summary"),
    )


def _many(cell: str) -> tuple[str, ...]:
    return tuple(x.strip() for x in re.split(r"[,;\n|]", cell) if x.strip())


def _dialect(path: Path) -> type[csv.Dialect]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline(LONGEST_CELL)
    counts = {mark: first.count(mark) for mark in ",;\t"}

    class Found(csv.excel):
        delimiter = max(counts, key=lambda mark: counts[mark])

    return Found


def _text(value: object, depth: int = 0) -> str:
    if isinstance(value, list):
        return ", ".join(_text(v, depth + 1) for v in value) if depth < DEEPEST else ""
    if isinstance(value, dict):
        return next((str(value[k]) for k in ("name", "summary", "title", "value") if value.get(k)), "")
    return "" if value is None else str(value)


def _line(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
