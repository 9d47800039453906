"""The demo's executor: a process of its own with the deploy credentials and its half of the keys; it comes to the bot's door."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.commands.children import child_of, first_line, tail
from bot.errors import BadSettings


@dataclass(frozen=True, slots=True)
class Apart:
    """What each of the two is told by its environment; neither has the other's key."""

    bot: Mapping[str, str] = field(repr=False)
    executor: Mapping[str, str] = field(repr=False)


async def keys_made(folder: Path, url: str, environ: Mapping[str, str]) -> Apart:
    """The pair of keys as `tocsin executor keygen` makes them, and a key for the door at `url`."""
    log = folder / "keygen.log"
    async with contextlib.AsyncExitStack() as stack:
        child = await child_of(stack, ["executor", "keygen", "--to", str(folder / "keys")], environ, log)
        if await child.wait():
            raise BadSettings(f"The executor's keys could not be made; the end of {log.name}:\n{tail(log)}")
    key = secrets.token_urlsafe(32)
    return Apart(
        {
            "TOCSIN_EXECUTOR_MODE": "apart",
            "TOCSIN_EXECUTOR_SIGNING_KEY_FILE": str(folder / "keys" / "executor-signing.key"),
            "TOCSIN_EXECUTOR_KEY": key,
        },
        {
            "TOCSIN_EXECUTOR_PUBLIC_KEY_FILE": str(folder / "keys" / "executor-public.key"),
            "TOCSIN_EXECUTOR_KEY": key,
            "TOCSIN_EXECUTOR_URL": url,
        },
    )


async def start_executor(
    stack: contextlib.AsyncExitStack, config: Path, log: Path, environ: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """The executor with the settings of a folder; it is up, and ends with the stack."""
    child = await child_of(stack, ["--config", str(config), "executor", "--until-stdin-closes"], environ, log)
    await first_line(child, "The executor is up", log)
    return child
