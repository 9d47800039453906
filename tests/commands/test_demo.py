"""The demo leaves nothing behind, however it ends, and says plainly what keeps it from starting."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.commands.loopback import free_port
from bot.commands.staging import clean_environment

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc: processes cannot be counted here"),
]
Process = tuple[int, str]  # pid and start time: a pid alone may be given to somebody else


def processes() -> dict[int, tuple[int, str]]:
    """Parent and start time by pid, of all that run (zombies do not)."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(stat.parent.name)] = (int(fields[1]), fields[19])
    return found


def family(pid: int) -> set[Process]:
    """A process and all its descendants, now."""
    now = processes()
    mine = {pid}
    while more := {child for child, (parent, _) in now.items() if parent in mine} - mine:
        mine |= more
    return {(one, now[one][1]) for one in mine if one in now}


async def gone(those: set[Process], seconds: float) -> float:
    """How long it took until none of them ran."""
    began = time.monotonic()
    while left := {p for p in those if processes().get(p[0], (0, ""))[1] == p[1]}:
        if time.monotonic() - began > seconds:
            words = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200] for pid, _ in left]
            raise AssertionError(f"still there after {seconds:g} s: {words}")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@contextlib.asynccontextmanager
async def demo(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tocsin demo` as a user's shell starts it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT, env=clean_environment(),
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        left = family(process.pid)
        if process.returncode is None:
            process.terminate()
            await process.wait()
        await gone(left, 60)


async def is_up(process: asyncio.subprocess.Process, port: int) -> set[Process]:
    """All processes of the demo, once it says where its page is."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stdout.readline(), 90)
    said = line or await process.stderr.read()  # it ended without a line: it says why
    assert f"The demo is at http://127.0.0.1:{port}/" in said.decode()
    everybody = family(process.pid)
    assert len(everybody) >= 8  # the demo, workspace, bot, five services, the provider
    return everybody


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
async def test_however_it_is_ended_no_process_is_left_and_the_next_start_works(how: signal.Signals) -> None:
    port = free_port()
    async with demo("--port", str(port)) as process:
        everybody = await is_up(process, port)
        os.kill(process.pid, how)
        await asyncio.wait_for(process.wait(), 60)
        await gone(everybody, 30)
        assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    async with demo("--port", str(port)) as again:
        await is_up(again, port)


async def test_a_busy_port_is_said_plainly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with demo("--port", str(port)) as process:
            _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert f"Port {port} is in use. Choose another: `tocsin demo --port {port + 1}`." in said.decode()
    assert "Traceback" not in said.decode()


async def test_once_that_is_interrupted_leaves_no_process() -> None:
    async with demo("--once") as process:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 90)  # the story has begun
        everybody = family(process.pid)
        os.kill(process.pid, signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) != 0
        await gone(everybody, 30)


async def test_once_that_ends_by_itself_leaves_no_process() -> None:
    async with demo("--once") as process:
        assert process.stdout is not None
        everybody: set[Process] = set()
        while line := await asyncio.wait_for(process.stdout.readline(), 120):
            if b" s  " in line:
                everybody |= family(process.pid)
        await asyncio.wait_for(process.wait(), 30)
        await gone(everybody, 30)
    assert len(everybody) >= 8
