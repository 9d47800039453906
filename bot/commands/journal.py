"""tocsin journal: every answer that the bot gave, and what people thought of it."""

import argparse

import msgspec

from bot.commands import Commands
from bot.domain.interaction import Feedback, Interaction
from bot.errors import NotFound
from bot.ports import Transaction


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("journal", help="the record of every answer the bot gave")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="the newest answers")
    listing.add_argument("--limit", type=int, default=20)
    listing.add_argument("--incident", default="", metavar="INC-n")
    listing.set_defaults(run=_list)
    show = verbs.add_parser("show", help="one answer with its evidence and feedback, as JSON")
    show.add_argument("id", help="the id of an answer, or its beginning")
    show.set_defaults(run=_show)


def _list(args: argparse.Namespace) -> int:
    from bot.wiring import Stores, ask  # slow: only commands that need the bot pay for it

    def read(stores: Stores, tx: Transaction) -> list[tuple[Interaction, tuple[Feedback, ...]]]:
        incident = stores.incidents.get(tx, args.incident.upper()) if args.incident else None
        if args.incident and incident is None:
            raise NotFound(f"There is no {args.incident}; `/incident list all` in Slack shows those there are.")
        rows = stores.journal.recent(tx, args.limit, incident.id if incident else None)
        return [(row, stores.journal.feedback(tx, interaction_id=row.id)) for row in rows]

    found = ask(args.config, read)
    for row, feedback in found:
        judged = ", ".join(f.opinion.value for f in feedback)
        print(f"{row.id}  {row.at:%Y-%m-%d %H:%M:%S}  {row.feature.value:9}  {row.engine:6}  {row.answer[:70]!r}  {judged}")
    if not found:
        print("No answer is recorded yet.")
    return 0


def _show(args: argparse.Namespace) -> int:
    from bot.wiring import Stores, ask  # slow: only commands that need the bot pay for it

    def read(stores: Stores, tx: Transaction) -> dict[str, object]:
        row = stores.journal.get(tx, args.id)
        if row is None:
            raise NotFound(f"No answer has an id that begins with {args.id!r}; `tocsin journal list` shows them.")
        return {"interaction": row, "feedback": stores.journal.feedback(tx, interaction_id=row.id)}

    found = ask(args.config, read)
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    return 0
