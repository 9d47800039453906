"""docs/guides/github-actions.md, followed to the letter: its own files start the bot, GitHub is a stand-in over real HTTP."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.commands.loopback import free_port
from bot.demo.reading import Seen
from bot.ports import Order, RunState
from tests.connectors.served import served
from tests.connectors.stage_github import REPOSITORY, GitHubTheatre
from tests.connectors.stages import SECRET
from tests.e2e.house import APPROVER, ON_CALL, PAYMENTS, House
from tests.e2e.house import REPOSITORY as OURS
from tests.workspace.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
WHO = ("--who", ON_CALL, "--environment", "production")
GUIDE = OURS / "docs/guides/github-actions.md"
BLOCK = re.compile(r"^`(?P<file>[\w./-]+)`[^\n]*:\n\n```\w+\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


class Shop(GitHubTheatre):
    """GitHub with the guide's workflow, and green checks on every commit."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        if re.fullmatch(rf"{REPOSITORY}/commits/\w+/check-runs", request.url.path):
            run = {"name": "ci", "status": "completed", "conclusion": "success"}
            return httpx.Response(200, json={"total_count": 1, "check_runs": [run]})
        return super().answer(request)


def blocks() -> dict[str, str]:
    """The files of the guide by their names."""
    return {found["file"]: found["text"] for found in BLOCK.finditer(GUIDE.read_text(encoding="utf-8"))}


@dataclass
class Reader(House):
    """Somebody who follows the guide: what it says to export, and nothing but haste beside it."""

    github_url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        haste = {"TOCSIN_INCIDENTS_VERIFY_SECONDS": "2", "TOCSIN_KNOWLEDGE_EMBEDDER": "none"}
        stand_in = {"TOCSIN_DEPLOYERS_SHOP_API_URL": self.github_url}
        return {**super().environment, **haste, **stand_in, "TOCSIN_DEPLOYERS_SHOP_TOKEN": SECRET}


@contextlib.asynccontextmanager
async def followed(folder: Path) -> AsyncIterator[tuple[Reader, Shop]]:
    """The guide up to its fourth step, run by hand once; the bot is not started."""
    github, files = Shop(), blocks()
    github.workflow = files.pop(".github/workflows/deploy.yml")
    github.remember(Order("payments", "production", "v42", "by-hand"), RunState.SUCCEEDED, timedelta(days=1))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    async with (
        served(github) as url,
        running(retry_delays=(0.0, 2.0)) as slack,
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        reader = Reader(folder, slack, free_port(), http, github_url=url)
        try:
            yield reader, github
        finally:
            if reader.process is not None:
                await reader.end()


async def newest(reader: Reader, words: str, button: str = "") -> Seen:
    """The newest message of the channel that holds these words, and this button."""

    async def look() -> Seen | None:
        found = reversed(await reader.read(PAYMENTS))
        return next((m for m in found if words in m.text and (not button or m.button(button))), None)

    return await reader.until(look, f"a message with {words!r}")


async def started(reader: Reader, github: Shop, count: int) -> str:
    """The key of the newest run, once there are so many."""

    async def look() -> str | None:
        return github.started[-1] if len(github.started) == count else None

    return await reader.until(look, f"{count} runs")


def test_the_guide_has_the_files_that_it_names() -> None:
    assert set(blocks()) == {".github/workflows/deploy.yml", "tocsin.toml", "services.yaml", "policies.yaml", "routing.yaml"}


async def test_whoever_follows_the_guide_deploys_and_rolls_back_once_each(tmp_path: Path) -> None:
    async with followed(tmp_path) as (reader, github):
        _, said = await reader.cli("doctor")
        assert re.search(r"^ok +deployer +shop lacks nothing that can be seen without deploying", said, re.MULTILINE), said
        code, said = await reader.cli("policy", "explain", "--do", "deploy", "--service", "payments", *WHO)
        assert code == 0, said
        asked = len(await reader.refusals())  # the doctor asks Slack for what it knows that Slack refuses
        await reader.start()

        await reader.command(ON_CALL, "/deploy", "payments v43 --dry-run")
        plan = await newest(reader, "planned (dry run)")
        assert not plan.button("Approve"), "a dry run asks nobody"
        assert github.only_asked

        await reader.command(ON_CALL, "/deploy", "payments v43")
        plan = await newest(reader, "awaiting approval", "Approve")
        assert "v42" in plan.text
        assert "1 green" in plan.text, "the checks of a commit that only a tag names"
        await reader.press(ON_CALL, plan, "Approve")
        await reader.whisper(ON_CALL, "approve")
        assert github.started == []
        await asyncio.gather(*(reader.press(APPROVER, plan, "Approve") for _ in range(2)))
        key = await started(reader, github, 1)
        await newest(reader, "actions/runs/")
        github.finish(key, RunState.SUCCEEDED)
        await newest(reader, "succeeded")
        (body,) = [json.loads(r.content) for r in github.asked if r.method == "POST"]
        assert body["inputs"] == {"service": "payments", "version": "v43", "environment": "production", "tocsin_key": key}

        await reader.command(ON_CALL, "/rollback", "payments")
        plan = await newest(reader, "awaiting approval", "Approve")
        await reader.press(APPROVER, plan, "Approve")
        back = await started(reader, github, 2)
        assert next(p.order.version for p in github.plays if p.order.key == back) == "v42"
        github.finish(back, RunState.FAILED)
        failed = await newest(reader, "Roll out failed")
        assert "failed" in failed.text
        assert (await reader.refusals())[asked:] == []
