"""The page in a real browser: a person reads the card, presses, fills a modal, changes persona."""

import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from bot.workspace.server import SlashCommand
from tests.workspace.card import CARD, CARD_TEXT
from tests.workspace.conftest import Running, bolt, connected, running
from tests.workspace.test_bolt_over_socket_mode import MODAL

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
expect.set_options(timeout=30_000)  # milliseconds; the machine may be busy
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page is not tried in a browser"),
]


class Browser:
    """One page of a real browser on the workspace, and everything it complained about."""

    def __init__(self, workspace: Running, page: Page) -> None:
        self.workspace = workspace
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)

    async def open(self, query: str) -> Page:
        await self.page.goto(f"{self.workspace.config.base_url}/?{query}")
        return self.page


@pytest.fixture
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    size = getattr(request, "param", (1280, 800))
    commands = (SlashCommand("/why", "Say why"),)
    async with running(ack_seconds=10.0, commands=commands) as workspace, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await chromium.new_page(viewport={"width": size[0], "height": size[1]})
        yield Browser(workspace, page)
        await chromium.close()


async def test_a_person_reads_the_card_presses_a_button_and_writes(browser: Browser) -> None:
    workspace = browser.workspace
    app = bolt(workspace)

    @app.action("ack")
    async def acknowledged(ack: Any, client: Any, body: dict[str, Any]) -> None:
        await ack()
        text = f"Acknowledged by <@{body['user']['id']}>"
        where = {"channel": body["channel"]["id"], "ts": body["message"]["ts"]}
        await client.chat_update(**where, text=text, blocks=[])

    @app.event("message")
    async def heard() -> None:
        return None

    async with connected(workspace, app):
        page = await browser.open("channel=C0INCIDENTS&as=U0ONCALL")
        await app.client.chat_postMessage(channel="C0INCIDENTS", text=CARD_TEXT, blocks=CARD)
        card = page.locator("#messages article")
        await expect(card.locator("h3")).to_have_text("🔴 INC-42 · payments · SEV2 · open 12 min")
        await expect(card.locator("table tr")).to_have_count(4)
        await card.get_by_role("button", name="Roll back…").click()
        await expect(page.locator("#confirm")).to_contain_text("payments v43 goes back to v42")
        await page.get_by_role("button", name="Keep v43").click()
        await page.get_by_role("radio", name="Amir").click()
        await card.get_by_role("button", name="Acknowledge").click()
        await expect(card).to_contain_text("Acknowledged by @Amir")
        await page.get_by_label("Message", exact=True).fill("thanks <b>all</b> :tada:")
        await page.keyboard.press("Enter")
        await expect(page.locator("#messages article").nth(1)).to_contain_text("thanks <b>all</b> 🎉")
    assert browser.complaints == []
    assert (await workspace.messages())[1]["user"] == "U0APPROVER"


async def test_a_modal_opens_shows_its_errors_and_closes(browser: Browser) -> None:
    app = bolt(browser.workspace)

    @app.command("/why")
    async def why(ack: Any, client: Any, command: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=command["trigger_id"], view=MODAL)

    @app.view("why")
    async def sent(ack: Any, view: dict[str, Any], client: Any) -> None:
        await ack()
        await client.chat_postMessage(channel="C0ALERTS", text=view["state"]["values"]["reason"]["text"]["value"])

    async with connected(browser.workspace, app):
        page = await browser.open("channel=C0ALERTS&as=U0ONCALL")
        box = page.get_by_label("Message", exact=True)
        await box.fill("/w")
        await expect(page.locator(".suggest button")).to_have_text(re.compile("/why.*Say why"))
        await box.fill("/why ")
        await page.keyboard.press("Enter")
        modal = page.locator("#modal form")
        await modal.get_by_role("button", name="Send").click()
        await expect(modal.locator(".error")).to_have_text("Please complete this required field.")
        await modal.locator("input").fill("the provider is down")
        await modal.get_by_role("button", name="Send").click()
        await expect(modal).to_have_count(0)
        await expect(page.locator("#messages article")).to_contain_text("the provider is down")
    assert browser.complaints == []


async def test_an_ephemeral_message_follows_its_persona(browser: Browser) -> None:
    page = await browser.open("channel=C0ALERTS&as=U0OUTSIDER")
    slack = browser.workspace.slack
    await slack.chat_postMessage(channel="C0PAYMENTS", text="elsewhere")
    await slack.chat_postEphemeral(channel="C0ALERTS", user="U0OUTSIDER", text="only for Otto")
    await expect(page.locator("#messages article.ephemeral")).to_contain_text("only for Otto")
    await expect(page.locator("#channels .count")).to_have_text("1")
    await page.get_by_role("radio", name="Olivia").click()
    await expect(page.locator("#messages .empty")).to_be_visible()
    assert browser.complaints == []


