"""A program is run: without a shell, for a limited time, with nothing of our environment, and its end is told."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from bot.errors import BadSettings, Unavailable
from bot.redact import clean, redact

MOST_STDOUT = 1_000_000  # bytes; a list of versions is never longer
MOST_STDERR = 64_000
LAST_LINES = 20
LINE = 500
DRAIN = 1.0  # seconds that a program's own children may hold its output open after it ended


@dataclass(frozen=True, slots=True)
class Ended:
    """What a program left behind."""

    code: int
    stdout: bytes
    lines: tuple[str, ...]
    cut: bool


async def run(words: tuple[str, ...], seconds: float, environment: Mapping[str, str], folder: str) -> Ended:
    """What the program left behind; `environment` is all it gets beside PATH and LANG.

    Raises BadSettings if it did not start, Unavailable if it did not end in time; then it and its children are killed.
    """
    out, err = _Kept(MOST_STDOUT), _Kept(MOST_STDERR)
    try:
        process = await _spawn(words, await out.open(), await err.open(), environment, folder)
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError as error:
            limit = f"{seconds:g} s"
            raise Unavailable(f"{program(words)} did not end within {limit} and was killed.") from error
        finally:
            if process.returncode is None:
                _kill_group(process.pid)
                await process.wait()
        await asyncio.wait({out.ended, err.ended}, timeout=DRAIN)
    finally:
        out.close()
        err.close()
    lines = _last_lines(bytes(err.said), b"" if code == 0 else bytes(out.said))
    return Ended(code, bytes(out.said), lines, out.cut)


async def _spawn(
    words: tuple[str, ...], stdout: int, stderr: int, environment: Mapping[str, str], folder: str
) -> asyncio.subprocess.Process:
    """The program, started with two write ends of pipes, which are closed here afterwards.

    They are pipes of our own: asyncio's would make `wait()` wait for everybody who holds them, the program's children too.
    """
    try:
        return await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", **environment},
            cwd=folder or None,
            start_new_session=True,
        )
    except OSError as error:
        reason = error.strerror or "it cannot be run"
        raise BadSettings(
            f"The deployer's program {words[0]!r} did not start: {reason}. Give its full path or set PATH in the "
            f"deployer's `environment`."
        ) from error
    finally:
        os.close(stdout)
        os.close(stderr)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def program(words: tuple[str, ...]) -> str:
    """How a program is called in a message: by its name, without its arguments."""
    return f"The deployer's program {os.path.basename(words[0])!r}"


class _Kept(asyncio.Protocol):
    """The end of what comes out of a pipe; it can be left while something still holds the other end."""

    def __init__(self, most: int) -> None:
        self.said = bytearray()
        self.cut = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._most = most
        self._pipe: asyncio.ReadTransport | None = None

    async def open(self) -> int:
        """A new pipe that is read from now on; the descriptor to write to, which belongs to the caller."""
        read, write = os.pipe()
        self._pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self, os.fdopen(read, "rb", 0))
        return write

    def close(self) -> None:
        """Nothing more is read."""
        if self._pipe is not None:
            self._pipe.close()

    def data_received(self, data: bytes) -> None:
        self.said += data
        if len(self.said) > self._most:
            del self.said[: -self._most]
            self.cut = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the signature is asyncio's
        if not self.ended.done():
            self.ended.set_result(None)


def _last_lines(*texts: bytes) -> tuple[str, ...]:
    """The last lines, fit to be shown: redacted, without control characters, cut in length."""
    lines: list[str] = []
    for raw in texts:
        text = redact(clean(raw[-MOST_STDERR:].decode(errors="replace")))
        lines += [line.rstrip()[:LINE] for line in text.splitlines() if line.strip()]
    return tuple(lines[-LAST_LINES:])
