"""The stage of the demo: workspace, estate and bot started as a user would, stopped without a trace.

The workspace and the bot are child processes (`tocsin workspace`, `tocsin serve`) whose standard input is a pipe from here: when
this process ends, however it ends, the pipe closes and they end too.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.demo.estate import Estate, EstateConfig, start_estate
from bot.demo.setup import write_configuration
from bot.errors import BadSettings

Say = Callable[[str], None]
STARTING = 60.0  # seconds until a child has to be there
SLACK = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "TOCSIN_SLACK_API_URL")


@dataclass(frozen=True, slots=True)
class Mind:
    """The bot's language model: `name` as in TOCSIN_MODEL, "" for none; the stand-in is started where `url` is ""."""

    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """How the shop's deployments are carried out: by which deployer (`bot.demo.tooling.DEPLOYERS`)."""

    deployer: str = "command"


RULES_ONLY = Mind()
STAND_IN = Mind("openai-compatible:stand-in")
BY_COMMAND = Means()


@dataclass(slots=True)
class Stage:
    """What runs: the workspace's address, the estate, the bot. `model_door` takes the stand-in down, "" without one."""

    page: str
    estate: Estate
    process: asyncio.subprocess.Process  # the bot's
    model_door: str
    _start: Callable[[], Awaitable[asyncio.subprocess.Process]]
    _restarting: asyncio.Event | None = None

    async def bot_ended(self) -> None:
        """Returns when the bot has ended by itself."""
        while True:
            await self.process.wait()
            if self._restarting is None:
                return
            await self._restarting.wait()

    async def kill_and_restart(self) -> None:
        """The bot is gone at once, as by a power cut, and is started anew."""
        done = self._restarting = asyncio.Event()
        try:
            self.process.kill()
            await self.process.wait()
            self.process = await self._start()
        finally:
            self._restarting = None
            done.set()


@contextlib.asynccontextmanager
async def staged(
    folder: Path,
    port: int,
    seed: int,
    say: Say,
    environ: Mapping[str, str],
    mind: Mind = RULES_ONLY,
    means: Means = BY_COMMAND,
) -> AsyncIterator[Stage]:
    """Everything is up when this is entered and gone when it is left. `folder` is made anew; port 0 takes a free one."""
    refuse_busy(port)
    bot_port = free_port()
    tokens = {name: secrets.token_urlsafe(24) for name in ("TOCSIN_ALERTMANAGER_SECRET", "TOCSIN_GITHUB_SECRET")}
    config = EstateConfig(
        folder=folder / "estate",
        tocsin_url=f"http://127.0.0.1:{bot_port}",
        alertmanager_token=tokens["TOCSIN_ALERTMANAGER_SECRET"],
        github_secret=tokens["TOCSIN_GITHUB_SECRET"],
        seed=seed,
    )
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        say("starting the shop: five services and a card provider, each from a commit of a local git repository")
        estate = await stack.enter_async_context(start_estate(config))
        say("starting the workspace")
        page, slack = await start_workspace(stack, port or free_port(), estate.url, folder / "workspace.log", environ)
        model = await _model_settings(stack, mind, folder / "standin.log", say, environ)
        await write_configuration(folder / "bot", estate, means.deployer)
        say("starting the bot")
        own = {**tokens, **slack, **model, "TOCSIN_PORT": str(bot_port), "TOCSIN_HOST": "127.0.0.1"}
        start = partial(start_bot, stack, folder / "bot", folder / "bot.log", {**environ, **own})
        door = f"{model['TOCSIN_MODEL_URL'].removesuffix('/v1')}/standin" if mind == STAND_IN else ""
        yield Stage(page, estate, await start(), door, start)


async def _model_settings(
    stack: contextlib.AsyncExitStack, mind: Mind, log: Path, say: Say, environ: Mapping[str, str]
) -> dict[str, str]:
    """The settings that give the bot its model; the stand-in is started for it if it is that one."""
    if not mind.name:
        return {}
    if mind != STAND_IN:
        return {"TOCSIN_MODEL": mind.name, **({"TOCSIN_MODEL_URL": mind.url} if mind.url else {})}
    say("starting a stand-in for a language model, which quotes the evidence and has no intelligence")
    child = await _child(stack, ["standin", "--port", "0", "--until-stdin-closes"], environ, log)
    line = await _first_line(child, "The stand-in is at ", log)
    return {"TOCSIN_MODEL": mind.name, "TOCSIN_MODEL_URL": line.removeprefix("The stand-in is at ")}


async def start_bot(
    stack: contextlib.AsyncExitStack, config: Path, log: Path, environ: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """The bot with the settings of a folder; it is up, and ends with the stack."""
    words = ["--config", str(config), "serve", "--until-stdin-closes"]
    bot = await _child(stack, words, environ, log)
    await _first_line(bot, "The bot is up", log)
    return bot


async def start_workspace(
    stack: contextlib.AsyncExitStack, port: int, panel: str, log: Path, environ: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The workspace, its page's address, and the settings that connect a bot to it; it ends with the stack."""
    panels = ["--panel-url", panel] if panel else []
    child = await _child(stack, ["workspace", "--port", str(port), *panels, "--until-stdin-closes"], environ, log)
    found: dict[str, str] = {}
    while not all(name in found for name in SLACK):
        line = (await _first_line(child, "export ", log)).removeprefix("export ")
        name, _, value = line.partition("=")
        found[name] = value
    return f"http://127.0.0.1:{port}/", found


async def _child(
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


async def _first_line(child: asyncio.subprocess.Process, beginning: str, log: Path) -> str:
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


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuse_busy(port: int) -> None:
    """Raise BadSettings if somebody has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise BadSettings(f"Port {port} is in use. Choose another: `tocsin demo --port {port + 1}`.") from None


def clean_environment(keep: Collection[str] = ()) -> dict[str, str]:
    """This process's environment without settings of a bot that it may hold, and without proxies (everything is on loopback).

    The names to `keep` stay.
    """
    ours = ("TOCSIN_", "SLACK_")
    return {k: v for k, v in os.environ.items() if k in keep or not (k.startswith(ours) or k.lower().endswith("_proxy"))}
