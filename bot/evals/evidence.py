"""How good diagnoses are by what there is to go by: alerts alone, then source after source; and with every source but one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bot.evals.diagnosis import run_diagnosis
from bot.investigation.case import Case

See = Callable[[Case], Case]
FIGURES = ("top1", "top3", "convicted", "convicted_right", "decoy_hits", "operational_right", "coverage", "first_service")


def run_by_evidence(
    cases_path: Path, truth_path: Path, classes_path: Path | None = None, *, leave_one_out: bool = False
) -> dict[str, object]:
    """The figures of `run_diagnosis` for each stage of what is connected (`stages`), and for all but one source (`without`).

    Stages: "alerts", "+ deployments", "+ metrics", "+ diffs", "+ logs", "+ traces". Each row has `evidence` and FIGURES.
    """

    def row(name: str, see: See) -> dict[str, object]:
        found = run_diagnosis(cases_path, truth_path, classes_path, leave_one_out=leave_one_out, see=see)
        return {"evidence": name, **{k: found[k] for k in FIGURES}, "n": found["n"]}

    stages = [row(name, _only(SOURCES[i:])) for i, name in enumerate(STAGES)]
    without = [row(f"without {name}", hide) for name, hide in SOURCES]
    return {"n": stages[-1]["n"], "stages": stages, "without": without}


def in_words(found: Mapping[str, object]) -> dict[str, object]:
    """The same as one line for each row."""
    rows = [r for key in ("stages", "without") for r in _rows(found[key])]
    return {str(r["evidence"]): ", ".join(f"{k} {r[k]}" for k in FIGURES) for r in rows}


def _rows(value: object) -> list[Mapping[str, object]]:
    return list(value) if isinstance(value, list) else []


def _deployments(case: Case) -> Case:
    return replace(case, changes=(), commits={}, carries={})


def _metrics(case: Case) -> Case:
    return replace(case, readings=tuple(replace(r, series=(), edges=()) for r in case.readings))


def _diffs(case: Case) -> Case:
    return replace(case, commits={sha: replace(c, diff="") for sha, c in case.commits.items()})


def _logs(case: Case) -> Case:
    return replace(case, patterns=(), readings=tuple(replace(r, logs=()) for r in case.readings))


def _traces(case: Case) -> Case:
    return replace(case, readings=tuple(replace(r, spans=()) for r in case.readings))


SOURCES: tuple[tuple[str, See], ...] = (
    ("deployments", _deployments),
    ("metrics", _metrics),
    ("diffs", _diffs),
    ("logs", _logs),
    ("traces", _traces),
)
"""What can be connected, in the order in which teams do, each with how a case looks without it."""

STAGES = ("alerts", *(f"+ {name}" for name, _ in SOURCES))


def _only(hidden: tuple[tuple[str, See], ...]) -> See:
    def see(case: Case) -> Case:
        for _, hide in hidden:
            case = hide(case)
        return case

    return see
