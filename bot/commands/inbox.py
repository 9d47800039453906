"""tocsin inbox: what came in, what could not be read, and another try."""

import argparse
import asyncio

from bot.commands import Commands


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("inbox", help="deliveries: list, show, replay")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="the newest deliveries")
    listing.add_argument("--state", choices=["waiting", "done", "unreadable"])
    listing.add_argument("--limit", type=int, default=20)
    listing.set_defaults(run=_list)
    show = verbs.add_parser("show", help="one delivery with its raw body")
    show.add_argument("id", type=int)
    show.set_defaults(run=_show)
    replay = verbs.add_parser("replay", help="have one delivery parsed again, after a fix")
    replay.add_argument("id", type=int)
    replay.set_defaults(run=_replay)


def _list(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    rows = ask(args.config, lambda stores, tx: stores.inbox.recent(tx, state=args.state, limit=args.limit))
    for row in rows:
        said = row.error or row.outcome
        print(
            f"{row.id:>6}  {row.delivery.received_at:%Y-%m-%d %H:%M:%S}  {row.delivery.connector:14} {row.state:10} {said[:80]}"
        )
    if not rows:
        print("Nothing has come in yet." if args.state is None else f"No delivery is {args.state}.")
    return 0


def _show(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    row = ask(args.config, lambda stores, tx: stores.inbox.get(tx, args.id))
    if row is None:
        print(f"There is no delivery {args.id}; `tocsin inbox list` shows those there are.")
        return 1
    print(f"{row.id}  {row.delivery.connector}  {row.state}  {row.error or row.outcome}\n")
    print(row.delivery.body.decode("utf-8", "replace"))
    return 0


def _replay(args: argparse.Namespace) -> int:
    from bot.intake.inbox import replay  # slow: only commands that need the bot pay for it
    from bot.wiring import Stores, beside  # as above

    beside(args.config, lambda db: asyncio.run(replay(db, Stores().inbox, args.id)))
    print(f"Delivery {args.id} waits to be parsed again.")
    return 0
