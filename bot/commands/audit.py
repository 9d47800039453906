"""tocsin audit: the trail of who did what is checked, handed out so that others can check it, and told action by action."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bot.commands import Commands
from bot.commands.journal import moment
from bot.domain.audit import AuditLine, Check, Head, Misfit, read_head
from bot.errors import NotFound

if TYPE_CHECKING:
    from bot.actions.told import ActionStory
    from bot.ports import Transaction
    from bot.wiring import Stores

WHAT_NEXT = (
    "What to do: keep the database as it is and make a copy (`tocsin db backup`); compare the line with an older backup or "
    "export (`tocsin audit verify --file`), which says what stood there; ask who could write to the database. See docs/audit.md."
)


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("audit", help="who asked, approved and did what: check the trail, hand it out")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verify = verbs.add_parser("verify", help="check the whole chain; 1 if a line does not fit")
    verify.add_argument(
        "--head",
        action="append",
        default=[],
        type=_head,
        metavar="NUMBER:HASH",
        help="a head that the daily digest posted, such as 120:3fa9c1d20b71; may be repeated",
    )
    verify.add_argument("--file", type=Path, help="check this export instead, without a database or a bot")
    verify.add_argument("--picked", action="store_true", help="the file has single lines, as of one action: gaps are no fault")
    verify.set_defaults(run=_verify)
    export = verbs.add_parser("export", help="the lines with all their hashes, or one row for each action")
    export.add_argument("--format", choices=["json", "csv"], default="json", help="json: one object a line (the default)")
    export.add_argument("--since", type=moment, metavar="DATE", help="2026-11-22, 2026-11-22T08:00, or 7d, 12h, 30m ago")
    export.add_argument("--until", type=moment, metavar="DATE", help="up to this time, itself excluded")
    export.add_argument("--action", default="", metavar="ID", help="only this action or incident, by its id")
    export.add_argument("--by-action", action="store_true", help="one row for each action: asked, shown, approved, ran, became")
    export.add_argument("--output", "--out", type=Path, metavar="FILE", help="a new file for your eyes only (default: stdout)")
    export.set_defaults(run=_export)


def _head(text: str) -> Head:
    try:
        return read_head(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _verify(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    heads = tuple(args.head)
    if args.file is not None:
        if not args.file.is_file():
            raise NotFound(f"There is no file {args.file}; `tocsin audit export --output FILE` writes one.")
        check = Check(heads, part=True, picked=args.picked)
        with args.file.open("rb") as file:
            return _said(*_judged(check, _lines_of(file, str(args.file))), str(args.file))
    check = Check(heads)
    return _said(*ask(args.config, lambda stores, tx: _judged(check, stores.ledger.lines(tx))), "the database")


def _lines_of(file: BinaryIO, name: str) -> Iterator[AuditLine]:
    from bot.actions.exporting import read_lines  # slow: only commands that need the bot pay for it

    return read_lines(file, name)


def _judged(check: Check, lines: Iterator[AuditLine]) -> tuple[Check, Misfit | None, int]:
    """The check after its last line, what did not fit, and how many lines name nobody any more."""
    erased = 0
    for line in lines:
        if (wrong := check.next(line)) is not None:
            return check, wrong, erased
        erased += line.actor is None
    return check, check.end(), erased


def _said(check: Check, wrong: Misfit | None, erased: int, where: str) -> int:
    if wrong is not None:
        print(f"NO  audit in {where}: {wrong}. {check.count} lines before it fit.\n{WHAT_NEXT}")
        return 1
    if check.last is None:
        print(f"ok  audit in {where}: no lines yet.")
        return 0
    print(f"ok  audit in {where}: {check.count} lines fit, {check.first} to {check.last.seq}.")
    print(f"    head {check.last.seq}:{check.last.hash}")
    if erased:
        print(f"    {erased} lines name nobody any more: a person was erased (docs/journal.md).")
    if check.picked:
        print("    They are single lines: that none is missing between them cannot be said.")
    elif check.first > 1:
        print(f"    What stood before line {check.first} is not in it; its previous hash must be that of line {check.first - 1}.")
    if check.heads:
        print(f"    It also fits {', '.join(str(head) for head in check.heads)}.")
    else:
        print("    Compare with a head from the daily digest (--head NUMBER:HASH): a cut-off end does not show from inside.")
    return 0


def _export(args: argparse.Namespace) -> int:
    from bot.actions.exporting import LINES, STORIES, write_rows  # slow: only commands that need the bot pay for it
    from bot.wiring import ask  # as above

    if args.output is not None and args.output.exists():
        raise NotFound(f"{args.output} exists already; name a new file.")

    def write(stores: "Stores", tx: "Transaction") -> int:
        with _out(args.output) as out:
            if args.by_action:
                return write_rows(out, STORIES, _stories(stores, tx, args), args.format)
            return write_rows(out, LINES, _lines(stores, tx, args), args.format)

    count = ask(args.config, write)
    print(f"{count} {'actions' if args.by_action else 'lines'} exported.", file=sys.stderr)
    return 0


@contextmanager
def _out(path: Path | None) -> Iterator[BinaryIO]:
    with nullcontext(sys.stdout.buffer) if path is None else path.open("xb") as out:
        if path is not None:
            path.chmod(0o600)
        yield out
        out.flush()


def _lines(stores: "Stores", tx: "Transaction", args: argparse.Namespace) -> Iterator[AuditLine]:
    if args.action:
        every = (line for subject in _subjects(stores, tx, args.action) for line in stores.ledger.about(tx, subject))
        found = sorted(every, key=lambda line: line.seq)
        if not found:
            raise NotFound(
                f"The audit has no line about {args.action!r}; `tocsin audit export --by-action` has the ids of actions."
            )
        kept = (a for a in found if not args.since or a.at >= args.since)
        return (a for a in kept if not args.until or a.at < args.until)
    return stores.ledger.lines(tx, *stores.ledger.span(tx, args.since, args.until))


def _subjects(stores: "Stores", tx: "Transaction", named: str) -> tuple[str, ...]:
    """The ids under which the audit knows it: people say INC-42, and mean what was deployed and rolled back for it, too."""
    incident = stores.incidents.get(tx, named.upper()) if named.upper().startswith("INC-") else None
    if incident is None:
        return (named,)
    return (incident.id, *(action.id for action in stores.actions.of_incident(tx, incident.id)))


def _stories(stores: "Stores", tx: "Transaction", args: argparse.Namespace) -> "Iterator[ActionStory]":
    """The actions of which the first line lies in the span, in order."""
    from bot.actions.told import is_action, story  # slow: only commands that need the bot pay for it

    seen: set[str] = set()
    for line in _lines(stores, tx, args):
        if not is_action(line) or line.subject in seen:
            continue
        every = stores.ledger.about(tx, line.subject)
        told = story(every) if every[0].seq == line.seq or args.action else None
        if told is not None:
            yield told
        if args.action:
            seen.add(line.subject)
