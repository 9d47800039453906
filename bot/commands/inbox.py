"""tocsin inbox: what came in, what could not be read, and another try."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from bot.commands import Commands
from bot.errors import BadPayload
from bot.ports import Delivery
from bot.redact import clean, redact


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
    explain = verbs.add_parser("explain", help="how a payload in a file is read, field by field")
    explain.add_argument("file", type=Path, help="the payload as it is sent")
    explain.add_argument("--connector", default="generic")
    explain.add_argument("--source", default="", help="a name in [connectors.generic.sources]; none: the plain mapping")
    explain.set_defaults(run=_explain)


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


def _explain(args: argparse.Namespace) -> int:
    from bot.intake.explain import explained  # slow: only commands that need the bot pay for it
    from bot.settings import load_settings  # as above
    from bot.wiring import vendors  # as above

    try:
        body = args.file.read_bytes()
    except OSError as error:
        print(f"{args.file} cannot be read: {error.strerror}.")
        return 1
    doors = {name: door.connector for name, door in vendors(load_settings(args.config)).doors.items()}
    query = {"source": args.source} if args.source else {}
    try:
        for line in explained(doors, Delivery(args.connector, {}, body, datetime.now(UTC), query)):
            print(line)
    except BadPayload as error:
        print(f"This cannot be read: {redact(clean(str(error)))}")
        return 1
    return 0
