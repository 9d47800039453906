"""Takes the pictures of docs/deploys.md from the demo's first story, in a real browser: plan, approval, progress, verification.

    .venv/bin/python scripts/screenshots.py [FOLDER]      (default: docs/images)

Look at them before you commit them.
"""

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Locator, Page, async_playwright, expect

from bot.commands.staging import Means, clean_environment, staged
from bot.demo.stories import STORY_1

IMAGES = Path(__file__).parents[1] / "docs" / "images"
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
PATIENCE = 90_000  # milliseconds
READING = 15  # seconds that Amir takes; without them "before" is mostly the time before the trouble


async def main(folder: Path) -> None:
    """All pictures are in the folder."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("There is no Chromium on this machine; `make parts` installs one where it may.")
    with tempfile.TemporaryDirectory(prefix="tocsin-pictures-") as estate:
        async with (
            staged(Path(estate), 0, 1, print, clean_environment(), means=Means("ansible")) as stage,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=QUIET)
            page = await browser.new_page(viewport={"width": 1500, "height": 1600}, device_scale_factor=1.5, bypass_csp=True)
            await page.goto(f"{stage.page}?channel=C0PAYMENTS&as=U0ONCALL")
            await page.add_style_tag(content="aside { width: 640px !important } .body { padding: 6px 10px }")  # room for a thread
            await asyncio.sleep(3)  # the browser's own start must not look like a step in the shop's numbers
            await stage.estate.director.start(STORY_1)
            await story(page, folder)
            await browser.close()


async def story(page: Page, folder: Path) -> None:
    """Olivia asks, Amir approves; each stage of the one message is a picture."""
    card = page.locator("#messages article").filter(has_text=re.compile(r"alerts? folded into this card"))
    await expect(card).to_contain_text(re.compile("Likely cause, (strong|likely): payments"), timeout=PATIENCE)
    await card.get_by_role("button", name="Roll back…").click()
    await page.locator("#confirm").get_by_role("button", name="Prepare it").click()
    await card.locator(".thread-link").click()
    plan = page.locator("#replies article").filter(has_text="Rollback of payments (production)")
    await expect(plan).to_contain_text("awaiting approval", timeout=PATIENCE)
    await picture(plan, folder / "action-plan.png")
    await asyncio.sleep(READING)
    await page.get_by_role("radio", name="Amir").click()
    await plan.get_by_role("button", name="Approve").click()
    await asyncio.sleep(0.5)
    await picture(page.locator("#confirm"), folder / "action-approval.png")
    await page.locator("#confirm").get_by_role("button", name="Approve").click()
    await expect(plan).to_contain_text(re.compile("executing|running"), timeout=PATIENCE)
    await picture(plan, folder / "action-progress.png")
    await expect(plan).to_contain_text("succeeded", timeout=PATIENCE)
    await picture(plan, folder / "action-verified.png")


async def picture(what: Locator, path: Path) -> None:
    """A message's words, or a form, and nothing around it."""
    await what.page.mouse.move(0, 0)  # no tools over it
    await what.scroll_into_view_if_needed()
    await asyncio.sleep(0.3)
    await (what.locator(".body") if await what.locator(".body").count() else what).screenshot(path=path)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES))
