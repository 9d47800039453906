"""The stage of the demo: workspace, estate and bot started as a user would, stopped without a trace.

The workspace and the bot are child processes (`tocsin workspace`, `tocsin serve`) whose standard input is a pipe from here: when
this process ends, however it ends, the pipe closes and they end too.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.commands.apart import keys_made, start_executor
from bot.commands.children import child_of, first_line
from bot.commands.loopback import free_port, refuse_busy
from bot.demo.estate import Estate, EstateConfig, start_estate
from bot.demo.setup import write_configuration

Say = Callable[[str], None]
SLACK = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "TOCSIN_SLACK_API_URL")


@dataclass(frozen=True, slots=True)
class Mind:
    """The bot's language model: `name` as in TOCSIN_MODEL, "" for none; the stand-in is started where `url` is ""."""

    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """How the shop's deployments are carried out: by which deployer (`bot.demo.tooling.DEPLOYERS`), and in whose process.

    With `executor` it is a process of its own that alone holds the deploy credentials.
    """

    deployer: str = "command"
    executor: bool = False


RULES_ONLY = Mind()
STAND_IN = Mind("openai-compatible:stand-in")
BY_COMMAND = Means()


class Part:
    """A process of the stage that can be killed and started anew."""

    def __init__(self, process: asyncio.subprocess.Process, start: Callable[[], Awaitable[asyncio.subprocess.Process]]) -> None:
        self.process = process
        self._start = start
        self._restarting: asyncio.Event | None = None

    async def ended(self) -> None:
        """Returns when it has ended by itself."""
        while True:
            await self.process.wait()
            if self._restarting is None:
                return
            await self._restarting.wait()

    async def kill_and_restart(self) -> None:
        """It is gone at once, as by a power cut, and is started anew."""
        done = self._restarting = asyncio.Event()
        try:
            self.process.kill()
            await self.process.wait()
            self.process = await self._start()
        finally:
            self._restarting = None
            done.set()


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs: the workspace's address, the estate, the bot, its executor if that is apart.

    `model_door` takes the stand-in down, "" without one.
    """

    page: str
    estate: Estate
    bot: Part
    model_door: str
    executor: Part | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The bot's."""
        return self.bot.process


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
        apart = await keys_made(folder, f"http://127.0.0.1:{bot_port}", environ) if means.executor else None
        await write_configuration(folder / "bot", estate, means.deployer, folder / "executor" if apart else None)
        say("starting the bot")
        own = {**tokens, **slack, **model, "TOCSIN_PORT": str(bot_port), "TOCSIN_HOST": "127.0.0.1"}
        own |= apart.bot if apart else {}
        start = partial(start_bot, stack, folder / "bot", folder / "bot.log", {**environ, **own})
        bot = Part(await start(), start)
        door = f"{model['TOCSIN_MODEL_URL'].removesuffix('/v1')}/standin" if mind == STAND_IN else ""
        if apart is None:
            yield Stage(page, estate, bot, door)
            return
        say("starting the executor, a process of its own: it alone can deploy, and has no Slack, no model and no webhooks")
        begin = partial(start_executor, stack, folder / "executor", folder / "executor.log", {**environ, **apart.executor})
        yield Stage(page, estate, bot, door, Part(await begin(), begin))


async def _model_settings(
    stack: contextlib.AsyncExitStack, mind: Mind, log: Path, say: Say, environ: Mapping[str, str]
) -> dict[str, str]:
    """The settings that give the bot its model; the stand-in is started for it if it is that one."""
    if not mind.name:
        return {}
    if mind != STAND_IN:
        return {"TOCSIN_MODEL": mind.name, **({"TOCSIN_MODEL_URL": mind.url} if mind.url else {})}
    say("starting a stand-in for a language model, which quotes the evidence and has no intelligence")
    child = await child_of(stack, ["standin", "--port", "0", "--until-stdin-closes"], environ, log)
    line = await first_line(child, "The stand-in is at ", log)
    return {"TOCSIN_MODEL": mind.name, "TOCSIN_MODEL_URL": line.removeprefix("The stand-in is at ")}


async def start_bot(
    stack: contextlib.AsyncExitStack, config: Path, log: Path, environ: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """The bot with the settings of a folder; it is up, and ends with the stack."""
    words = ["--config", str(config), "serve", "--until-stdin-closes"]
    bot = await child_of(stack, words, environ, log)
    await first_line(bot, "The bot is up", log)
    return bot


async def start_workspace(
    stack: contextlib.AsyncExitStack, port: int, panel: str, log: Path, environ: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The workspace, its page's address, and the settings that connect a bot to it; it ends with the stack."""
    panels = ["--panel-url", panel] if panel else []
    child = await child_of(stack, ["workspace", "--port", str(port), *panels, "--until-stdin-closes"], environ, log)
    found: dict[str, str] = {}
    while not all(name in found for name in SLACK):
        line = (await first_line(child, "export ", log)).removeprefix("export ")
        name, _, value = line.partition("=")
        found[name] = value
    return f"http://127.0.0.1:{port}/", found


def clean_environment(keep: Collection[str] = ()) -> dict[str, str]:
    """This process's environment without settings of a bot that it may hold, and without proxies (everything is on loopback).

    The names to `keep` stay.
    """
    ours = ("TOCSIN_", "SLACK_")
    return {k: v for k, v in os.environ.items() if k in keep or not (k.startswith(ours) or k.lower().endswith("_proxy"))}
