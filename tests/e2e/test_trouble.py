"""The panel's trouble on a real stage: a bot killed amid a rollback ends it with one run, also while its model is away."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from bot.commands.staging import STAND_IN, clean_environment, staged
from bot.commands.trouble import set_levers
from bot.demo.play import play_story
from bot.demo.stories import STORY_1

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_bot_that_is_killed_during_a_rollback_ends_it_with_one_run(tmp_path: Path) -> None:
    said: list[str] = []
    tasks: set[asyncio.Task[None]] = set()
    async with staged(tmp_path, 0, 1, lambda _line: None, clean_environment(), STAND_IN) as stage:
        set_levers(stage, tasks)
        levers = stage.estate.grounds.levers
        assert set(levers) == {"kill", "slack", "planted", "model"}
        first = stage.process
        assert "killed" in await levers["kill"].pull()
        assert "503" in await levers["model"].pull()
        outcome = await play_story(stage.page, stage.estate, STORY_1, said.append)
        assert first.returncode == -9, "it was killed while the rollback ran"
        assert stage.process.returncode is None, "and another one runs"
        assert outcome.vendor_runs == 1
        assert outcome.faults == [], said
        assert "answers again" in await levers["model"].pull()
        async with aiohttp.ClientSession(trust_env=False) as session, session.get(stage.model_door) as door:
            assert (await door.json())["asked"] > 0, "the model was asked although it was down"
    for task in tasks:
        task.cancel()
