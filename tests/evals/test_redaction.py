"""`eval redaction`: the figures are what they say; on the shared sets they stay above their floors."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import BadSettings
from bot.evals.redaction import run_redaction

SHARED = Path(__file__).parents[3] / "shared" / "data" / "security"


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def secret(text: str, label: str) -> dict[str, Any]:
    return {"text_b64": base64.b64encode(text.encode()).decode(), "label": label}


def test_a_positive_is_found_if_it_changes_and_a_negative_is_right_if_it_does_not(tmp_path: Path) -> None:
    rows = [
        secret("AKIA" + "Q3EGRN7XYZJ2MB4T", "positive"),
        secret("postgresql://shop:" + "s3cr3tpw@db/shop", "positive_file"),
        secret("nothing 2 see", "positive"),
        secret("glpat-" + "x9Kq2LmZp4RtVw7YbNc3", "negative"),
        secret("plain words", "negative"),
    ]
    figures = run_redaction(write(tmp_path / "s.jsonl", rows), None)
    assert (figures["secrets_n"], figures["secrets_precision"], figures["secrets_recall"]) == (5, 0.6667, 0.6667)
    assert figures["secrets_unusable"] == 0


def test_rows_labelled_both_ways_and_positives_of_words_alone_are_counted_apart(tmp_path: Path) -> None:
    rows = [
        secret("hf_" + "jCBaQngSHiHDRYOcsMcifUcysGyaiybUWz", "positive"),
        secret("Authorization", "positive"),
        secret("key = AKIAXXXXXXXXXXXXXXXX", "positive"),
        secret("key = AKIAXXXXXXXXXXXXXXXX", "negative"),
    ]
    figures = run_redaction(write(tmp_path / "s.jsonl", rows), None)
    assert figures["secrets_recall"] == 0.3333
    assert figures["secrets_unusable"] == 3
    assert figures["secrets_recall_usable"] == 1.0


def test_a_span_is_found_if_one_of_its_characters_is_hidden_and_cover_counts_the_characters(tmp_path: Path) -> None:
    text = "mail jane@example.org, see Oslo"
    spans = [
        {"entity_type": "EMAIL_ADDRESS", "start_position": 0, "end_position": 21},
        {"entity_type": "GPE", "start_position": 27, "end_position": 31},
    ]
    figures = run_redaction(None, write(tmp_path / "p.jsonl", [{"full_text": text, "spans": spans}]))
    assert (figures["pii_precision"], figures["pii_recall"]) == (1.0, 1.0)
    assert figures["pii_covered"] == 0.7619  # 16 of 21 characters
    assert figures["pii_recall_by_kind"] == {"EMAIL_ADDRESS": 1.0, "GPE": 0.0}


def test_what_is_hidden_outside_every_span_lowers_precision(tmp_path: Path) -> None:
    figures = run_redaction(None, write(tmp_path / "p.jsonl", [{"full_text": "a@example.org", "spans": []}]))
    assert figures["pii_precision"] == 0.0


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"text_b64": "?"}', '{"text_b64": 1}'])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"s\.jsonl"):
        run_redaction(path, None)


def test_spans_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"p\.jsonl:1"):
        run_redaction(None, write(tmp_path / "p.jsonl", [{"full_text": "x", "spans": [{"entity_type": "PERSON"}]}]))


def test_without_a_file_there_is_nothing_to_measure() -> None:
    with pytest.raises(BadSettings, match="--secrets, --pii"):
        run_redaction(None, None)


@pytest.mark.shared_data
def test_secrets_of_the_shared_set_stay_above_their_floors() -> None:
    if not SHARED.exists():
        pytest.skip("the shared data set is not beside the project")
    figures: dict[str, Any] = run_redaction(SHARED / "secrets.jsonl", None)
    assert figures["secrets_precision"] >= 0.94
    assert figures["secrets_recall"] >= 0.82  # the 28 missed of 166 are words alone or labelled both ways
    assert figures["secrets_precision_usable"] >= 0.95
    assert figures["secrets_recall_usable"] >= 0.96


@pytest.mark.shared_data
def test_personal_data_of_the_shared_set_stays_above_its_floors() -> None:
    if not SHARED.exists():
        pytest.skip("the shared data set is not beside the project")
    figures: dict[str, Any] = run_redaction(None, SHARED / "presidio_pii.jsonl")
    assert figures["pii_precision"] >= 0.97
    assert figures["pii_recall"] >= 0.66
    for kind in ("EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "IP_ADDRESS"):
        assert figures["pii_recall_by_kind"][kind] >= 0.97, kind
