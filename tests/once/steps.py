"""A process announces each step that it takes, and ends, or stands still, at the one it was told.

The edges of the process are wrapped: every transaction of the database, every call of a vendor, every program that is started,
every call of Slack. Nothing of the bot itself knows.
"""

import asyncio
import functools
import inspect
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from slack_sdk.web.async_client import AsyncWebClient

from bot.storage.database import SqlDatabase
from bot.wire import programs
from connectors import command

KILL, FREEZE = "kill", "freeze"
MOMENT = 0.1  # seconds
SIGNALS = {KILL: signal.SIGKILL, FREEZE: signal.SIGSTOP}


class Steps:
    """Announces by a line in `file`, which outlives the process. At the n-th step of a name the process gets the signal.

    `fatal` is (name, n, "kill" | "freeze", mark), n from 1. Of several processes the first to get there gets it, and makes
    the file `mark`.
    """

    def __init__(self, file: str, fatal: tuple[str, int, str, str] | None) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._fatal = fatal
        self._count: Counter[str] = Counter()
        self._lock = threading.Lock()

    def announce(self, name: str) -> None:
        """The step is taken now; it may be the last one."""
        with self._lock:
            self._count[name] += 1
            os.write(self._file, f"{name}\n".encode())
            if self._fatal is None or self._fatal[:2] != (name, self._count[name]):
                return
            how, mark = self._fatal[2:]
            try:
                os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                return
            os.write(self._file, f"! {how} {name}\n".encode())
            os.kill(os.getpid(), SIGNALS[how])

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """What takes longer than a moment is a step too: the order is out, and nobody has answered yet."""
        later = asyncio.get_running_loop().call_later(MOMENT, self.announce, f"during {name}") if name else None
        try:
            yield
        finally:
            if later is not None:
                later.cancel()

    def install(self) -> None:
        """From now on every step is announced."""
        SqlDatabase._once = _transactions(SqlDatabase._once, self)  # type: ignore[method-assign]  # the one edge to the database
        httpx.AsyncHTTPTransport.handle_async_request = _calls(  # type: ignore[method-assign]  # the one edge to vendors
            httpx.AsyncHTTPTransport.handle_async_request, self
        )
        AsyncWebClient.api_call = _words(AsyncWebClient.api_call, self)  # type: ignore[method-assign]  # the one edge to Slack
        command.run = _programs(programs.run, self)  # type: ignore[attr-defined]  # the one edge to programs, by its name there


def name_of(work: Callable[..., Any]) -> str:
    """What a transaction is called: the module and the function that it is, without what wraps it."""
    while isinstance(work, functools.partial):
        work = work.args[-1] if work.args and callable(work.args[-1]) else work.func
    name = getattr(work, "__qualname__", type(work).__name__).replace("<locals>.", "")
    lambdas = f":{inspect.unwrap(work).__code__.co_names[0]}" if name.endswith("<lambda>") and work.__code__.co_names else ""
    return f"{work.__module__.rpartition('.')[2]}.{name}{lambdas}"


def _transactions(once: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    def announced(self: SqlDatabase, which: int, work: Callable[[Any], Any]) -> Any:
        name = name_of(work)
        if which == 1:
            steps.announce(f"before read {name}")
            return once(self, which, work)

        def inside(tx: Any) -> Any:
            done = work(tx)
            steps.announce(f"uncommitted {name}")
            return done

        steps.announce(f"before write {name}")
        done = once(self, which, inside)
        steps.announce(f"after write {name}")
        return done

    return announced


def _calls(handle: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    async def announced(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        whose = "door" if request.url.path.startswith("/executor/") else "vendor"
        name = f"{whose} {request.method} {place(request.url.path)}"
        steps.announce(f"before {name}")
        with steps.during(name if request.method == "POST" else ""):
            answer: httpx.Response = await handle(self, request)
        steps.announce(f"after {name}")
        return answer

    return announced


def place(path: str) -> str:
    """A path without the trial and without the numbers of runs."""
    return re.sub(r"\d{2,}", "N", re.sub(r"^/t/[^/]+", "", path))


def _words(call: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    async def announced(self: AsyncWebClient, api_method: str, **how: Any) -> Any:
        steps.announce(f"before slack {api_method}")
        answer = await call(self, api_method, **how)
        steps.announce(f"after slack {api_method}")
        return answer

    return announced


def _programs(run: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    async def announced(words: tuple[str, ...], seconds: float, environment: Mapping[str, str], folder: str) -> Any:
        verb = next((w for w in words if w in ("current", "versions", "start", "status", "cancel")), "?")
        steps.announce(f"before program {verb}")
        with steps.during(f"program {verb}" if verb == "start" else ""):
            ended = await run(words, seconds, environment, folder)
        steps.announce(f"after program {verb}")
        return ended

    return announced
