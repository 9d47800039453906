"""The command line: a mistake that a person can mend is one line on stderr and status 2; helping is quick."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot import __version__
from bot.cli import build_parser, main
from bot.errors import BadSettings

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TOCSIN_", "SLACK_")):
            monkeypatch.delenv(name)


def a_folder(folder: Path, toml: str = "") -> str:
    text = 'default: {channel: "#incidents", on_call: [U0ONCALL]}\n'
    (folder / "routing.yaml").write_text(text, encoding="utf-8")
    (folder / "tocsin.toml").write_text(f"{toml}\n[knowledge]\nembedder = 'none'\n", encoding="utf-8")
    return str(folder)


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"tocsin {__version__}"


def test_every_command_explains_itself() -> None:
    groups = build_parser()._subparsers
    assert groups is not None
    choices = groups._group_actions[0].choices
    assert choices is not None
    for name, parser in dict(choices).items():
        assert f"{name}" in parser.format_help()
    assert {"serve", "demo", "workspace", "doctor", "index", "search", "inbox", "route", "journal", "eval"} <= set(choices)


def test_help_needs_none_of_the_slow_libraries() -> None:
    code = (
        "import sys\nfrom bot.cli import build_parser\nbuild_parser().format_help()\n"
        "slow = {'torch', 'chromadb', 'sentence_transformers', 'transformers', 'sqlalchemy', 'slack_bolt'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert said.stdout.strip() == "[]"


def test_a_wrong_setting_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", a_folder(tmp_path, "port = 'x'"), "route", "explain", "payments"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"tocsin: Setting port: .*8400\n", said.err)


def test_serve_without_a_token_says_how_to_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", a_folder(tmp_path), "serve"]) == 2
    assert "SLACK_BOT_TOKEN is not set. `tocsin workspace`" in capsys.readouterr().err


def test_an_unknown_connector_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_folder(tmp_path, "[connectors.githup]\n")
    assert main(["--config", folder, "doctor"]) == 1
    said = capsys.readouterr().out
    assert "githup" in said
    assert "github" in said


def test_a_folder_that_never_ran_has_no_inbox_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["inbox", "list"], ["inbox", "show", "1"], ["journal", "list"]):
        assert main(["--config", a_folder(tmp_path), *words]) == 2
        said = capsys.readouterr().err
        assert said.startswith("tocsin: ")
        assert "Traceback" not in said


def test_route_explain_names_the_rule_that_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", a_folder(tmp_path), "route", "explain", "payments"]) == 0
    assert "#incidents" in capsys.readouterr().out


def test_search_answers_from_the_runbooks_by_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "queue.md").write_text("# Queue is stuck\n\n## First\n\nRestart the consumer of the queue.\n")
    assert main(["--config", a_folder(tmp_path), "search", "queue", "stuck", "consumer"]) == 0
    assert "Queue is stuck" in capsys.readouterr().out
    assert main(["--config", a_folder(tmp_path), "search", "--explain", "queue", "stuck", "consumer"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("      score +") and "name +" in line for line in lines)
    assert any(line.startswith("      odds") and "beyond +" in line for line in lines)


def test_ctrl_c_is_status_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.settings.load_settings", interrupted)
    assert main(["--config", str(tmp_path), "route", "explain", "payments"]) == 130


def test_errors_of_ours_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(*_args: object) -> None:
        raise BadSettings("routing.yaml:3: there is no channel")

    monkeypatch.setattr("bot.settings.load_settings", wrong)
    assert main(["--config", str(tmp_path), "route", "explain", "payments"]) == 2
    assert capsys.readouterr().err == "tocsin: routing.yaml:3: there is no channel\n"


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "bot", "manifest"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()
