"""Merge, split and undo by a card's menu, by mouse in a real browser; and how a service that nobody knows is marked."""

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from tests.e2e.house import INCIDENTS, ON_CALL, PAYMENTS, House
from tests.e2e.test_browser import CHROMIUM, QUIET

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page is not tried in a browser"),
]


def the_card(page: Page, key: str) -> Locator:
    folded = page.locator("#messages article").filter(has_text=re.compile(r"alerts? folded into this card|Merged into"))
    return folded.filter(has_text=re.compile(rf"{key}\b"))


async def choose(page: Page, card: Locator, entry: str) -> None:
    """An entry of the menu behind the three dots of a card."""
    await card.locator("details.overflow > summary").click()
    await card.locator("details.overflow .menu").get_by_text(entry).click()


async def fill(page: Page, *wanted: tuple[int, str]) -> None:
    """Each select of the form by its place, then its button."""
    form = page.locator("#modal form.modal")
    await expect(form).to_contain_text("Merge or split", timeout=20_000)
    for place, words in wanted:
        select = form.locator("select").nth(place)
        option = select.locator("option").filter(has_text=words).first
        await select.select_option(value=await option.get_attribute("value"))
    if folder := os.environ.get("TOCSIN_TEST_SHOTS"):
        await page.screenshot(path=str(Path(folder) / f"regroup{len(wanted)}{wanted[-1][0]}.png"))
    await form.get_by_role("button", name="Do it").click()
    await expect(page.locator("#modal form.modal")).to_have_count(0, timeout=20_000)


async def test_a_problem_is_split_off_and_an_incident_merged_by_mouse(house: House) -> None:
    await house.alert()
    await house.alert(name="QueueFull")
    await house.card("2 alerts folded into this card")
    await house.alert("ledgerd", name="DiskBroken")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = await chromium.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        base = house.workspace.config.base_url
        await page.goto(f"{base}/?channel={INCIDENTS}&as={ON_CALL}")
        stranger = the_card(page, "INC-2")
        await expect(stranger).to_contain_text("service ledgerd is not in services.yaml", timeout=30_000)
        await page.goto(f"{base}/?channel={PAYMENTS}&as={ON_CALL}")
        card = the_card(page, "INC-1")
        await choose(page, card, "Merge, split")
        await fill(page, (0, "Split a problem off"), (2, "QueueFull"))
        await expect(the_card(page, "INC-3")).to_contain_text("1 alert folded", timeout=30_000)
        await choose(page, the_card(page, "INC-3"), "Merge, split")
        await fill(page, (0, "Merge this incident"), (1, "INC-1"))
        await expect(the_card(page, "INC-3")).to_contain_text("Merged into INC-1", timeout=30_000)
        await choose(page, the_card(page, "INC-3"), "Undo the merge")
        await expect(the_card(page, "INC-3")).not_to_contain_text("Merged into", timeout=30_000)
        if folder := os.environ.get("TOCSIN_TEST_SHOTS"):
            await page.screenshot(path=str(Path(folder) / "regroup.png"))
        await chromium.close()
    assert complaints == []
    assert await house.refusals() == []
