"""Child processes of a command: they end when it ends, however it ends, and say in a line that they are up."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.errors import BadSettings

STARTING = 60.0  # seconds until a child has to be there


async def child_of(
    stack: contextlib.AsyncExitStack, words: list[str], environ: Mapping[str, str], log: Path
) -> asyncio.subprocess.Process:
    with log.open("ab") as errors:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=dict(environ),
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends its children in order
        )
    stack.push_async_callback(_end, child)
    return child


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), 8)
    except TimeoutError:
        child.kill()
        await child.wait()


async def first_line(child: asyncio.subprocess.Process, beginning: str, log: Path) -> str:
    """The next line of its output that begins so; raises BadSettings with the end of its log if it dies or takes too long."""
    assert child.stdout is not None  # noqa: S101  it was made with a pipe
    try:
        async with asyncio.timeout(STARTING):
            while line := (await child.stdout.readline()).decode():
                if line.startswith(beginning):
                    return line.strip()
    except TimeoutError:
        pass
    raise BadSettings(f"A part of the demo did not start; the end of {log.name}:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
