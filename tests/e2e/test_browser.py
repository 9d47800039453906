"""The demo's first story on the page, in a real browser: two people read the card and press, and the shop is repaired."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from bot.commands.staging import Stage, clean_environment, staged
from bot.demo.stories import STORY_1

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
expect.set_options(timeout=30_000)  # milliseconds; the machine may be busy
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page is not tried in a browser"),
]
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]


async def test_the_first_story_is_read_and_ended_in_the_browser(tmp_path: Path) -> None:
    async with staged(tmp_path, 0, 1, lambda _line: None, clean_environment()) as stage, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = await chromium.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{stage.page}?channel=C0PAYMENTS&as=U0ONCALL")
        await asyncio.sleep(3)  # the browser's own start must not look like a step in the shop's numbers
        await stage.estate.director.start(STORY_1)
        await read_and_end(page, stage)
        await chromium.close()
        assert complaints == []
        assert stage.estate.grounds.deploys.vendor_runs == 1


async def read_and_end(page: Page, stage: Stage) -> None:
    card = page.locator("#messages article").filter(has_text=re.compile(r"alerts? folded into this card"))
    await expect(card).to_have_count(1, timeout=90_000)
    await expect(card).to_contain_text(re.compile("Likely cause, (strong|likely): payments"), timeout=60_000)
    await expect(card).to_contain_text("on call: @Olivia")
    await card.get_by_role("button", name="Roll back…").click()
    await page.locator("#confirm").get_by_role("button", name="Prepare it").click()
    await card.locator(".thread-link").click()
    plan = page.locator("#replies article").filter(has_text="Rollback of payments (production)")
    await expect(plan).to_contain_text("awaiting approval", timeout=20_000)
    await page.get_by_role("radio", name="Amir").click()
    await plan.get_by_role("button", name="Approve").click()
    await page.locator("#confirm").get_by_role("button", name="Approve").click()
    await expect(plan).to_contain_text("approved by @Amir", timeout=20_000)
    await expect(card).to_contain_text("Resolved at", timeout=90_000)
    await expect(plan).to_contain_text("succeeded", timeout=20_000)
    await expect(plan.get_by_role("button", name="Approve")).to_have_count(0)
