"""The agent panel and direct messages: what to ask is shown, a press asks it, the answer comes in a thread with a title."""

import logging
from typing import Any, cast

import pytest

from bot.flows.desk import Desk
from bot.slack.app import build_app
from bot.slack.client import connect
from bot.slack.front import Front
from bot.slack.panel import HEADING, suggest
from tests.slack.scripted import scripted
from tests.slack.test_app import OnlyAChannel, Remembering, scene

PROMPTS = [{"title": "Why?", "message": "Why did INC-42 happen?"}]


async def test_whoever_opens_the_conversation_sees_what_is_worth_asking_and_is_answered_in_a_thread() -> None:
    async with scene() as it:
        await it.workspace.do("home", **{"as": "U0ONCALL"}, tab="messages")

        async def suggested() -> Any:
            return (await it.workspace.see("suggestions", **{"as": "U0ONCALL"}))["suggestions"]

        shown = await it.workspace.until(suggested)
        assert shown == {"title": HEADING, "prompts": PROMPTS}
        posted = await it.workspace.do("messages", **{"as": "U0ONCALL"}, channel="U0TOCSIN", text=PROMPTS[0]["message"])
        [(name, asked)] = await it.asked()
        assert (name, asked.text, asked.place.thread) == ("question", PROMPTS[0]["message"], posted["ts"])

        async def title() -> str:
            query = {"as": "U0ONCALL", "channel": posted["channel"], "thread_ts": posted["ts"]}
            named: str = (await it.workspace.http.get("/page/messages", params=query)).json()["title"]
            return named

        assert await it.workspace.until(title) == PROMPTS[0]["message"]
        assert [name for name, _ in it.flows.asked] == ["question"]  # opening the conversation publishes no home page


@pytest.mark.parametrize(("thread", "carried"), [("", None), ("17.1", "17.1")])
async def test_only_the_prompts_of_an_older_app_belong_to_a_thread(thread: str, carried: str | None) -> None:
    async with scripted() as server:
        await suggest(Front(cast(Desk, OnlyAChannel(None)), Remembering().stories, connect("xoxb-1", server.url)), "D1", thread)
    [(method, body)] = server.asked
    assert (method, body.get("thread_ts"), body["prompts"]) == ("assistant.threads.setSuggestedPrompts", carried, PROMPTS)


async def test_a_workspace_without_the_feature_does_without_and_tells_nobody() -> None:
    async with scripted(assistant_threads_setSuggestedPrompts=[{"ok": False, "error": "missing_scope"}]) as server:
        await suggest(Front(cast(Desk, OnlyAChannel(None)), Remembering().stories, connect("xoxb-1", server.url)), "D1")
    assert server.methods() == ["assistant.threads.setSuggestedPrompts"]


def test_the_app_starts_without_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-from-the-environment")
    with caplog.at_level(logging.WARNING):
        app = build_app(
            cast(Desk, OnlyAChannel(None)), Remembering().stories, bot_token="xoxb-1", api_url="http://127.0.0.1:9/api/"
        )
    assert caplog.records == []
    assert (app.client.token, app.client.base_url, app.client.retry_handlers) == ("xoxb-1", "http://127.0.0.1:9/api/", [])
