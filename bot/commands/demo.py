"""tocsin demo: the sample shop, the bot and a local workspace, to look at or to play head-less."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bot.commands import Commands, runs
from bot.commands.children import tail
from bot.commands.staging import RULES_ONLY, STAND_IN, Means, Mind, clean_environment, staged
from bot.commands.trouble import set_levers
from bot.demo.play import play_seed, play_stories
from bot.demo.table import table_text
from bot.demo.tooling import DEPLOYERS

KEYS = ("TOCSIN_MODEL_API_KEY", "TOCSIN_MODEL_API_KEY_FILE")


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("demo", help="a sample shop, the bot and a local workspace; no account needed")
    parser.add_argument("--port", type=int, default=8333, help="port of the page on 127.0.0.1 (default 8333)")
    parser.add_argument("--once", action="store_true", help="play the stories without a page, print what happened")
    parser.add_argument("--seed", type=int, metavar="N", help="break something of this seed's choice, head-less")
    parser.add_argument("--table", type=int, metavar="N", help="play N seeds head-less, count how often the cause was first")
    parser.add_argument(
        "--model", help='the bot\'s language model: "stand-in" (the default with a page), "none", or as in TOCSIN_MODEL'
    )
    parser.add_argument("--model-url", default="", help="where that model answers; its key is taken from TOCSIN_MODEL_API_KEY")
    parser.add_argument(
        "--deployer", choices=DEPLOYERS, default="command", help="what carries out the rollback: the shop's tool, or a playbook"
    )
    parser.add_argument("--executor", action="store_true", help="deploy credentials are in a process of their own, not the bot's")
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
            headless = args.once or args.table is not None or args.seed is not None
            return 130 if headless else 0  # a story that was cut off did not end as told


async def _play(args: argparse.Namespace, folder: Path) -> int:
    if args.once:
        return await _once(folder, mind_of(args, RULES_ONLY), means_of(args))
    if args.table is not None:
        return await _table(range(1, args.table + 1), folder, mind_of(args, RULES_ONLY))
    if args.seed is not None:
        return await _table([args.seed], folder, mind_of(args, RULES_ONLY))
    tasks: set[asyncio.Task[None]] = set()
    mind = mind_of(args, STAND_IN)
    async with staged(folder, args.port, 1, say, environment(mind), mind, means_of(args)) as stage:
        set_levers(stage, tasks)
        print(f"The demo is at {stage.page} (Ctrl-C ends it).", flush=True)
        try:
            await stage.bot.ended()
        finally:
            for task in tasks:
                task.cancel()
    say(f"the bot has ended by itself; the end of its log:\n{tail(folder / 'bot.log')}")
    return 1


def mind_of(args: argparse.Namespace, otherwise: Mind) -> Mind:
    """The language model that was asked for, or the one otherwise taken."""
    if args.model is None:
        return otherwise
    return {"none": RULES_ONLY, "stand-in": STAND_IN}.get(args.model) or Mind(args.model, args.model_url)


def environment(mind: Mind) -> dict[str, str]:
    """What the bot's own process is given beside its settings: a real model's key is the user's."""
    return clean_environment() if mind in (RULES_ONLY, STAND_IN) else clean_environment(KEYS)


def means_of(args: argparse.Namespace) -> Means:
    """How deployments are to be carried out."""
    return Means(args.deployer, args.executor)


async def _once(folder: Path, mind: Mind, means: Means) -> int:
    """The stories, head-less; 0 only if all went as told."""
    async with staged(folder, 0, 1, say, environment(mind), mind, means) as stage:
        outcomes = await play_stories(stage.page, stage.estate, print)
    told = all(outcome.ok for outcome in outcomes)
    for outcome in outcomes:
        verdict = "as told" if outcome.ok else "NOT as told: " + "; ".join(outcome.faults)
        print(f"{outcome.story}: {outcome.alerts} alerts -> {outcome.cards} card, vendor runs: {outcome.vendor_runs}, {verdict}")
    if not told:
        print(f"The end of the bot's log:\n{tail(folder / 'bot.log')}", file=sys.stderr)
    return 0 if told else 1


async def _table(seeds: Iterable[int], folder: Path, mind: Mind) -> int:
    """Each seed on a stage of its own; then how often the cause was named first, beside blaming the newest deploy."""
    rows = []
    for seed in seeds:
        async with staged(folder / str(seed), 0, seed, lambda _line: None, environment(mind), mind) as stage:
            rows.append(await play_seed(stage.page, stage.estate, seed, say))
    print(table_text(rows))
    return 0
