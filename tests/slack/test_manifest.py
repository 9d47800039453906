"""The manifest covers whatever the code of this room calls and registers, no more and no less."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli import main
from bot.errors import BadSettings
from bot.flows.acting.verbs import VERBS
from bot.slack import app as app_module
from bot.slack.front import Front
from bot.slack.manifest import EVENTS, METHODS, TYPED, explained, manifest, scopes
from bot.workspace.config import SCOPES

ROOM = Path(app_module.__file__).parent
SDK = {
    name: found[1]
    for name, method in inspect.getmembers(AsyncWebClient, inspect.isfunction)
    if (found := re.search(r"""api_call\(\s*["']([\w.]+)["']""", inspect.getsource(method)))
}


def called() -> Iterator[str]:
    """The methods of the Web API that the room calls, by the SDK's own source."""
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in SDK:
                yield SDK[node.attr]


class Recording:
    """An app that remembers what is registered with it."""

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {}

    def __getattr__(self, kind: str) -> Any:
        def register(what: Any, **_options: object) -> Any:
            name = what["callback_id"] if isinstance(what, dict) else what
            self.heard.setdefault(kind, set()).add(name)
            return lambda handler: handler

        return register


@pytest.fixture(scope="module")
def registered() -> dict[str, set[str]]:
    recording = Recording()
    for room in app_module.ROOMS:
        room.register(cast(Any, recording), cast(Front, None))
    return recording.heard


def test_every_method_that_is_called_is_covered_and_none_besides() -> None:
    for_doctor_and_socket = {"apps.connections.open", "conversations.info"}
    in_three_steps = {"files.completeUploadExternal", "files.getUploadURLExternal"}  # the SDK's files_upload_v2
    assert set(called()) | for_doctor_and_socket | in_three_steps == set(METHODS)


def test_every_event_that_is_heard_is_covered_and_none_besides(registered: dict[str, set[str]]) -> None:
    assert registered["event"] == set(EVENTS)


def test_every_command_and_shortcut_is_in_the_manifest_and_none_besides(registered: dict[str, set[str]]) -> None:
    features: Any = manifest()["features"]
    assert {c["command"] for c in features["slash_commands"]} == registered["command"]
    assert {s["callback_id"] for s in features["shortcuts"]} == registered["shortcut"]
    assert {s["type"] for s in features["shortcuts"]} == {"message"}


def test_every_scope_of_the_tables_is_asked_for_and_explained() -> None:
    asked = manifest()["oauth_config"]["scopes"]["bot"]  # type: ignore[index]  # the format is Slack's
    assert asked == list(scopes()) == sorted(set(asked))
    assert {"chat:write", "commands", "reactions:read", "app_mentions:read", "assistant:write"} <= set(asked)
    told = dict(explained())
    events = {"app_mention", "message.im", "message.channels", "message.groups", "reaction_added", "app_home_opened"}
    assert {*asked, *events} == set(told)
    assert all(told.values())


def test_over_http_everything_that_slack_sends_has_its_address() -> None:
    made: Any = manifest("https://tocsin.example.com/")
    door = "https://tocsin.example.com/slack/events"
    settings = made["settings"]
    assert settings["event_subscriptions"]["request_url"] == door
    assert settings["interactivity"] == {"is_enabled": True, "request_url": door, "message_menu_options_url": door}
    assert {c["url"] for c in made["features"]["slash_commands"]} == {door}
    assert settings["socket_mode_enabled"] is False
    assert manifest(door) == made


def test_over_a_socket_nothing_has_an_address() -> None:
    made: Any = manifest()
    assert made["settings"]["socket_mode_enabled"] is True
    assert "url" not in json.dumps(made)
    assert made["settings"]["token_rotation_enabled"] is False


def test_texts_keep_to_slacks_lengths() -> None:
    made: Any = manifest()
    shown = made["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    for shortcut in made["features"]["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
    assert len(made["features"]["agent_view"]["suggested_prompts"]) <= 4


@pytest.mark.parametrize("url", ["http://tocsin.example.com", "tocsin.example.com", "https://"])
def test_an_address_that_slack_would_not_take_is_refused(url: str) -> None:
    with pytest.raises(BadSettings, match="https only"):
        manifest(url)


def test_the_command_prints_json_yaml_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest"]) == 0
    assert json.loads(capsys.readouterr().out) == manifest()
    assert main(["manifest", "--mode", "http", "--url", "https://t.example", "--yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == manifest("https://t.example")
    assert main(["manifest", "--explain"]) == 0
    assert "reactions:read" in capsys.readouterr().out
    assert main(["manifest", "--mode", "http"]) == 2
    assert main(["manifest", "--url", "https://t.example"]) == 2


def test_the_local_workspace_grants_every_scope_that_the_manifest_asks_for() -> None:
    assert set(scopes()) <= set(SCOPES), "else doctor complains of a workspace that lets the bot do it"


@pytest.mark.parametrize("verb", VERBS)
def test_while_typing_deploy_people_read_what_it_can_do(verb: str) -> None:
    assert verb in re.findall(r"\w+", TYPED["deploy"][1])
