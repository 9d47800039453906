"""The demo's first story with its deployments carried out in other ways: the same card, plan and end, and one run."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest

from bot.commands.staging import Means, clean_environment, staged
from bot.commands.trouble import set_levers
from bot.demo.play import play_story
from bot.demo.stories import STORY_1
from tests.parcels import beside

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_the_rollback_is_carried_out_by_a_playbook(tmp_path: Path) -> None:
    said: list[str] = []
    async with staged(tmp_path, 0, 1, lambda _line: None, clean_environment(), means=Means("ansible")) as stage:
        outcome = await play_story(stage.page, stage.estate, STORY_1, said.append)
        assert outcome.faults == [], said
    assert outcome.vendor_runs == 1
    (room,) = (tmp_path / "bot/ansible-runs/runs").iterdir()
    order = json.loads((room / "order.json").read_text())
    assert (order["service"], order["environment"]) == ("payments", "production")
    played = (room / "artifacts" / room.name / "stdout").read_text()
    assert f"{order['service']}: " in played
    assert f"-> {order['version']}" in played
    assert "PLAY RECAP" in played
    assert json.loads((room / "ended.json").read_text())["status"] == "successful"
    with closing(beside(tmp_path / "bot/.tocsin/tocsin.db")) as database:
        (body,) = database.execute("SELECT body FROM actions").fetchone()
    assert any(f"-> {order['version']}" in line for line in json.loads(body)["plan"]["rehearsal"]), "people saw its dry run"


async def test_the_rollback_is_carried_out_by_an_executor_apart_from_the_bot(tmp_path: Path) -> None:
    said: list[str] = []
    tasks: set[asyncio.Task[None]] = set()
    async with staged(tmp_path, 0, 1, lambda _line: None, clean_environment(), means=Means(executor=True)) as stage:
        assert stage.executor is not None
        own = Path(f"/proc/{stage.process.pid}/environ").read_bytes() + (tmp_path / "bot/tocsin.toml").read_bytes()
        assert stage.estate.control_file.name.encode() not in own, "the bot does not even know where the credentials are"
        others = Path(f"/proc/{stage.executor.process.pid}/environ").read_bytes()
        assert not any(word in others for word in (b"SLACK_", b"SIGNING", b"TOCSIN_GITHUB_SECRET", b"TOCSIN_ALERTMANAGER_SECRET"))
        set_levers(stage, tasks)
        first = stage.executor.process
        assert "executor will be killed" in await stage.estate.grounds.levers["kill-executor"].pull()
        outcome = await play_story(stage.page, stage.estate, STORY_1, said.append)
        assert outcome.faults == [], said
        assert outcome.vendor_runs == 1
        assert first.returncode == -9, "it was killed while the rollback ran, and another one went on"
    for task in tasks:
        task.cancel()
