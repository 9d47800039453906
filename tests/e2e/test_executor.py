"""The executor apart from the bot, over real sockets: a rollback through it, its absence, and a bot that holds too much."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.commands.staging import clean_environment
from bot.executor.keys import new_pair
from tests.e2e.house import APPROVER, REPOSITORY, House, a_house

pytestmark = pytest.mark.slow
KEY = "the-executors-key-of-this-test"


def move_out(house: House, private: str) -> Path:
    """The deployer leaves the bot's folder for the executor's."""
    file = house.folder / "tocsin.toml"
    bots, table, deployers = file.read_text(encoding="utf-8").partition("[deployers.shop]")
    file.write_text(f'{bots}\n[executor]\nmode = "apart"\nsigning_key = "{private}"\nkey = "{KEY}"\nstart_seconds = 2\n')
    other = house.folder / "executor"
    other.mkdir()
    (other / "tocsin.toml").write_text(table + deployers)
    return other


@contextlib.asynccontextmanager
async def an_executor(house: House, folder: Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """It runs while this is entered, by the command that people type, with nothing of the bot's environment."""
    with (house.folder / "executor.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "--config", str(folder), "executor", "--until-stdin-closes",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            env={**clean_environment(), **environment}, cwd=REPOSITORY,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line.startswith(b"The executor is up: shop"), (house.folder / "executor.log").read_text()
    try:
        yield process
    finally:
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_rollback_goes_through_an_executor_that_comes_by_the_door_and_waits_for_one_that_is_away(tmp_path: Path) -> None:
    private, public = new_pair()
    async with a_house(tmp_path, started=False) as house:
        own = {"TOCSIN_EXECUTOR_PUBLIC_KEY": public}
        by_door = own | {"TOCSIN_EXECUTOR_URL": f"http://127.0.0.1:{house.port}", "TOCSIN_EXECUTOR_KEY": KEY}
        by_database = own | {"TOCSIN_DATABASE_URL": f"sqlite:///{house.folder}/.tocsin/tocsin.db"}
        folder = move_out(house, private)
        await house.start()
        await house.alert()
        card = await house.card("payments")
        async with an_executor(house, folder, **by_door):
            plan = await house.plan(card)
            _, said = await house.cli("doctor")
            assert "shop lacks nothing" in said, said
            assert " s ago" in said, said
        await house.press(APPROVER, plan, "Approve")  # nobody is there who could carry it out
        await asyncio.sleep(3)
        assert house.deployer["starts"] == []
        async with an_executor(house, folder, **by_database):

            async def started() -> bool:
                return len(house.deployer["starts"]) == 1

            await house.until(started, "one start", 40)


async def test_a_bot_that_still_holds_a_deployer_does_not_start(tmp_path: Path) -> None:
    async with a_house(tmp_path, started=False) as house:
        file = house.folder / "tocsin.toml"
        file.write_text(file.read_text(encoding="utf-8") + '\n[executor]\nmode = "apart"\n', encoding="utf-8")
        status, said = await house.cli("serve")
        assert status == 2
        assert "must hold no deploy credential, but it has [deployers.shop]" in said
