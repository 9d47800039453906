"""Folders of cases for `tocsin eval nodes`: an index of faults, call graphs and metrics as tables. Two formats.

petshop: `cases.jsonl` names a graph (adjacency matrix), metrics of normal days and of the minutes of the fault, each a table
whose header rows are service, metric and statistic. docs/node-evaluation.md describes both.
"""

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Series
from bot.errors import BadSettings
from bot.evals.rows import Row, read_rows
from bot.investigation.nodes import Measure, measure_of

PETSHOP = ("id", "graph", "metrics", "target_node", "target_metric", "root_cause_service")


@dataclass(frozen=True, slots=True)
class NodeCase:
    """One fault: who alerts and about what, the graph, the metrics of normal times and of the fault, and who did it."""

    id: str
    kind: str
    alerting: str
    about: Measure
    graph: ServiceGraph
    normal: tuple[Series, ...]
    during: tuple[Series, ...]
    guilty: str


def read_node_cases(folder: Path) -> list[NodeCase]:
    """The cases of a folder. Raises BadSettings that names the file and line."""
    index = folder / "cases.jsonl"
    return [_petshop(folder, row, f"{index}:{number}") for number, row in read_rows(index)]


def _petshop(folder: Path, row: Row, where: str) -> NodeCase:
    told = {
        key: _text(row, key, where) for key in ("id", "graph", "metrics", "target_node", "target_metric", "root_cause_service")
    }
    about = measure_of(told["target_metric"])
    if about is None:
        raise BadSettings(f"{where}: target_metric is {told['target_metric'][:60]!r}; expected latency or availability.")
    name = row.get("normal_metrics")
    normal = _wide(folder / name, missing_is_empty=True) if isinstance(name, str) else ()
    during = _wide(folder / told["metrics"])
    return NodeCase(
        told["id"],
        about.value,
        told["target_node"],
        about,
        _matrix(folder / told["graph"]),
        normal,
        during,
        told["root_cause_service"],
    )


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
        at = _number(cells[0], path, number) if cells and cells[0] and cells[0][0].isdigit() else None
        for column, cell in enumerate(cells[1:], 1):
            if at is not None and cell and column < len(points):
                points[column].append((datetime.fromtimestamp(at, UTC), _number(cell, path, number)))
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
