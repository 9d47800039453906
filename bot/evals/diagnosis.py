"""How well the diagnosis does on cases of the rootcausebench format; the same `diagnose()` that people see."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bot.domain.alert import Alert, Severity
from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.domain.evidence import Diagnosis, Verdict
from bot.domain.telemetry import LogLine, Readings, Series, SourceStatus, Span, Window
from bot.errors import BadPayload, BadSettings
from bot.investigation.case import Case, Pattern
from bot.investigation.diagnose import diagnose

Row = Mapping[str, object]
LONGEST = 4000  # characters of one field of a log line or span
_LOG = frozenset({"timestamp", "service", "severity_text", "msg", "message", "trace_id"})
_SPAN = frozenset(
    {
        "trace_id",
        "span_id",
        "parent_id",
        "service",
        "name",
        "start",
        "duration_ms",
        "status",
        "status_message",
        "error",
        "attributes",
    }
)


def run_diagnosis(
    cases_path: Path,
    truth_path: Path,
    classes_path: Path | None = None,
    *,
    leave_one_out: bool = False,
    progress: Callable[[str], None] = lambda _: None,
    see: Callable[[Case], Case] = lambda case: case,
) -> dict[str, object]:
    """Diagnose every case and compare with the truth.

    Rates in [0, 1]: `top1`, `top3` (of commit cases), `operational_right` (of operational cases), `coverage` (share of
    cases with a verdict other than undetermined), `first_service`, `convicted_right` (share of convictions that are right;
    1 for none).
    Counts: `n`, `convicted`, `decoy_hits` (decoys convicted). With `leave_one_out` every rule of the case's class is off.
    `see` may take evidence away before the rules look.
    """
    results = []
    for id, diagnosis, truth in diagnosed(cases_path, truth_path, classes_path, leave_one_out=leave_one_out, see=see):
        results.append(result(id, diagnosis, truth))
        progress(f"{id}: {diagnosis.verdict.value}")
    return total(results)


def diagnosed(
    cases_path: Path,
    truth_path: Path,
    classes_path: Path | None = None,
    *,
    leave_one_out: bool = False,
    see: Callable[[Case], Case] = lambda case: case,
) -> Iterator[tuple[str, Diagnosis, Row]]:
    """Each case's id, what the rules say of it, and its truth."""
    truths = {str(_need(r, "scenario", "truth")): r for r in _rows(truth_path)}
    classes = _classes(classes_path) if classes_path else {}
    if leave_one_out and not classes:
        raise BadPayload("leave-one-class-out needs the classes file: --classes classes.json")
    for row in _rows(cases_path):
        id = str(_need(row, "id", "a case"))
        if id not in truths:
            raise BadPayload(f"the truth has no scenario {id!r}", path=f"$.{id}")
        left_out = (str(classes[id]),) if leave_one_out and id in classes else ()
        yield id, diagnose(see(case_of(row)), without=left_out), truths[id]