@pytest.mark.parametrize("browser", [(390, 844)], indirect=True)
async def test_a_thread_is_readable_and_answered_on_a_phone(browser: Browser) -> None:
    workspace = browser.workspace
    posted = await workspace.slack.chat_postMessage(channel="C0INCIDENTS", text=CARD_TEXT, blocks=CARD)
    await workspace.slack.chat_postMessage(channel="C0INCIDENTS", text="*progress*", thread_ts=posted["ts"])
    page = await browser.open("channel=C0INCIDENTS&as=U0ONCALL")
    await page.locator("#messages .thread-link").click()
    await expect(page.locator("#replies article")).to_have_count(2)
    await page.get_by_label("Reply", exact=True).fill("got it")
    await page.keyboard.press("Enter")
    await expect(page.locator("#replies article").nth(2)).to_contain_text("got it")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.get_by_label("Close thread").click()
    await expect(page.locator("#messages .thread-link")).to_contain_text("2 replies")
    assert browser.complaints == []


async def test_a_streamed_answer_grows_in_its_thread_below_its_steps(browser: Browser) -> None:
    workspace = browser.workspace
    slack = workspace.slack
    asked = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", text="@tocsin why?")
    thread = {"channel": "C0INCIDENTS", "thread_ts": asked["ts"]}
    page = await browser.open(f"channel=C0INCIDENTS&thread={asked['ts']}&as=U0ONCALL")
    await slack.assistant_threads_setStatus(channel_id="C0INCIDENTS", thread_ts=asked["ts"], status="is looking into it…")
    await expect(page.locator("#thread-status")).to_have_text("tocsin is looking into it…", ignore_case=True)
    step = {"type": "task_update", "id": "t1", "title": "Reading the logs", "status": "in_progress"}
    to = {"recipient_user_id": "U0ONCALL", "recipient_team_id": "T0TOCSIN"}
    started = await slack.chat_startStream(**thread, **to, chunks=[step])
    answer = page.locator("#replies article").nth(1)
    await expect(answer.locator(".task.in_progress")).to_have_text(re.compile("Reading the logs"))
    await expect(page.locator("#thread-status")).to_be_empty()
    where = {"channel": "C0INCIDENTS", "ts": started["ts"]}
    await slack.chat_appendStream(
        **where, chunks=[{**step, "status": "complete"}, {"type": "markdown_text", "text": "**Because** "}]
    )
    await expect(answer.locator("strong")).to_have_text("Because")
    await expect(answer.locator(".streaming")).to_have_count(1)
    await slack.chat_appendStream(**where, chunks=[{"type": "markdown_text", "text": "of v43"}])
    await expect(answer).to_contain_text("Because of v43")
    await slack.chat_stopStream(**where, blocks=[{"type": "context", "elements": [{"type": "mrkdwn", "text": "[E4] retries"}]}])
    await expect(answer).to_contain_text("[E4] retries")
    await expect(answer.locator(".streaming")).to_have_count(0)
    await expect(answer.locator(".task.complete")).to_have_count(1)
    await expect(page.locator("#replies article")).to_have_count(2)
    assert browser.complaints == []


async def test_a_suggested_prompt_is_a_button_that_asks_it(browser: Browser) -> None:
    workspace = browser.workspace
    app = bolt(workspace)
    opened: list[str] = []

    @app.event("app_home_opened")
    async def shown(event: dict[str, Any], client: Any) -> None:
        opened.append(event["tab"])
        prompts = [{"title": "Why INC-42?", "message": "Why did INC-42 happen?"}]
        await client.assistant_threads_setSuggestedPrompts(channel_id=event["channel"], title="Ask", prompts=prompts)

    @app.event("message")
    async def heard(event: dict[str, Any], client: Any) -> None:
        where = {"channel_id": event["channel"], "thread_ts": event["ts"]}
        await client.assistant_threads_setTitle(**where, title="Why INC-42")

    async with connected(workspace, app):
        page = await browser.open("channel=D00ONCALL&as=U0ONCALL")
        prompt = page.get_by_role("button", name="Why INC-42?")
        await expect(page.locator("#prompts b")).to_have_text("Ask")
        await prompt.click()
        question = page.locator("#messages article")
        await expect(question).to_contain_text("Why did INC-42 happen?")
        await expect(prompt).to_have_count(0)
        await question.hover()
        await question.get_by_title("Reply in thread").click()
        await expect(page.locator("#thread-where")).to_have_text("Why INC-42")
    assert opened == ["messages"]
    assert browser.complaints == []
