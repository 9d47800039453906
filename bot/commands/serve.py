"""tocsin serve: the bot, until Ctrl-C or SIGTERM."""

import argparse
import logging

from bot.commands import Commands, runs


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="run the bot")
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    from bot.running import run  # slow: only commands that need the bot pay for it
    from bot.wiring import load_settings  # as above

    settings = load_settings(args.config)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "chromadb", "apscheduler", "slack_bolt", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    await run(settings, say=lambda line: print(line, flush=True))
    return 0
