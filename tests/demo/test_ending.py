"""Nothing of the estate outlives the process that started it, however that ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

STARTS_AN_ESTATE = """
import asyncio, sys
from pathlib import Path
from bot.demo.estate import EstateConfig, start_estate

async def main():
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM"):
        loop.add_signal_handler(getattr(__import__("signal"), name), task.cancel)
    async with start_estate(EstateConfig(Path(sys.argv[1]), "http://127.0.0.1:9", "t", "s")) as estate:
        pids = [one.running.process.pid for one in estate.grounds.shop.instances]
        print(*pids, flush=True)
        await asyncio.Event().wait()

try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_no_process_is_left_behind(how: signal.Signals, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTS_AN_ESTATE, str(tmp_path / "estate")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert parent.stdout is not None
    pids = [int(word) for word in (await asyncio.wait_for(parent.stdout.readline(), 60)).split()]
    assert len(pids) == 9
    assert all(alive(pid) for pid in pids)
    parent.send_signal(how)
    await asyncio.wait_for(parent.wait(), 60)
    async with asyncio.timeout(30):
        while any(alive(pid) for pid in pids):
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_the_next_start_begins_anew_after_a_kill(tmp_path: Path) -> None:
    for _ in range(2):
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STARTS_AN_ESTATE, str(tmp_path / "estate")),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert parent.stdout is not None
        assert len((await asyncio.wait_for(parent.stdout.readline(), 60)).split()) == 9
        parent.kill()
        await parent.wait()
