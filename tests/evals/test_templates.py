"""`eval templates`: a group is right if it holds all lines of its template and no other; the shared logs stay above a floor."""

import gzip
import json
from pathlib import Path

import pytest

from bot.cli import main
from bot.errors import BadSettings
from bot.evals.templates import grouping_accuracy, read_log, run_templates

SHARED = Path(__file__).parents[3] / "shared" / "data" / "anomaly" / "loghub"
HEAD = "LineId,Content,EventId,EventTemplate\n"


def test_one_line_too_many_makes_both_groups_wrong() -> None:
    assert grouping_accuracy([1, 1, 2, 2], ["a", "a", "b", "b"]) == 1.0
    assert grouping_accuracy([1, 1, 1, 2], ["a", "a", "b", "b"]) == 0.0
    assert grouping_accuracy([7, 8, 2, 2], ["a", "a", "b", "b"]) == 0.5


def test_each_log_counts_alike_and_work_is_measured(tmp_path: Path) -> None:
    few = "".join(f'{i},"took {i} ms, done",E1,took\n' for i in range(4)) + "9,VM Paused now,E2,p\n9,VM Started now,E3,s\n"
    (tmp_path / "Shop_2k_structured.csv").write_text(HEAD + few, encoding="utf-8")
    wrong = gzip.compress((HEAD + "1,closed 5,E1,x\n2,closed 6,E2,y\n").encode())
    (tmp_path / "Bank_structured.csv.gz").write_bytes(wrong)
    said: list[str] = []
    figures = run_templates(tmp_path, said.append)
    assert said == ["Bank: 0.0000", "Shop: 1.0000"]
    assert (figures["lines"], figures["grouping_accuracy"], figures["grouping_accuracy_worst"]) == (8, 0.5, 0.0)
    assert figures["systems"]["Shop"] == {"grouping_accuracy": 1.0, "templates_right": 1.0, "templates": 3, "found": 3}  # type: ignore[index]  # a JSON object


@pytest.mark.parametrize(
    ("content", "reason"), [(b"a,b\n1,2\n", "columns Content and EventId"), (HEAD.encode(), "holds no lines")]
)
def test_an_unusable_file_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "X_structured.csv").write_bytes(content)
    with pytest.raises(BadSettings, match=rf"X_structured.csv.*{reason}"):
        run_templates(tmp_path, print)


def test_a_damaged_archive_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="has no files"):
        run_templates(tmp_path, print)
    damaged = tmp_path / "X_structured.csv.gz"
    damaged.write_bytes(gzip.compress(HEAD.encode())[:-9])
    with pytest.raises(BadSettings, match="cannot be read"):
        read_log(damaged)


def test_the_command_prints_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Shop_structured.csv").write_text(HEAD + "1,done,E1,done\n", encoding="utf-8")
    assert main(["eval", "templates", "--logs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["grouping_accuracy"] == 1.0


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data/anomaly/loghub beside the project")
def test_on_the_shared_logs_it_stays_above_its_floor() -> None:
    figures = run_templates(SHARED, print)
    assert float(str(figures["grouping_accuracy"])) >= 0.95
    assert float(str(figures["grouping_accuracy_worst"])) >= 0.9
    assert float(str(figures["cpu_seconds_10k"])) < 1.0  # 0.25 on a quiet machine
