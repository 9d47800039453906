"""`tocsin eval` as a program calls it: one JSON object on stdout, everything else on stderr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RETRIEVAL = {
    "n",
    "hit@1",
    "hit@3",
    "hit@5",
    "mrr",
    "ndcg@10",
    "recall_shown",
    "false_hit_rate",
    "latency_ms_p50",
    "latency_ms_p95",
}


def tocsin(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", "--config", str(folder), "eval", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def retrieval(tmp_path: Path) -> list[str]:
    text = "# DiskFull\n\nThe disk of a node fills.\n\n## Mitigation\n\nDelete old logs."
    docs = lines(tmp_path / "docs.jsonl", {"doc_id": "a/DiskFull", "alert_name": "DiskFull", "title": "DiskFull", "text": text})
    alert = {"labels": {"alertname": "DiskFull"}, "annotations": {"summary": "The disk of a node fills."}}
    row = {"qid": "1", "relevant": ["a/DiskFull"], "text_too_short": False, "q_full": alert, "q_text": "The disk fills"}
    queries = lines(tmp_path / "queries.jsonl", row, {**row, "qid": "2", "text_too_short": True})
    return ["retrieval", "--docs", str(docs), "--queries", str(queries), "--embedder", "none", "--json"]


def test_retrieval_prints_one_object_with_the_promised_keys(tmp_path: Path, retrieval: list[str]) -> None:
    done = tocsin(tmp_path, *retrieval)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == RETRIEVAL
    assert (found["n"], found["hit@1"]) == (1, 1.0)


@pytest.mark.slow  # it loads what the quick half does without
@pytest.mark.parametrize(("model", "says"), [("openai:gpt", "needs a key"), ("nosuch:gpt", "names no vendor that Tocsin knows")])
def test_a_model_that_cannot_be_opened_is_refused_in_one_sentence(tmp_path: Path, model: str, says: str) -> None:
    done = tocsin(tmp_path, "diagnosis", "--cases", "c", "--truth", "t", "--model", model, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
