"""tocsin journal: every answer that the bot gave, what left the building for it, and what people thought of it."""

import argparse
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bot.commands import Commands, journal_care
from bot.domain.interaction import Feedback, Interaction
from bot.errors import NotFound
from bot.ports import Transaction

if TYPE_CHECKING:
    from bot.wiring import Stores


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("journal", help="the record of every answer the bot gave")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="the newest answers")
    listing.add_argument("--limit", type=int, default=20)
    listing.add_argument("--incident", default="", metavar="INC-n")
    listing.add_argument("--engine", choices=["rules", "model"])
    listing.add_argument("--failed", action="store_const", const=True, help="only tries of a model that failed")
    listing.add_argument("--since", type=moment, metavar="DATE", help="2026-11-22, 2026-11-22T08:00, or 7d, 12h, 30m ago")
    listing.set_defaults(run=_list)
    show = verbs.add_parser("show", help="one answer, its evidence and feedback, and what left the building for it")
    show.add_argument("id", help="the id of an answer, or its beginning")
    show.add_argument("--json", action="store_true")
    show.set_defaults(run=_show)
    export = verbs.add_parser("export", help="all answers as JSON lines, each with its feedback and the confirmed cause")
    export.add_argument("--out", type=Path, help="a new file for your eyes only (default: standard output)")
    export.add_argument("--since", type=moment, metavar="DATE")
    export.set_defaults(run=_export)
    quality = verbs.add_parser("quality", help="how good the answers were, by what people said of them")
    quality.add_argument("--days", type=int, default=7)
    quality.add_argument("--json", action="store_true")
    quality.set_defaults(run=_quality)
    journal_care.register(verbs)


def moment(text: str) -> datetime:
    """A date, a time (UTC unless it says otherwise) or a span before now. Raises ArgumentTypeError."""
    units = {"d": "days", "h": "hours", "m": "minutes"}
    if text[-1:] in units and text[:-1].isdecimal() and len(text) < 8:
        return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; good ones are 2026-11-22, 2026-11-22T08:00, 7d, 12h") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _list(args: argparse.Namespace) -> int:
    from bot.wiring import Stores, ask  # slow: only commands that need the bot pay for it

    def read(stores: Stores, tx: Transaction) -> list[tuple[Interaction, tuple[Feedback, ...]]]:
        incident = stores.incidents.get(tx, args.incident.upper()) if args.incident else None
        if args.incident and incident is None:
            raise NotFound(f"There is no {args.incident}; `/incident list all` in Slack shows those there are.")
        only = {"engine": args.engine, "failed": args.failed, "since": args.since}
        rows = stores.journal.recent(tx, args.limit, incident.id if incident else None, **only)
        return [(row, stores.journal.feedback(tx, interaction_id=row.id)) for row in rows]

    found = ask(args.config, read)
    for row, feedback in found:
        judged = ", ".join(f.opinion.value for f in feedback)
        said = "(erased)" if row.erased else repr((row.error or row.answer)[:70])
        failed = "failed  " if row.error else ""
        print(f"{row.id}  {row.at:%Y-%m-%d %H:%M:%S}  {row.feature.value:9}  {row.engine:6}  {failed}{said}  {judged}")
    if not found:
        print("No such answer is recorded.")
    return 0


def _show(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    def read(stores: "Stores", tx: Transaction) -> dict[str, object]:
        row = stores.journal.get(tx, args.id)
        if row is None:
            raise NotFound(f"No answer has an id that begins with {args.id!r}; `tocsin journal list` shows them.")
        return joined(stores, tx, row)

    found = ask(args.config, read)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return 0
    row = found["interaction"]
    assert isinstance(row, Interaction)  # noqa: S101  `joined` put it there
    plain = {k: v for k, v in msgspec.to_builtins(found).items() if k != "interaction"}
    plain["interaction"] = {k: v for k, v in msgspec.to_builtins(row).items() if k not in ("messages", "redactions") and v}
    print(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
    print("\n" + what_left(row))
    return 0


def what_left(row: Interaction) -> str:
    """The messages exactly as they were sent and came back, and what was hidden before they left, by kind."""
    if row.erased:
        return "What left the building is no longer kept: this answer was erased or pruned."
    if not row.messages:
        tried = f"; {row.fallback_from} was to answer first, its try has an entry of its own" if row.fallback_from else ""
        return f"Nothing left the building for this answer{tried}."
    hidden = ", ".join(f"{count} {kind}" for kind, count in sorted(row.redactions.items()))
    lines = [f"What left the building, to {row.model or 'a model'} ({row.calls} calls, hidden before: {hidden or 'nothing'}):"]
    if row.fallback_from:
        lines.append(f"{row.fallback_from} was asked the same before, and failed; both are in the counts.")
    for said in row.messages:
        arrow = "<<" if said.role == "assistant" else ">>"
        lines.append(f"\n{arrow} {said.role}\n{said.text}")
    return "\n".join(lines)


def joined(stores: "Stores", tx: Transaction, row: Interaction) -> dict[str, object]:
    """An answer with what people said of it and the cause that they confirmed for its incident."""
    incident = stores.incidents.get(tx, row.incident_id) if row.incident_id else None
    return {
        "interaction": row,
        "feedback": stores.journal.feedback(tx, interaction_id=row.id),
        "incident": incident.key if incident else "",
        "confirmed_cause": incident.confirmed_cause if incident else "",
    }


def _export(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    if args.out is not None and args.out.exists():
        raise NotFound(f"{args.out} exists already; name a new file.")

    def write(stores: "Stores", tx: Transaction) -> int:
        count = 0
        with nullcontext(sys.stdout.buffer) if args.out is None else args.out.open("xb") as out:
            if args.out is not None:
                args.out.chmod(0o600)
            for row in stores.journal.every(tx, args.since):
                out.write(msgspec.json.encode(joined(stores, tx, row)) + b"\n")
                count += 1
            out.flush()
        return count

    count = ask(args.config, write)
    print(f"{count} answers exported.", file=sys.stderr)
    return 0


def _quality(args: argparse.Namespace) -> int:
    from bot.investigation.quality import measure, sentence  # slow: only commands that need the bot pay for it
    from bot.wiring import ask, utc_now  # as above

    since = utc_now() - timedelta(days=args.days)
    found = ask(args.config, lambda stores, tx: measure(stores.journal.every(tx, since), stores.journal.feedback(tx)))
    values: Mapping[str, object] = msgspec.to_builtins(found)
    print(msgspec.json.encode(values).decode() if args.json else sentence(found, args.days))
    return 0
