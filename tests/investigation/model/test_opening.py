"""A model by its name: what a setting means, what is missing, and that nothing heavy loads or leaves before it is asked."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import langsmith.utils
import pytest
from pydantic import SecretStr

from bot.demo.standin.scripted import Call, Scripted, in_turn
from bot.demo.standin.server import standin
from bot.errors import BadSettings
from bot.investigation.model import names
from bot.investigation.model.breaker import Breaker
from bot.investigation.model.fallback import Substituted
from bot.investigation.model.late import How, LateModel
from bot.investigation.model.names import named
from bot.ports import Model, Tool
from bot.settings import load
from bot.wiring import model_of
from tests.investigation.model.room import a_model, able, asking

_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2")
_LOADED = """
import json, sys
from pathlib import Path
from bot.settings import load
from bot.wiring import model_of
heavy = ("langchain", "langgraph", "langsmith", "openai", "anthropic", "ollama", "genai_prices")
for environment in ({}, {"TOCSIN_MODEL": "openai-compatible:qwen", "TOCSIN_MODEL_URL": "http://127.0.0.1:1"}):
    model = model_of(load(environment, Path(sys.argv[1])))
    print(json.dumps([model is not None, sorted(m for m in sys.modules if m.startswith(heavy) and "." not in m)]))
"""


@pytest.mark.parametrize("name", ["", "gpt-4o", "openai", "openai:", "mistral:large"])
def test_a_name_that_means_nothing_is_refused_with_good_values(name: str) -> None:
    with pytest.raises(BadSettings, match="Good values: openai:"):
        named(name)


@pytest.mark.parametrize("url", ["", "ftp://models", "localhost:8080"])
def test_a_compatible_server_needs_an_address(url: str) -> None:
    with pytest.raises(BadSettings, match=r"http://127\.0\.0\.1:8080/v1"):
        named("openai-compatible:qwen", url)


def test_a_missing_package_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda _package: None)
    with pytest.raises(BadSettings, match=r"pip install 'tocsin\[anthropic\]'"):
        named("anthropic:claude-sonnet-4-5")


def test_a_vendor_wants_a_key_and_a_server_of_ones_own_does_not() -> None:
    with pytest.raises(BadSettings, match="ANTHROPIC_API_KEY"):
        LateModel(How("anthropic:claude-sonnet-4-5"))
    assert LateModel(How("openai:gpt-4o", "http://127.0.0.1:1/v1")).name == "openai:gpt-4o"
    assert LateModel(How("ollama:qwen3:8b")).name == "ollama:qwen3:8b"


def test_an_address_is_completed_and_never_shows_its_password() -> None:
    found = named("openai-compatible:qwen", "https://me:hunter2@models.example:8080")
    assert (found.url, found.host) == ("https://me:hunter2@models.example:8080/v1", "models.example:8080")
    assert "hunter2" not in repr(How("openai-compatible:qwen", found.url, SecretStr("sesame")))
    assert named("openai:gpt-4o").url == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("openai-compatible:qwen2.5-coder-1.5b", True),
        ("openai-compatible:qwen2.5-72b-instruct", False),
        ("openai-compatible:mixtral-8x7b", False),
        ("openai-compatible:deepseek/deepseek-chat", False),
        ("openai-compatible:my-own", True),
        ("ollama:llama3.1:70b", False),
        ("ollama:qwen3:8b", True),
        ("openai:gpt-4o-mini", False),
        ("anthropic:claude-sonnet-4-5", False),
    ],
)
def test_a_model_is_small_unless_its_vendor_or_name_tells_otherwise(name: str, small: bool) -> None:
    assert named(name, "http://127.0.0.1:1/v1").looks_small is small


@pytest.mark.slow  # it loads what the quick half does without
def test_no_part_of_langchain_loads_before_a_question(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [[False, []], [True, []]]


def behind(model: Model) -> How:
    """How the model behind its breaker is reached."""
    assert isinstance(model, Breaker)
    assert isinstance(model._model, LateModel)
    return model._model._how


def test_keys_come_from_our_setting_or_from_the_vendors_own_name(tmp_path: Path) -> None:
    def key(**environment: str) -> str:
        model = model_of(load({"TOCSIN_MODEL": "openai:gpt-4o", **environment}, tmp_path))
        assert isinstance(model, Breaker)
        found = behind(model).api_key
        assert found is not None
        return found.get_secret_value()

    assert key(OPENAI_API_KEY="theirs") == "theirs"
    assert key(OPENAI_API_KEY="theirs", TOCSIN_MODEL_API_KEY="ours") == "ours"
    secret = tmp_path / "key"
    secret.write_text("from a file\n")
    assert key(TOCSIN_MODEL_API_KEY_FILE=str(secret)) == "from a file"


def test_a_fallback_of_the_same_vendor_has_the_same_address_and_key(tmp_path: Path) -> None:
    environment = {
        "TOCSIN_MODEL": "openai-compatible:a",
        "TOCSIN_MODEL_URL": "http://127.0.0.1:1/v1",
        "TOCSIN_MODEL_API_KEY": "k",
        "ANTHROPIC_API_KEY": "theirs",
    }
    model = model_of(load({**environment, "TOCSIN_MODEL_FALLBACK": "openai-compatible:b"}, tmp_path))
    assert isinstance(model, Substituted)
    assert behind(model._second).url == "http://127.0.0.1:1/v1"
    other = model_of(load({**environment, "TOCSIN_MODEL_FALLBACK": "anthropic:claude-sonnet-4-5"}, tmp_path))
    assert isinstance(other, Substituted)
    assert (behind(other._second).url, behind(other._second).api_key) == ("", SecretStr("theirs"))


def test_budgets_come_from_the_settings(tmp_path: Path) -> None:
    budgets = load({"TOCSIN_BUDGET_DAY_COST": "2.5", "TOCSIN_BUDGET_INCIDENT_CALLS": "0"}, tmp_path).budgets
    assert (budgets.day_cost, budgets.incident_calls, budgets.incident_cost) == (2.5, 0, 1.0)


@pytest.mark.slow  # it loads what the quick half does without
async def test_tracing_is_off_inside_a_question_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _TRACING:
        monkeypatch.setenv(name, "true")
    langsmith.utils.get_env_var.cache_clear()
    seen: list[object] = []

    async def look(_arguments: object) -> str:
        seen.append(langsmith.utils.tracing_is_enabled())
        return "nothing"

    tool = Tool("look", "Looks.", {"type": "object", "properties": {}}, look)
    async with standin(able(in_turn(Scripted(calls=(Call("look", {}),)), Scripted("Done.")))) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(tool,)))
    outside = langsmith.utils.tracing_is_enabled()
    monkeypatch.undo()
    langsmith.utils.get_env_var.cache_clear()
    assert (reply.text, seen, outside) == ("Done.", [False], True)


@pytest.mark.slow
async def test_a_collector_of_langsmith_gets_nothing() -> None:
    """In its own process with tracing switched on by every name; its collector is a server of ours that counts what arrives."""
    environment = {**os.environ, **dict.fromkeys(_TRACING, "true"), "LANGSMITH_API_KEY": "lsv2_test"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.investigation.model.traced", env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert json.loads(out) == ["answered", 0]
