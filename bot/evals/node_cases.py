"""Folders of cases for `tocsin eval nodes`: an index of faults, call graphs and metrics as tables. Two formats.

petshop: a row of `cases.jsonl` names a graph (adjacency matrix), metrics of normal days and of the fault (tables whose
header rows are service, metric and statistic), who alerts and about what. nezha: a row names a topology (Source, Target) and the
metrics of a day, one column per service and metric. What was measured before the injection is the baseline.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Series
from bot.errors import BadSettings
from bot.evals.rows import Row, read_rows
from bot.investigation.nodes.measures import Measure, measure_of, statistic_of
from bot.signals.direction import words

PETSHOP = ("id", "graph", "metrics", "target_node", "target_metric", "root_cause_service")
NEZHA = ("id", "topology", "metrics", "root_cause_service", "fault_type")
BASELINE = timedelta(hours=1)  # what a day's metrics tell of normal times, before the injection
AFTERWARDS = timedelta(minutes=4)  # how long after it they tell of the fault, if the case does not say


@dataclass(frozen=True, slots=True)
class NodeCase:
    """One fault: who alerts and about what, the graph, the metrics of normal times and of the fault, and who did it."""

    id: str
    kind: str
    alerting: tuple[str, ...]
    about: Measure | None
    statistic: str
    graph: ServiceGraph
    normal: tuple[Series, ...]
    during: tuple[Series, ...]
    guilty: str


def read_node_cases(folder: Path) -> list[NodeCase]:
    """The cases of a folder. Raises BadSettings that names the file and line."""
    index, tables = folder / "cases.jsonl", _Tables(folder)
    return [_case(tables, row, f"{index}:{number}") for number, row in read_rows(index)]


class _Tables:
    """The files of a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wide: dict[str, tuple[Series, ...]] = {}
        self._days: dict[str, tuple[Series, ...]] = {}

    def wide(self, name: str, *, missing_is_empty: bool = False) -> tuple[Series, ...]:
        """A table with three rows of headers."""
        if name not in self._wide:
            self._wide[name] = _wide(self.path(name), missing_is_empty=missing_is_empty)
        return self._wide[name]

    def day(self, name: str) -> tuple[Series, ...]:
        """A table with a column per service and metric."""
        if name not in self._days:
            self._days[name] = _day(self.path(name))
        return self._days[name]

    def path(self, name: str) -> Path:
        """The file of this name, which has to be inside the folder."""
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise BadSettings(f"{name[:80]!r} is outside {self._folder}; cases name files of their own folder.")
        return path


def _case(tables: _Tables, row: Row, where: str) -> NodeCase:
    injected = row.get("inject_time")
    if not isinstance(injected, int | float) or isinstance(injected, bool):
        raise BadSettings(f"{where}: inject_time is missing; it is a time in seconds since 1970.")
    at = datetime.fromtimestamp(injected, UTC)
    return _nezha(tables, row, at, where) if "topology" in row else _petshop(tables, row, at, where)


def _petshop(tables: _Tables, row: Row, injected: datetime, where: str) -> NodeCase:
    told = {key: _text(row, key, where) for key in PETSHOP}
    about = measure_of(told["target_metric"])
    if about is None:
        raise BadSettings(f"{where}: target_metric is {told['target_metric'][:60]!r}; expected latency or availability.")
    name = row.get("normal_metrics")
    usual = tables.wide(name, missing_is_empty=True) if isinstance(name, str) else ()
    before, during = _split(tables.wide(told["metrics"]), injected)
    return NodeCase(
        told["id"],
        about.value,
        (told["target_node"],),
        about,
        statistic_of(words(str(row.get("target_agg", "")))),
        _matrix(tables.path(told["graph"])),
        (*usual, *before),
        during,
        told["root_cause_service"],
    )


def _nezha(tables: _Tables, row: Row, injected: datetime, where: str) -> NodeCase:
    told = {key: _text(row, key, where) for key in NEZHA}
    window = row.get("window_suggested")
    end = window[1] if isinstance(window, list) and len(window) == 2 and isinstance(window[1], int | float) else None
    until = datetime.fromtimestamp(end, UTC) if end is not None else injected + AFTERWARDS
    near = _between(tables.day(told["metrics"]), injected - BASELINE, until)
    before, during = _split(near, injected)
    graph = _pairs(tables.path(told["topology"]))
    measured = {s.service for s in during}
    entries = tuple(a for a in graph.calls if a in measured and not graph.callers(a))
    kind = f"{row['system']}: {told['fault_type']}" if row.get("system") else told["fault_type"]
    return NodeCase(told["id"], kind, entries, None, "", graph, before, during, told["root_cause_service"])


