"""`eval incidents`: a report is found by its title and body, never by its summary."""

import json
from pathlib import Path

import pytest

from bot.errors import BadSettings
from bot.evals.incidents import run_incidents
from tests.evals.test_retrieval import KEYS, write

SHARED = Path(__file__).parents[3] / "shared" / "data" / "incidents"
REPORTS: list[dict[str, object]] = [
    {"id": "a", "title": "Rename locked a table", "body": "A migration renamed a large table.", "summary": "Zebra"},
    {"id": "b", "title": "", "body": "A router was configured wrongly and dropped all routes.", "summary": "Giraffe"},
    {"id": "c", "title": "Certificate expired", "body": "Nobody renewed it.", "summary": "Okapi"},
]


async def run(folder: Path, queries: list[dict[str, object]], reports: list[dict[str, object]] = REPORTS) -> dict[str, float]:
    docs, asked = write(folder / "docs.jsonl", reports), write(folder / "queries.jsonl", queries)
    return await run_incidents(docs, asked, None, folder / "cache", lambda _: None)


async def test_the_keys_are_those_of_retrieval_and_a_report_without_a_title_is_found(tmp_path: Path) -> None:
    queries: list[dict[str, object]] = [
        {"query": "Bad configuration of routers dropped routes", "relevant": ["b"]},
        {"query": "A schema migration renamed a MySQL table", "relevant": ["a"]},
    ]
    result = await run(tmp_path, queries)
    assert list(result) == KEYS
    assert (result["n"], result["hit@1"], result["mrr"], result["false_hit_rate"]) == (2, 1.0, 1.0, 0.0)


async def test_a_summary_is_not_searched(tmp_path: Path) -> None:
    result = await run(tmp_path, [{"query": "zebra", "relevant": ["a"]}])
    assert result["hit@1"] == 0.0
    assert json.loads((tmp_path / "docs.jsonl").read_text().splitlines()[0])["summary"] == "Zebra"


async def test_rows_that_lack_what_is_needed_are_refused_by_number(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="Query 1 has no relevant incidents"):
        await run(tmp_path, [{"query": "zebra"}])
    with pytest.raises(BadSettings, match="Incident 1 has no id"):
        await run(tmp_path, [], [{"title": "Nameless"}])


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data is not beside the project")
async def test_real_reports_are_found_by_words(tmp_path: Path) -> None:
    result = await run_incidents(SHARED / "incidents.jsonl", SHARED / "queries.jsonl", None, tmp_path, lambda _: None)
    assert result["hit@1"] > 0.85, result
    assert result["mrr"] > 0.9, result
