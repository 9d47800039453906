"""tocsin executor: its keys are for their owners alone, and what it lacks is told before anything is deployed."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli import main
from bot.executor.keys import Signer, Verifier
from bot.storage.database import SqlDatabase

TOML = """\
database_url = "sqlite:///{folder}/tocsin.db"
{more}
[deployers.shop]
kind = "command"
current = ["{python}", "{{service}}"]
versions = ["{python}", "{{service}}"]
start = ["{python}", "{{service}}", "{{version}}", "{{key}}"]
status = ["{python}", "{{key}}"]
"""


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], list[str]]:
    def write(more: str) -> list[str]:
        text = TOML.format(folder=tmp_path, python=sys.executable, more=more)
        (tmp_path / "tocsin.toml").write_text(text, encoding="utf-8")
        return ["--config", str(tmp_path), "executor"]

    return write


def a_public_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["executor", "keygen", "--to", str(folder / "keys")]) == 0
    return capsys.readouterr().out.splitlines()[-1].strip()


def test_keygen_writes_a_pair_for_their_owners_alone_and_never_over_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = a_public_key(tmp_path, capsys)
    private, public = tmp_path / "keys/executor-signing.key", tmp_path / "keys/executor-public.key"
    assert [stat.S_IMODE(f.stat().st_mode) for f in (private, public)] == [0o600, 0o600]
    assert public.read_text().strip() == said
    Verifier(said).verify("{}", Signer(private.read_text()).sign("{}"))
    before = private.read_text()
    assert main(["executor", "keygen", "--to", str(tmp_path / "keys")]) == 2
    assert "is there already; it is not overwritten" in capsys.readouterr().err
    assert private.read_text() == before
    assert before.strip() not in said


def test_check_tells_what_is_missing_and_what_is_too_much(
    tmp_path: Path, configured: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = configured(f'[executor]\npublic_key = "{a_public_key(tmp_path, capsys)}"\n[slack]\nbot_token = "xoxb-1"\n')
    assert main([*words, "check"]) == 1
    said = capsys.readouterr().out
    assert "NO  executor       SLACK_BOT_TOKEN: the bot's alone; take it out" in said
    assert "ok  deployer       shop lacks nothing" in said
    assert "is not there yet: start the bot once" in said


def test_check_names_the_address_at_which_the_bot_is_not(
    tmp_path: Path, configured: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_EXECUTOR_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TOCSIN_EXECUTOR_KEY", "k" * 43)
    words = configured(f'[executor]\npublic_key = "{a_public_key(tmp_path, capsys)}"\n')
    assert main([*words, "check"]) == 1
    assert "It was looked for at http://127.0.0.1:9: does `tocsin serve` run there?" in capsys.readouterr().out


@pytest.mark.slow
def test_check_is_content_where_nothing_is_missing(
    tmp_path: Path, configured: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = configured(f'[executor]\npublic_key = "{a_public_key(tmp_path, capsys)}"\n')
    database = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    database.open()
    assert main([*words, "check"]) == 0
    database.close()
    assert "NO" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "run `tocsin executor keygen`"),
        ('[executor]\npublic_key = "nonsense"\n', "public_key is no key"),
        ('[executor]\npublic_key = "{key}"\nurl = "http://bot.example.com"\nkey = "k"\n', "has to be https"),
        ('[executor]\npublic_key = "{key}"\nurl = "https://bot.example.com"\n', "no key: TOCSIN_EXECUTOR_KEY_FILE"),
    ],
)
def test_an_executor_that_could_check_nothing_or_would_tell_its_key_does_not_start(
    tmp_path: Path, configured: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str], more: str, said: str
) -> None:
    key = a_public_key(tmp_path, capsys)
    assert main(configured(more.replace("{key}", key))) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_process_knows_no_slack_no_model_and_no_web_server() -> None:
    program = """if True:
        import sys
        from bot.commands import executor
        import bot.executor.https, bot.executor.running, bot.executor.mailboxes, bot.executor.deployers, bot.settings
        import bot.storage.errands, connectors
        strangers = ("slack_bolt", "slack_sdk", "langchain", "langgraph", "openai", "anthropic", "chromadb", "torch", "uvicorn")
        print([name for name in strangers if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