def _between(series: Sequence[Series], start: datetime, end: datetime) -> tuple[Series, ...]:
    return tuple(replace(s, points=tuple((t, v) for t, v in s.points if start <= t <= end)) for s in series)


def _split(series: Sequence[Series], injected: datetime) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """What was over before the injection, and the rest; a point tells of the time until the next one."""
    times = sorted({t for s in series for t, _ in s.points})
    step = min((b - a for a, b in pairwise(times)), default=timedelta(0))
    before = tuple(replace(s, points=tuple((t, v) for t, v in s.points if t + step <= injected)) for s in series)
    during = tuple(replace(s, points=tuple((t, v) for t, v in s.points if t + step > injected)) for s in series)
    return before, during


def _text(row: Row, key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise BadSettings(f"{where}: {key} is missing; a case names it as a text.")
    return value


def _table(path: Path) -> list[list[str]]:
    """The rows of a CSV file, packed or not."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror or error}.") from error
    except (zlib.error, EOFError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is no CSV file, packed or not: {error}.") from error
    return list(csv.reader(text.splitlines()))


def _wide(path: Path, *, missing_is_empty: bool = False) -> tuple[Series, ...]:
    """The series of a table with three header rows and a row for the index's name; an empty table has none."""
    if missing_is_empty and not path.exists():
        return ()
    rows = _table(path)
    if not rows:
        return ()
    if len(rows) < 4 or not len(rows[0]) == len(rows[1]) == len(rows[2]):
        raise BadSettings(f"{path}: expected rows of services, metrics and statistics, then the times.")
    points: list[list[tuple[datetime, float]]] = [[] for _ in rows[0]]
    for number, cells in enumerate(rows[3:], 4):
        if not cells or not cells[0][:1].isdigit():
            continue  # the name of the index
        at = datetime.fromtimestamp(_number(cells[0], path, number), UTC)
        for column, cell in enumerate(cells[1 : len(points)], 1):
            if cell:
                points[column].append((at, _number(cell, path, number)))
    labels: Mapping[str, str]
    found = []
    for column in range(1, len(rows[0])):
        labels = {"statistic": rows[2][column]}
        found.append(Series(rows[0][column], rows[1][column], tuple(points[column]), labels))
    return tuple(found)


def _number(cell: str, path: Path, line: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise BadSettings(f"{path}:{line}: {cell[:40]!r} is no number.") from None


def _matrix(path: Path) -> ServiceGraph:
    """Who calls whom, of a square table: callers down, callees across, not 0 where the one calls the other."""
    rows = _table(path)
    names: Sequence[str] = rows[0][1:] if rows else ()
    calls = {}
    for number, cells in enumerate(rows[1:], 2):
        weights = [_number(cell, path, number) if cell else 0.0 for cell in cells[1:]]
        calls[cells[0]] = tuple(n for n, w in zip(names, weights, strict=False) if w and n != cells[0])
    return ServiceGraph(calls)


def _pairs(path: Path) -> ServiceGraph:
    """Who calls whom, of a table with the columns Source and Target; an empty one has nobody."""
    rows = _table(path)
    if not rows:
        return ServiceGraph()
    if not {"Source", "Target"} <= set(rows[0]):
        raise BadSettings(f"{path}:1: expected the columns Source and Target.")
    source, target = rows[0].index("Source"), rows[0].index("Target")
    calls: dict[str, list[str]] = {}
    for cells in rows[1:]:
        if len(cells) > max(source, target):
            calls.setdefault(cells[source], []).append(cells[target])
    return ServiceGraph({caller: tuple(callees) for caller, callees in calls.items()})


_COLUMN = re.compile(r"([A-Za-z0-9-]+)_(\w+)")


def _day(path: Path) -> tuple[Series, ...]:
    """The series of a table whose first column is the time and whose others are named service_metric."""
    rows = _table(path)
    if not rows or not rows[0] or rows[0][0] != "time":
        raise BadSettings(f"{path}:1: expected a table whose first column is time.")
    times = [datetime.fromtimestamp(_number(cells[0], path, number), UTC) for number, cells in enumerate(rows[1:], 2) if cells]
    columns: list[list[tuple[datetime, float]]] = [[] for _ in rows[0]]
    for number, (at, cells) in enumerate(zip(times, (c for c in rows[1:] if c), strict=True), 2):
        for column, cell in enumerate(cells[1:], 1):
            if cell and column < len(columns):
                columns[column].append((at, _number(cell, path, number)))
    found = []
    for name, points in zip(rows[0][1:], columns[1:], strict=True):
        named = _COLUMN.fullmatch(name)
        if named is not None:
            found.append(Series(named[1], named[2], tuple(points)))
    return tuple(found)
