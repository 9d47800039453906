"""`eval retrieval`: the figures are what they say, on data small enough to count by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.errors import BadSettings
from bot.evals.metrics import hit_at, ndcg_at, percentile, reciprocal_rank
from bot.evals.retrieval import run_retrieval
from bot.knowledge import likeness
from tests.evals import ablation, held_out
from tests.knowledge.embedding import FakeEmbedder

KEYS = [
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
]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "runbooks"


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def query(name: str, text: str, relevant: list[str], short: bool = False) -> dict[str, object]:
    notes = {"summary": text}
    return {
        "qid": name,
        "relevant": relevant,
        "q_full": {"labels": {"alertname": name, "severity": "critical"}, "annotations": notes},
        "q_noname": {"labels": {"severity": "critical"}, "annotations": notes},
        "q_text": text,
        "text_too_short": short,
    }


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Path]:
    docs = [
        {"doc_id": "a/KafkaLag", "alert_name": "KafkaLag", "title": "KafkaLag", "path": "KafkaLag.md", "text": "Consumer lag"},
        {"doc_id": "a/DiskFull", "alert_name": "DiskFull", "title": "DiskFull", "path": "DiskFull.md", "text": "No space left"},
        {"doc_id": "a/CertOld", "alert_name": "CertOld", "title": "CertOld", "path": "CertOld.md", "text": "Certificate expired"},
    ]
    queries = [
        query("KafkaLag", "consumer lag of kafka", ["a/KafkaLag"]),
        query("DiskFull", "no space left on the disk", ["a/DiskFull", "a/CertOld"]),
        query("Hidden", "x", ["a/CertOld"], short=True),
    ]
    negative: dict[str, object] = {
        "labels": {"severity": "info"},
        "annotations": {"summary": "Printer burns paper"},
        "alert_name": "PrinterOnFire",
    }
    negatives: list[dict[str, object]] = [
        negative | {"safe_negative": True},
        negative | {"safe_negative": False, "alert_name": "KafkaLag"},
    ]
    return {
        "docs": write(tmp_path / "docs.jsonl", docs),
        "queries": write(tmp_path / "queries.jsonl", queries),
        "negatives": write(tmp_path / "negatives.jsonl", negatives),
        "cache": tmp_path / "cache",
    }


async def run(data: dict[str, Path], field: str, embedder: FakeEmbedder | None) -> dict[str, float]:
    return await run_retrieval(data["docs"], data["queries"], field, data["negatives"], embedder, data["cache"], lambda _: None)


@pytest.mark.parametrize("field", ["q_full", "q_noname", "q_text"])
async def test_the_keys_are_the_agreed_ones_and_short_queries_are_left_out(data: dict[str, Path], field: str) -> None:
    result = await run(data, field, None)
    assert list(result) == KEYS
    assert result["n"] == 2
    assert result["hit@1"] == 1.0
    assert result["mrr"] == 1.0
    assert 0.0 < result["ndcg@10"] <= 1.0
    assert result["latency_ms_p95"] >= result["latency_ms_p50"] > 0


async def test_only_safe_negatives_count_and_their_name_only_in_the_full_field(data: dict[str, Path]) -> None:
    assert (await run(data, "q_full", None))["false_hit_rate"] == 0.0
    rows = [json.loads(line) for line in data["negatives"].read_text().splitlines()]
    write(data["negatives"], [row | {"safe_negative": True} for row in rows])
    assert (await run(data, "q_full", None))["false_hit_rate"] == 0.5
    assert (await run(data, "q_noname", None))["false_hit_rate"] == 0.0


async def test_the_corpus_is_embedded_once(data: dict[str, Path]) -> None:
    await run(data, "q_text", FakeEmbedder())
    again = FakeEmbedder()
    await run(data, "q_text", again)
    assert not any("Certificate" in text for text in again.texts)


async def test_what_an_ablation_leaves_out_is_back_afterwards(data: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(likeness.SHARES)
    files = ["--docs", str(data["docs"]), "--queries", str(data["queries"]), "--cache", str(data["cache"])]
    await ablation.main(files, FakeEmbedder())
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| everything | 1.000 / 1.000 / 1.000 |")
    assert len(lines) == 2 + len(ablation.LEFT_OUT) + 2
    assert before == likeness.SHARES


def test_alerts_that_share_a_page_directly_or_by_others_are_held_out_together() -> None:
    groups = held_out.connected([{"relevant": r} for r in (["a"], ["b"], ["c"], ["c", "b"], ["d", "a"])])
    assert groups[1] == groups[2] == groups[3] != groups[0] == groups[4]


def test_the_threshold_shows_as_many_as_are_wanted_if_so_many_are_right() -> None:
    odds = np.arange(100.0)
    assert held_out.threshold(odds, odds >= 10) == 12.0
    assert held_out.threshold(odds, odds >= 13) == -np.inf


@pytest.mark.slow
def test_what_is_held_out_is_told_with_its_spread(data: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["disk full", "kafka lag", "node gone", "dns fails", "redis evicts", "certificate expires"]
    docs = [{"doc_id": t, "title": t, "path": "", "text": f"What to do if {t}."} for t in texts]
    write(data["docs"], docs)
    write(data["queries"], [query(t, f"Trouble: {t}", [t]) for t in texts])
    strange = [
        {"rule_source": t, "annotations": {"summary": t}, "safe_negative": True} for t in ("tea", "cake", "rain", "snow", "fog")
    ]
    write(data["negatives"], strange)
    files = [part for name in ("docs", "queries", "negatives", "cache") for part in (f"--{name}", str(data[name]))]
    held_out.main([*files, "--draws", "2"], FakeEmbedder())
    first, _, last = capsys.readouterr().out.splitlines()
    assert first == "false hits where 0.88 are shown: 0.000 (0.000 between draws)"
    assert last.startswith("at the threshold of the other folds: shown 1.000, false hits 0.000")


async def test_a_file_that_is_no_jsonl_is_refused_by_name(data: dict[str, Path]) -> None:
    data["docs"].write_text("not json")
    with pytest.raises(BadSettings, match=r"docs\.jsonl is not valid JSONL"):
        await run(data, "q_text", None)
    with pytest.raises(BadSettings, match="no field 'q_other'"):
        await run(data, "q_other", None)


def test_the_metrics_are_the_textbook_ones() -> None:
    ranked, relevant = ["a", "b", "c", "d"], {"b", "d", "z"}
    assert hit_at(ranked, relevant, 1) == 0.0
    assert hit_at(ranked, relevant, 3) == 1.0
    assert reciprocal_rank(ranked, relevant) == 0.5
    assert ndcg_at(ranked, relevant, 10) == pytest.approx((0.63093 + 0.43068) / (1 + 0.63093 + 0.5), abs=1e-4)
    assert percentile([4, 1, 3, 2], 0.5) == 2
    assert percentile([4, 1, 3, 2], 0.95) == 4


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data is not beside the project")
@pytest.mark.parametrize(("field", "hit", "false_hits"), [("q_full", 0.78, 0.2), ("q_noname", 0.66, 0.15)])
async def test_real_alerts_find_their_runbooks_by_words(tmp_path: Path, field: str, hit: float, false_hits: float) -> None:
    result = await run_retrieval(
        SHARED / "docs.jsonl",
        SHARED / "queries.jsonl",
        field,
        SHARED / "queries_no_runbook.jsonl",
        None,
        tmp_path,
        lambda _: None,
    )
    assert result["n"] > 300
    assert result["hit@1"] >= hit
    assert result["false_hit_rate"] <= false_hits
