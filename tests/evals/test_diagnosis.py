"""The evaluation of diagnoses: its format, its figures, its errors; and the floors on the shared cases."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.evidence import Verdict
from bot.errors import BadPayload, BadSettings
from bot.evals.diagnosis import case_of, run_diagnosis
from bot.evals.evidence import in_words, run_by_evidence
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from bot.investigation.rules import RULES

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "rca" / "rootcausebench"
KEYS = [
    "n", "top1", "top3", "convicted", "convicted_right", "decoy_hits", "operational_right", "coverage", "first_service", "cases",
]  # fmt: skip
SHA, DECOY = "ab" * 20, "cd" * 20


def row(id: str = "slow-books") -> dict[str, object]:
    """An invented case: a timeout cut from 5 s to 200 ms on the service that alerts."""
    metrics = ["timestamp,service,metric,value"]
    metrics += [f"2026-05-04T09:{m:02d}:00Z,orders,http_error_ratio,{0.6 if m >= 40 else 0.002}" for m in range(50)]
    return {
        "id": id,
        "alert": {
            "service": "orders", "metric": "http_error_ratio", "fired_at": "2026-05-04T09:43:00Z", "severity": "high",
            "monitor": "orders-errors", "summary": "orders answers with errors",
        },
        "commits": [
            {
                "sha": SHA, "author": "ada", "timestamp": "2026-05-04T09:30:00Z", "message": "tune stock client",
                "files_changed": ["services/orders/stock_client.py"],
                "diff": "@@ services/orders/stock_client.py @@\n-STOCK_TIMEOUT_MS = 5000\n+STOCK_TIMEOUT_MS = 200",
            },
            {
                "sha": DECOY, "author": "bob", "timestamp": "2026-05-04T09:35:00Z", "message": "docs: words",
                "files_changed": ["docs/stock.md"], "diff": "+stock timeout explained",
            },
        ],
        "deploys": [{"timestamp": "2026-05-04T09:38:00Z", "service": "orders", "commit_sha": SHA, "version": "v9"}],
        "flags": [],
        "patterns": [
            {
                "signature": "stock call failed: timeout after <N>ms", "service": "orders", "count": 80,
                "delta_vs_baseline": "+80", "sentiment": "negative",
            }
        ],
        "traces": [],
        "logs": [
            {
                "timestamp": f"2026-05-04T09:{m}:05Z", "service": "orders", "severity_text": "ERROR",
                "msg": "stock call failed: timeout after 200ms",
            }
            for m in range(40, 49)
        ],
        "metrics_csv": "\n".join(metrics),
    }  # fmt: skip


def truth(id: str = "slow-books") -> dict[str, object]:
    return {"scenario": id, "root_cause_commit": SHA, "first_failing_service": "orders", "decoy_deploy_commits": [DECOY]}


def written(folder: Path, rows: list[Mapping[str, object]], truths: list[Mapping[str, object]]) -> tuple[Path, Path]:
    cases, facts = folder / "inputs.jsonl", folder / "truth.jsonl"
    cases.write_text("\n".join(json.dumps(r) for r in rows) + "\n")
    facts.write_text("\n".join(json.dumps(t) for t in truths) + "\n")
    return cases, facts


def test_a_right_conviction_counts_everywhere(tmp_path: Path) -> None:
    said: list[str] = []
    found = run_diagnosis(*written(tmp_path, [row()], [truth()]), progress=said.append)
    assert list(found) == KEYS
    assert found["top1"] == found["top3"] == found["coverage"] == found["first_service"] == found["convicted_right"] == 1.0
    assert (found["n"], found["convicted"], found["decoy_hits"]) == (1, 1, 0)
    assert found["cases"] == [
        {"id": "slow-books", "verdict": "convicted", "commit": SHA, "top3": [SHA], "first_service": "orders"}
    ]
    assert said == ["slow-books: convicted"]


def test_leaving_the_class_out_switches_its_rules_off(tmp_path: Path) -> None:
    cases, facts = written(tmp_path, [row()], [truth()])
    classes = tmp_path / "classes.json"
    classes.write_text(json.dumps({"slow-books": "timeout"}))
    plain = run_diagnosis(cases, facts, classes)
    without = run_diagnosis(cases, facts, classes, leave_one_out=True)
    assert plain["cases"] != []
    assert without["top3"] == 1.0
    with pytest.raises(BadPayload, match="classes"):
        run_diagnosis(cases, facts, leave_one_out=True)


@pytest.mark.parametrize("key", ["alert", "metrics_csv"])
def test_a_case_without_a_part_is_named(key: str) -> None:
    broken = {k: v for k, v in row("torn").items() if k != key}
    with pytest.raises(BadPayload, match=r"torn.*rootcausebench"):
        case_of(broken)


def test_a_mutated_part_is_named_with_its_case(tmp_path: Path) -> None:
    broken = {**row("bent"), "deploys": [{"timestamp": "yesterday", "service": "orders", "commit_sha": SHA, "version": "1"}]}
    with pytest.raises(BadPayload, match=r"\$\.bent"):
        run_diagnosis(*written(tmp_path, [broken], [truth("bent")]))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    cases, facts = written(tmp_path, [row()], [truth()])
    with pytest.raises(BadSettings, match=r"nothing\.jsonl cannot be read"):
        run_diagnosis(tmp_path / "nothing.jsonl", facts)
    with pytest.raises(BadSettings, match=r"nothing\.json cannot be read"):
        run_diagnosis(cases, facts, tmp_path / "nothing.json", leave_one_out=True)


def test_a_line_that_is_no_json_is_named_by_number(tmp_path: Path) -> None:
    cases, facts = written(tmp_path, [row()], [truth()])
    cases.write_text(cases.read_text() + "{nonsense\n")
    with pytest.raises(BadPayload, match="line 2"):
        run_diagnosis(cases, facts)


def test_a_case_without_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadPayload, match="lonely"):
        run_diagnosis(*written(tmp_path, [row("lonely")], [truth()]))


@pytest.mark.shared_data
@pytest.mark.parametrize(("left_out", "top1", "convicted"), [(False, 0.8, 9), (True, 0.6, 6)])
def test_the_shared_cases_stay_above_their_floors(left_out: bool, top1: float, convicted: int) -> None:
    if not SHARED.exists():
        pytest.skip(f"no shared data at {SHARED}")
    found = run_diagnosis(SHARED / "inputs.jsonl", SHARED / "ground_truth.jsonl", SHARED / "classes.json", leave_one_out=left_out)
    assert found["convicted_right"] == 1.0
    assert found["decoy_hits"] == 0
    assert isinstance(found["convicted"], int)
    assert found["convicted"] >= convicted
    assert isinstance(found["top1"], float)
    assert found["top1"] >= top1
    assert isinstance(found["top3"], float)
    assert found["top3"] >= 0.9


def guiltless(case: Case, sha: str) -> Case:
    """The same case, had the guilty commit never been made."""
    commits = {k: c for k, c in case.commits.items() if k != sha}
    return replace(case, commits=commits, changes=tuple(c for c in case.changes if c.commit != sha))


@pytest.mark.shared_data
def test_nobody_is_convicted_of_the_shared_cases_once_the_guilty_change_is_gone() -> None:
    if not SHARED.exists():
        pytest.skip(f"no shared data at {SHARED}")
    facts = map(json.loads, (SHARED / "ground_truth.jsonl").read_text().splitlines())
    truths = {t["scenario"]: t["root_cause_commit"] for t in facts}
    every = {r.tag for r in RULES}
    verdicts = []
    for one in map(json.loads, (SHARED / "inputs.jsonl").read_text().splitlines()):
        if truths[one["id"]] != "none":
            found = guiltless(case_of(one), truths[one["id"]])
            verdicts += [diagnose(found).verdict, diagnose(found, without=every).verdict]
    assert len(verdicts) == 22
    assert set(verdicts) == {Verdict.UNDETERMINED}


def test_evidence_is_taken_away_and_added_source_by_source(tmp_path: Path) -> None:
    found = run_by_evidence(*written(tmp_path, [row()], [truth()]))
    stages = {r["evidence"]: r for r in found["stages"]}  # type: ignore[attr-defined]  # rows, as documented
    assert list(stages) == ["alerts", "+ deployments", "+ metrics", "+ diffs", "+ logs", "+ traces"]
    assert [r["top3"] for r in stages.values()] == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert stages["alerts"]["convicted"] == stages["+ metrics"]["convicted"] == 0
    assert stages["+ logs"]["convicted"] == stages["+ traces"]["convicted"] == 1
    without = {r["evidence"]: r for r in found["without"]}  # type: ignore[attr-defined]  # as above
    assert without["without deployments"]["top3"] == 0.0
    assert without["without traces"]["top1"] == 1.0
    assert str(in_words(found)["+ traces"]).startswith("top1 1.0, top3 1.0, convicted 1, convicted_right 1.0, decoy_hits 0")


def test_structured_fields_of_lines_and_spans_are_kept() -> None:
    one = row()
    line = {**one["logs"][0], "stack": "orders/stock_client.py:12 fetch", "empty": None}  # type: ignore[index]  # a list of rows
    span = {
        "trace_id": "t", "span_id": "s", "service": "orders", "name": "fetch", "start": "2026-05-04T09:41:00Z", "duration_ms": 3,
        "status": "ERROR", "status_message": "boom", "peer.service": "stock",
    }  # fmt: skip
    case = case_of({**one, "logs": [line], "traces": [span]})
    assert case.logs[0].fields == {"stack": "orders/stock_client.py:12 fetch"}
    assert (case.spans[0].error, case.spans[0].attributes) == ("boom", {"peer.service": "stock"})