def case_of(row: Row) -> Case:
    """One row of the format as a case. Raises BadPayload naming the case and the field that is not as documented."""
    id = str(_need(row, "id", "a case"))
    try:
        return _case(row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadPayload(f"not in the rootcausebench format: {type(error).__name__}: {error}", path=f"$.{id}") from error


def _case(row: Row) -> Case:
    alert = _mapping(row, "alert")
    fired = _time(alert["fired_at"])
    series = _series(str(row["metrics_csv"]))
    logs = tuple(_log(r) for r in _list(row, "logs"))
    spans = tuple(_span(r) for r in _list(row, "traces"))
    commits = {str(r["sha"]): _commit(r) for r in _list(row, "commits")}
    starts = [s.points[0][0] for s in series if s.points] + [line.at for line in logs]
    ends = [s.points[-1][0] for s in series if s.points] + [line.at for line in logs]
    window = Window(min(starts, default=fired), max([fired, *ends]))
    return Case(
        alerts=(_alert(alert, fired),),
        alert_at=fired,
        now=window.end,
        changes=(*(_deploy(r) for r in _list(row, "deploys")), *(_flag(r) for r in _list(row, "flags"))),
        commits=commits,
        readings=(Readings("case", str(row["id"]), window, SourceStatus.OK, series=series, logs=logs, spans=spans),),
        patterns=tuple(_pattern(r) for r in _list(row, "patterns")),
    )


def _alert(row: Row, fired: datetime) -> Alert:
    return Alert(
        connector="case",
        name=str(row.get("monitor") or row.get("metric") or "alert"),
        service=str(row["service"]),
        environment="production",
        severity=Severity.SEV1 if row.get("severity") == "critical" else Severity.SEV2,
        resolved=False,
        started_at=fired,
        summary=str(row.get("summary", "")),
        description=str(row.get("detail", "")),
        labels={"metric": str(row.get("metric", ""))},
    )


def _commit(row: Row) -> Commit:
    return Commit(
        sha=str(row["sha"]),
        author=str(row.get("author", "")),
        at=_time(row["timestamp"]),
        message=str(row.get("message", "")),
        files=tuple(str(f) for f in _list_of(row.get("files_changed"))),
        diff=str(row.get("diff") or ""),
    )


def _deploy(row: Row) -> Change:
    sha = str(row["commit_sha"])
    return Change(
        id=f"deploy:{row['service']}:{sha}:{row['timestamp']}",
        connector="case",
        kind=ChangeKind.DEPLOY,
        status=ChangeStatus.SUCCEEDED,
        at=_time(row["timestamp"]),
        title=f"{row['service']} {row['version']}",
        services=(str(row["service"]),),
        version=str(row["version"]),
        commit=sha,
    )


def _flag(row: Row) -> Change:
    return Change(
        id=f"flag:{row['flag']}:{row['timestamp']}",
        connector="case",
        kind=ChangeKind.FLAG,
        status=ChangeStatus.SUCCEEDED,
        at=_time(row["timestamp"]),
        title=f"{row['flag']} {row.get('change', '')}",
        services=(str(row["service"]),) if row.get("service") else (),
        author=str(row.get("actor", "")),
    )


def _pattern(row: Row) -> Pattern:
    during = int(str(row.get("count", 0)))
    delta = int(str(row.get("delta_vs_baseline", 0)).replace("+", "") or 0)
    return Pattern(str(row["service"]), str(row["signature"]), max(during - delta, 0), during, row.get("sentiment") == "negative")


def _log(row: Row) -> LogLine:
    text = str(row.get("msg") or row.get("message") or "")
    return LogLine(
        _time(row["timestamp"]),
        str(row["service"]),
        str(row.get("severity_text", "")).upper(),
        text,
        str(row.get("trace_id", "")),
        {k: str(v)[:LONGEST] for k, v in row.items() if k not in _LOG and v is not None},
    )


def _span(row: Row) -> Span:
    """A span; its attributes stand in `attributes`, or beside its other fields."""
    nested = _mapping(row, "attributes") if row.get("attributes") else {}
    given = {**{k: v for k, v in row.items() if k not in _SPAN}, **nested}
    return Span(
        trace_id=str(row["trace_id"]),
        span_id=str(row["span_id"]),
        parent_id=str(row.get("parent_id") or ""),
        service=str(row["service"]),
        name=str(row["name"]),
        start=_time(row["start"]),
        duration_ms=float(str(row["duration_ms"])),
        failed=row.get("status") == "ERROR",
        error=str(row.get("error") or row.get("status_message") or ""),
        attributes={k: str(v)[:LONGEST] for k, v in given.items() if v is not None},
    )


def _series(text: str) -> tuple[Series, ...]:
    points: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    for r in csv.DictReader(io.StringIO(text)):
        points.setdefault((r["service"], r["metric"]), []).append((_time(r["timestamp"]), float(r["value"])))
    return tuple(Series(s, m, tuple(sorted(p))) for (s, m), p in points.items())


def result(id: str, diagnosis: Diagnosis, truth: Row) -> dict[str, object]:
    """One case; keys that begin with "_" compare with the truth and are not printed."""
    commit = {Verdict.CONVICTED: diagnosis.cause.commit if diagnosis.cause else "", Verdict.OPERATIONAL: "none"}.get(
        diagnosis.verdict, ""
    )
    top3 = list(dict.fromkeys(c.commit for c in diagnosis.suspects if c.commit))[:3]
    real = str(truth["root_cause_commit"])
    return {
        "id": id,
        "verdict": diagnosis.verdict.value,
        "commit": commit,
        "top3": top3,
        "first_service": diagnosis.first_service,
        "_real": real,
        "_right": commit == real,
        "_in_three": real in top3,
        "_decoy": commit in _list_of(truth.get("decoy_deploy_commits")),
        "_first_right": diagnosis.first_service == truth.get("first_failing_service"),
    }


def total(results: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The figures of `run_diagnosis`."""
    convicted = [r for r in results if r["verdict"] == Verdict.CONVICTED.value]
    of_commits = [r for r in results if r["_real"] != "none"]
    of_operations = [r for r in results if r["_real"] == "none"]
    return {
        "n": len(results),
        "top1": _share(results, "_right"),
        "top3": _share(of_commits, "_in_three"),
        "convicted": len(convicted),
        "convicted_right": _share(convicted, "_right") if convicted else 1.0,
        "decoy_hits": sum(bool(r["_decoy"]) for r in convicted),
        "operational_right": _share(of_operations, "_right"),
        "coverage": round(sum(r["verdict"] != Verdict.UNDETERMINED.value for r in results) / len(results), 4) if results else 0.0,
        "first_service": _share(results, "_first_right"),
        "cases": [{k: v for k, v in r.items() if not k.startswith("_")} for r in results],
    }


def _share(results: Sequence[Mapping[str, object]], key: str) -> float:
    return round(sum(bool(r[key]) for r in results) / len(results), 4) if results else 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read: {error}.") from error


def _classes(path: Path) -> Row:
    try:
        classes = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise BadPayload(f"{path.name} is not JSON: {error}") from error
    if not isinstance(classes, dict):
        raise BadPayload(f"{path.name} is not a JSON object of case ids and their classes")
    return classes


def _rows(path: Path) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise BadPayload(f"{path.name} line {number} is not JSON: {error.msg}", path=f"$[{number - 1}]") from error
            if not isinstance(row, dict):
                raise BadPayload(f"{path.name} line {number} is not a JSON object", path=f"$[{number - 1}]")
            rows.append(row)
    return rows


def _need(row: Row, key: str, what: str) -> object:
    if key not in row:
        raise BadPayload(f"{what} without {key!r}")
    return row[key]


def _mapping(row: Row, key: str) -> Mapping[str, object]:
    value = row[key]
    if not isinstance(value, dict):
        raise TypeError(f"{key} is not an object")
    return value


def _list(row: Row, key: str) -> list[Row]:
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise TypeError(f"{key} is not a list of objects")
    return value


def _list_of(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _time(value: object) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return at
