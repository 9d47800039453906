"""`tocsin standin` answers as long as whoever started it is there."""

import asyncio
import sys
from pathlib import Path

import httpx

from bot.commands.staging import clean_environment

ROOT = Path(__file__).parents[2]


async def test_the_stand_in_says_where_it_is_and_ends_with_its_standard_input() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "standin", "--port", "0", "--until-stdin-closes",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=clean_environment(),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    url = line.removeprefix("The stand-in is at ").strip()
    async with httpx.AsyncClient(trust_env=False) as http:
        models = (await http.get(f"{url}/models")).json()
    assert [m["id"] for m in models["data"]] == ["stand-in"]
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0
