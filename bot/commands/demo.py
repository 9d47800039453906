"""tocsin demo: the sample shop, the bot and a local workspace, to look at or to play head-less."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from bot.commands import Commands, runs
from bot.commands.staging import clean_environment, staged


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="a sample shop, the bot and a local workspace; no account needed")
    parser.add_argument("--port", type=int, default=8333, help="port of the page on 127.0.0.1 (default 8333)")
    parser.add_argument("--once", action="store_true", help="play both stories without a page, print what happened")
    parser.add_argument("--seed", type=int, metavar="N", help="break something of this seed's choice, head-less")
    parser.add_argument("--table", type=int, metavar="N", help="play N seeds head-less, count how often the cause was first")
    parser.set_defaults(run=runs(_run))


def say(line: str) -> None:
    """Progress, on stderr."""
    print(f"  {line}", file=sys.stderr, flush=True)


async def _run(args: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  asyncio.run made it
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder:
        try:
            return await _play(args, Path(folder))
        except asyncio.CancelledError:
            say("stopped; nothing of the demo runs any more")
            return 0


async def _play(args: argparse.Namespace, folder: Path) -> int:
    from bot.demo import play  # slow: only the demo pays for it

    if args.once:
        return await _once(folder)
    if args.table is not None:
        return await _table(args.table, folder)
    if args.seed is not None:
        return await _once(folder, args.seed)
    async with staged(folder, args.port, 1, say, clean_environment()) as stage:
        print(f"The demo is at {stage.page} (Ctrl-C ends it).", flush=True)
        while all(child.returncode is None for child in stage.children):
            await asyncio.sleep(1)
    say("the bot has ended by itself; see bot.log")
    return 1
