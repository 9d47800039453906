"""Tables of past incidents that were made to break their reader."""

import json
from pathlib import Path

import pytest

from bot.errors import BadPayload
from bot.knowledge.postmortem import enriched
from bot.knowledge.tables import BadRow, Row, columns_of, csv_names, json_names, json_rows, read_json


def rows(path: Path) -> list[Row]:
    found = json_rows(path)
    return list(read_json(found, columns_of(json_names(found), {})))


def test_a_first_line_without_end_names_no_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x" * 300_000 + ",title\n1,a\n")
    with pytest.raises(BadPayload, match="names no columns"):
        csv_names(tmp_path / "a.csv")


def test_lists_in_lists_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"id": "1", "title": ' + "[" * 900 + "]" * 900 + "}]")
    [row] = rows(tmp_path / "a.json")
    assert isinstance(row, BadRow)


def test_what_is_no_text_for_a_database_is_taken_out_everywhere(tmp_path: Path) -> None:
    words = {
        k: f"https://a\ud800b\x00c{k}" for k in ("id", "title", "severity", "service", "alert", "cause", "fix", "link", "body")
    }
    (tmp_path / "a.json").write_text(json.dumps([words]))
    [row] = rows(tmp_path / "a.json")
    assert not isinstance(row, BadRow)
    kept = enriched(row)
    assert kept.ref == "https://abcid"
    assert repr(kept).isprintable()
    assert "\\ud800" not in repr(kept)
