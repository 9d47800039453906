"""tocsin links: which runbooks people linked to which problems, and taking one back."""

import argparse
import json
from itertools import groupby
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.domain.suggestion import Judgement, reference
from bot.errors import NotFound
from bot.redact import clean

if TYPE_CHECKING:
    from bot.ports import Transaction


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("links", help="runbooks that people linked to problems")
    deeds = parser.add_subparsers(dest="deed", required=True)
    listing = deeds.add_parser("list", help="every link: its reference, the problem, the document, who and when")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    remove = deeds.add_parser("remove", help="take a link back")
    remove.add_argument("reference", help="as `tocsin links list` shows it")
    remove.set_defaults(run=_remove)


def name_of(link: Judgement) -> str:
    """By which one link is named in the terminal."""
    return reference(f"{link.subject.problem}\n{link.subject.service}\n{link.document}")[:10]


def _list(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    links = sorted(ask(args.config, lambda stores, tx: stores.suggestions.links(tx)), key=name_of)
    rows = []
    for name, same in groupby(links, key=name_of):
        said = list(same)
        first = said[0]
        rows.append(
            {
                "reference": name,
                "problem": first.subject.alert or first.subject.problem,
                "service": first.subject.service,
                "document": first.document,
                "by": sorted({s.by for s in said}),
                "last": max(s.at for s in said).isoformat(),
            }
        )
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        where = f" on {row['service']}" if row["service"] else ""
        print(
            clean(
                f"{row['reference']}  {row['problem']}{where} -> {row['document']}  ({', '.join(row['by'])}, {row['last'][:10]})"
            )
        )
    if not rows:
        print("Nobody has linked a runbook to a problem yet; cards' threads and /runbook have the buttons.")
    return 0


def _remove(args: argparse.Namespace) -> int:
    from bot.wiring import Stores, beside, utc_now  # slow: only commands that need the bot pay for it

    def go(tx: "Transaction") -> Judgement | None:
        stores = Stores()
        found = next((one for one in stores.suggestions.links(tx) if name_of(one) == args.reference), None)
        if found is not None:
            stores.suggestions.unlink(tx, found.subject, found.document)
            detail = {"document": found.document, "problem": f"{found.subject.problem} on {found.subject.service}"}
            stores.ledger.append(tx, utc_now(), "terminal", "unlinked a runbook", found.document, detail)
        return found

    gone = beside(args.config, lambda db: db.write_now(go))
    if gone is None:
        raise NotFound(f"There is no link {args.reference}; `tocsin links list` shows those there are.")
    print(clean(f"{gone.document} is no longer linked to {gone.subject.alert or gone.subject.problem}."))
    return 0
