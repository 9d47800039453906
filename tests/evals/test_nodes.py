"""`tocsin eval nodes` over folders in both formats: small ones of our own, and the public cases where they are."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import BadSettings
from bot.evals.nodes import run_nodes

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "rca"
SERVICES = ("web", "orders", "db")
CASE = {
    "id": "one", "graph": "graph.csv", "metrics": "fault.csv.gz", "normal_metrics": "normal.csv.gz", "inject_time": 9_300,
    "target_node": "web", "target_metric": "latency", "target_agg": "Average", "root_cause_service": "orders",
}  # fmt: skip


def said(line: str) -> None:
    """Nobody reads the progress here."""


def table(levels: list[list[float]], start: int) -> bytes:
    """Latency and requests of three services, a row each five minutes."""
    head = [["microservice", *SERVICES, *SERVICES], ["metric", *["latency"] * 3, *["requests"] * 3]]
    head += [["statistic", *["Average"] * 3, *["Sum"] * 3], ["unix_timestamp", *[""] * 6]]
    rows = [[f"{start + 300 * n}.0", *map(str, row), "100", "100", ""] for n, row in enumerate(levels)]
    return gzip.compress("\n".join(",".join(row) for row in [*head, *rows]).encode())


def petshop(folder: Path, **changes: Any) -> Path:
    """One case whose middle service is slow."""
    (folder / "cases.jsonl").write_text(json.dumps({**CASE, **changes}) + "\n")
    (folder / "graph.csv").write_text(",web,orders,db\nweb,0,1.0,0\norders,0,0,1.0\ndb,0,0,0\n")
    (folder / "normal.csv.gz").write_bytes(table([[0.1, 0.05, 0.01], [0.11, 0.06, 0.011]] * 4, 100_000))
    (folder / "fault.csv.gz").write_bytes(table([[0.1, 0.05, 0.01], [0.6, 0.54, 0.012], [0.6, 0.55, 0.012]], 9_000))
    return folder


def test_the_slow_service_in_the_middle_is_named(tmp_path: Path) -> None:
    found = run_nodes(petshop(tmp_path), said)
    assert (found["n"], found["recall@1"], found["recall@3"]) == (1, 1.0, 1.0)
    assert found["kinds"] == [{"kind": "latency", "n": 1, "recall@1": 1.0, "recall@3": 1.0, "recall@5": 1.0}]


def test_a_wrong_truth_is_a_miss(tmp_path: Path) -> None:
    assert run_nodes(petshop(tmp_path, root_cause_service="db"), said)["recall@1"] == 0.0


@pytest.mark.parametrize("normal", ["gone", "empty", "null"])
def test_without_normal_days_the_minutes_before_the_fault_are_the_baseline(tmp_path: Path, normal: str) -> None:
    petshop(tmp_path, **({"normal_metrics": None} if normal == "null" else {}))
    if normal == "gone":
        (tmp_path / "normal.csv.gz").unlink()
    if normal == "empty":
        (tmp_path / "normal.csv.gz").write_bytes(gzip.compress(b""))
    assert run_nodes(tmp_path, said)["recall@1"] == 1.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metrics": "lost.csv.gz"}, "lost.csv.gz cannot be read"),
        ({"metrics": "../cases.jsonl"}, "outside"),
        ({"metrics": "cases.jsonl"}, "expected rows of services"),
        ({"graph": None}, "graph is missing"),
        ({"target_metric": "colour"}, "expected latency or availability"),
        ({"inject_time": "noon"}, "inject_time is missing"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        run_nodes(petshop(tmp_path, **changes), said)


def test_a_table_that_is_cut_off_is_said(tmp_path: Path) -> None:
    petshop(tmp_path)
    whole = (tmp_path / "fault.csv.gz").read_bytes()
    (tmp_path / "fault.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadSettings, match="is no CSV file"):
        run_nodes(tmp_path, said)


def test_the_second_format_reads_a_day_and_pairs_of_services(tmp_path: Path) -> None:
    row = {"id": "two", "topology": "pairs.csv", "metrics": "day.csv", "inject_time": 1_200, "root_cause_service": "db"}
    (tmp_path / "cases.jsonl").write_text(json.dumps({**row, "fault_type": "cpu_contention"}))
    (tmp_path / "pairs.csv").write_text("Source,Target,Weight\nweb,orders,1\norders,db,1\n")
    lines = ["time,web_cpu_pct,orders_cpu_pct,db_cpu_pct,db_workload,FRONT_P90(s)"]
    lines += [f"{60 * n},20,2{n % 3},10,5,0.1" for n in range(20)]
    lines += [f"{1_200 + 60 * n},22,21,70,5,0.1" for n in range(4)]
    (tmp_path / "day.csv").write_text("\n".join(lines))
    found: Any = run_nodes(tmp_path, said)
    assert found["recall@1"] == 1.0
    assert found["kinds"][0]["kind"] == "cpu_contention"


@pytest.mark.shared_data
def test_the_public_cases_reach_their_figures() -> None:
    if not SHARED.exists():
        pytest.skip(f"no shared data at {SHARED}")
    pets: Any = run_nodes(SHARED / "petshop", said)
    assert pets["recall@1"] >= 0.95
    assert pets["recall@3"] == 1.0
    days: Any = run_nodes(SHARED / "nezha", said)
    cpu = [c for c in days["cases"] if c["kind"].startswith("online-boutique: cpu")]
    assert len(cpu) == 11
    assert all(c["first"][0] == c["guilty"] for c in cpu)
