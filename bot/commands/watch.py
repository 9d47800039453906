"""tocsin watch: what is watched without anybody having asked, what was noticed, and how to forget it."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.redact import clean

if TYPE_CHECKING:
    from datetime import datetime

    from bot.ports import Transaction
    from bot.wiring import Stores


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("watch", help="metrics and deployments that are watched, and what was noticed")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="what is warned of, deployments of the last day, every series").set_defaults(run=_list)
    explain = verbs.add_parser("explain", help="what is remembered of one series")
    explain.add_argument("service")
    explain.add_argument("metric", help="as `tocsin watch list` writes it")
    explain.set_defaults(run=_explain)
    reset = verbs.add_parser("reset", help="forget what was learned: of one series, of a service, or of all; it is learned anew")
    reset.add_argument("service", nargs="?", default="")
    reset.add_argument("metric", nargs="?", default="")
    reset.set_defaults(run=_reset)


def _read(args: argparse.Namespace, tell: "Callable[[Transaction, Stores, datetime], list[str]]") -> int:
    from bot.wiring import ask, utc_now  # slow: only commands that need the bot pay for it

    for line in ask(args.config, lambda stores, tx: tell(tx, stores, utc_now())):
        print(line)
    return 0


def _list(args: argparse.Namespace) -> int:
    from bot.flows.watching.listing import listing  # slow, as above

    return _read(args, listing)


def _explain(args: argparse.Namespace) -> int:
    from bot.flows.watching.listing import explain  # slow, as above

    return _read(args, lambda tx, stores, now: explain(tx, stores, args.service, args.metric, now))


def _reset(args: argparse.Namespace) -> int:
    from bot.wiring import Stores, beside  # slow, as above

    count = beside(args.config, lambda db: db.write_now(lambda tx: Stores().watches.reset(tx, args.service, args.metric)))
    print(clean(f"Forgot what was learned of {count} series."))
    return 0
