"""tocsin work: the bot's durable work, what it gave up, and another try."""

import argparse
from datetime import UTC, datetime

from bot.commands import Commands
from bot.errors import NotFound

STATES = ("ready", "running", "done", "dead")


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("work", help="durable work: list, revive")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="what waits, runs, or was given up")
    listing.add_argument("--state", choices=STATES, default="dead", help="default: dead, what the bot gave up")
    listing.add_argument("--limit", type=int, default=20)
    listing.set_defaults(run=_list)
    revive = verbs.add_parser("revive", help="have work that was given up tried again, after its reason is mended")
    revive.add_argument("id")
    revive.set_defaults(run=_revive)


def _list(args: argparse.Namespace) -> int:
    from bot.durable.work import DurableWork  # slow: only commands that need the bot pay for it
    from bot.wiring import beside  # as above

    found = beside(args.config, lambda db: db.read_now(lambda tx: DurableWork().list(tx, state=args.state, limit=args.limit)))
    for item in found:
        at = datetime.fromtimestamp(item.finished_at or item.run_at, tz=UTC)
        why = (item.error.strip().splitlines() or [""])[-1][:120]
        print(f"{item.id}  {item.queue}/{item.name}  {at:%Y-%m-%d %H:%M:%S}  {item.attempts} tries  {why}")
    if not found:
        print("Nothing was given up." if args.state == "dead" else f"No work is {args.state}.")
    return 0


def _revive(args: argparse.Namespace) -> int:
    from bot.durable.work import DurableWork  # slow, as above
    from bot.wiring import beside

    if not beside(args.config, lambda db: db.write_now(lambda tx: DurableWork().revive(tx, args.id))):
        raise NotFound(f"No work {args.id!r} was given up; `tocsin work list` shows what was.")
    print(f"{args.id} will be tried again.")
    return 0
