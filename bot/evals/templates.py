"""How well log lines are grouped: `tocsin eval templates`, grouping accuracy over logs whose templates are known.

A line counts as right if the set of lines in its group equals the set of lines of its true template (He et al., "Tools and
Benchmarks for Automated Log Parsing", 2019): one line too many or too few makes the whole group wrong.
"""

import csv
import gzip
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain.telemetry import LogLine
from bot.errors import BadSettings
from bot.signals.templates import templates

_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KnownLine:
    """What a line says, and the id of its true template."""

    content: str
    event: str


def run_templates(folder: Path, progress: Callable[[str], None]) -> dict[str, object]:
    """The figures over the logs of a folder, accuracies in [0, 1], each log with equal weight in the mean.

    `templates_right` is the share of true templates whose lines are a group of their own, however many lines they have:
    lines of frequent templates do not outweigh it. `cpu_seconds_10k` is the work of grouping 10,000 lines. Raises BadSettings
    for unusable files.
    """
    paths = log_files(folder)
    if not paths:
        raise BadSettings(f"{folder} has no files *_structured.csv or *_structured.csv.gz.")
    systems: dict[str, dict[str, float]] = {}
    lines, work = 0, 0.0
    for path in paths:
        known = read_log(path)
        before = time.process_time()
        groups = _groups([row.content for row in known])
        work += time.process_time() - before
        lines += len(known)
        events = [row.event for row in known]
        name = path.name.split("_")[0]
        systems[name] = {
            "grouping_accuracy": grouping_accuracy(groups, events),
            "templates_right": _templates_right(groups, events),
            "templates": len(set(events)),
            "found": len(set(groups)),
        }
        progress(f"{name}: {systems[name]['grouping_accuracy']:.4f}")
    return {
        "lines": lines,
        "grouping_accuracy": round(sum(s["grouping_accuracy"] for s in systems.values()) / len(systems), 4),
        "grouping_accuracy_worst": min(s["grouping_accuracy"] for s in systems.values()),
        "templates_right": round(sum(s["templates_right"] for s in systems.values()) / len(systems), 4),
        "cpu_seconds_10k": round(work / lines * 10_000, 3),
        "systems": systems,
    }


def log_files(folder: Path) -> list[Path]:
    """The logs with known templates in a folder."""
    return sorted([*folder.glob("*_structured.csv"), *folder.glob("*_structured.csv.gz")])


def read_log(path: Path) -> list[KnownLine]:
    """The lines of a log. Raises BadSettings that names the file."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace", newline="") as text:
            rows = [KnownLine(row["Content"] or "", row["EventId"] or "") for row in csv.DictReader(text)]
    except KeyError as error:
        raise BadSettings(f"{path}: expected the columns Content and EventId.") from error
    except (OSError, EOFError, csv.Error) as error:
        raise BadSettings(f"{path} cannot be read: {error}.") from error
    if not rows:
        raise BadSettings(f"{path} holds no lines.")
    return rows


def grouping_accuracy(groups: Sequence[Hashable], events: Sequence[Hashable]) -> float:
    """The share of lines whose group holds exactly the lines of their true template, in [0, 1]."""
    return round(sum(map(len, _places(groups) & _places(events))) / len(events), 4)


def _templates_right(groups: Sequence[Hashable], events: Sequence[Hashable]) -> float:
    true = _places(events)
    return round(len(_places(groups) & true) / len(true), 4)


def _places(labels: Iterable[Hashable]) -> set[tuple[int, ...]]:
    """The places of the lines that share a label, for each label."""
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        places[label].append(place)
    return {tuple(lines) for lines in places.values()}


def _groups(contents: Sequence[str]) -> list[int]:
    """The number of the template that each line belongs to; a line is known again by its second."""
    groups = [0] * len(contents)
    found = templates(LogLine(_START + timedelta(seconds=i), "", "", content) for i, content in enumerate(contents))
    for number, template in enumerate(found):
        for at in template.times:
            groups[round((at - _START).total_seconds())] = number
    return groups
