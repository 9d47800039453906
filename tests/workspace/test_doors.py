"""Who may use the workspace, and that its documentation names every door."""

import re
from pathlib import Path

import pytest
from starlette.routing import Route

import bot.workspace
from bot.workspace.server import WorkspaceConfig, create_app, settings_lines
from tests.workspace.conftest import Running

README = Path(bot.workspace.__file__).parent / "README.md"
POST = {"as": "U0ONCALL", "channel": "C0ALERTS", "text": "hello"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_other_pages_are_refused(workspace: Running, headers: dict[str, str]) -> None:
    assert (await workspace.http.post("/workspace/messages", json=POST, headers=headers)).status_code == 403
    assert (await workspace.http.get("/workspace/transcript", headers=headers)).status_code == 403
    assert await workspace.messages("C0ALERTS") == []


async def test_the_page_itself_and_programs_are_served(workspace: Running) -> None:
    own = {"Origin": workspace.config.base_url, "Sec-Fetch-Site": "same-origin"}
    assert (await workspace.http.post("/workspace/messages", json=POST, headers=own)).status_code == 200
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await workspace.http.get("/", headers=followed)).status_code == 200


async def test_a_form_is_not_taken_for_json(workspace: Running) -> None:
    text = {"Content-Type": "text/plain"}
    answer = await workspace.http.post("/workspace/messages", content='{"as": "U0ONCALL"}', headers=text)
    assert answer.status_code == 415


async def test_the_page_may_load_only_its_own_script(workspace: Running) -> None:
    policy = (await workspace.http.get("/")).headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    for path in ("/static/page.js", "/static/page.css"):
        assert (await workspace.http.get(path)).status_code == 200


async def test_mistakes_are_answered_with_what_there_is(workspace: Running) -> None:
    nobody = await workspace.do("messages", **{**POST, "as": "U9"})
    assert "U0APPROVER" in nobody["error"]
    nowhere = await workspace.do("messages", **{**POST, "channel": "C9"})
    assert "C0INCIDENTS" in nowhere["error"]
    fault = await workspace.do("faults", kind="earthquake")
    assert "ratelimited" in fault["error"]


async def test_the_transcript_never_holds_a_token(workspace: Running) -> None:
    await workspace.slack.chat_postMessage(channel="C0ALERTS", text="x")
    text = (await workspace.http.get("/workspace/transcript")).text
    assert "posted" in text
    for secret in (workspace.config.bot_token, workspace.config.app_token, workspace.config.signing_secret):
        assert secret not in text
        assert secret not in repr(workspace.config)


def test_the_settings_connect_a_bot() -> None:
    config = WorkspaceConfig(port=8444, bot_token="xoxb-1", app_token="xapp-1", signing_secret="s")
    assert settings_lines(config) == [
        "SLACK_BOT_TOKEN=xoxb-1",
        "SLACK_APP_TOKEN=xapp-1",
        "SLACK_SIGNING_SECRET=s",
        "TOCSIN_SLACK_API_URL=http://127.0.0.1:8444/api/",
    ]


def test_every_door_is_documented() -> None:
    routes = [r.path for r in create_app(WorkspaceConfig()).routes if isinstance(r, Route)]
    documented = set(re.findall(r"`(/workspace[a-z/]*|/api-doc)`", README.read_text(encoding="utf-8")))
    assert {p for p in routes if p.startswith("/workspace")} <= documented


async def test_the_documentation_is_served(workspace: Running) -> None:
    assert (await workspace.http.get("/api-doc")).text == README.read_text(encoding="utf-8")
