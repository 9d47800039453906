"""The command line: parse, call, print. One file per command group in `bot/commands/`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bot import __version__
from bot.commands import (
    audit,
    automation,
    backtest,
    change,
    db,
    delivery,
    demo,
    diagnose,
    doctor,
    evaluate,
    executor,
    impact,
    inbox,
    incidents,
    journal,
    knowledge,
    links,
    manifest,
    noise,
    plan,
    policy,
    route,
    runbooks,
    serve,
    standin,
    topology,
    watch,
    work,
    workspace,
)
from bot.errors import BotError

GROUPS = (
    serve,
    executor,
    demo,
    workspace,
    standin,
    manifest,
    doctor,
    knowledge,
    inbox,
    route,
    policy,
    automation,
    plan,
    noise,
    journal,
    evaluate,
    audit,
    backtest,
    db,
    change,
    incidents,
    delivery,
    diagnose,
    links,
    runbooks,
    topology,
    impact,
    watch,
    work,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command; `args.run(args)` carries one out and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="tocsin", description="A Slack bot that turns alerts and deployments into explained incidents."
    )
    parser.add_argument("--version", action="version", version=f"tocsin {__version__}")
    parser.add_argument(
        "--config", type=Path, default=Path(), metavar="FOLDER", help="folder with tocsin.toml and the rule files (default: here)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.register(commands)
    return parser


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; files may follow options too, where argparse gives up: `incidents import --dry-run FILE`."""
    parser = build_parser()
    args, rest = parser.parse_known_args(argv)
    if rest and ("files" not in args or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        args.files = [*args.files, *map(Path, rest)]
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; an error that a person can act upon is one line on stderr and exit status 2."""
    args = _parsed(argv)
    try:
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read our output has seen enough: `tocsin manifest | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except BotError as error:
        print(f"tocsin: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
