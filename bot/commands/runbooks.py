"""tocsin runbooks: which need their owner, which nobody uses, which alerts have none."""

import argparse
import json
from typing import TYPE_CHECKING

from bot.commands import Commands, runs
from bot.domain.document import Audience
from bot.redact import clean

if TYPE_CHECKING:
    from bot.domain.view import CareView
    from bot.flows.runbooks.needs import Report

WHICH = ("stale", "missing", "unused")


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("runbooks", help="which runbooks need their owner, and which are missing")
    parser.add_argument("which", choices=WHICH)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=runs(_list))


async def _list(args: argparse.Namespace) -> int:
    from bot.flows.runbooks.care import view  # slow: only commands that need the bot pay for it
    from bot.flows.runbooks.needs import report
    from bot.settings import load_settings
    from bot.wiring import records_beside

    with records_beside(load_settings(args.config)) as (library, records):
        await library.read()
        found = await report(Audience(whole=True), records)
    if args.json:
        print(json.dumps({"found": rows(args.which, found), "note": found.note}, indent=2))
        return 0
    _print(view(args.which, found, most=None))
    return 0


def rows(which: str, found: "Report") -> list[dict[str, object]]:
    """One list as JSON."""
    if which == "missing":
        return [
            {
                "alert": m.name,
                "service": m.service,
                "owner": m.owner,
                "times": m.times,
                "without": m.without,
                "severity": m.severity.value,
                "last": m.last_at.isoformat() if m.last_at else "",
            }
            for m in found.missing
        ]
    listed = found.stale if which == "stale" else found.unused
    return [
        {"id": a.document, "title": a.title, "owner": a.owner, "reasons": list(a.reasons), "link": a.link, "path": a.path}
        for a in listed
    ]


def _print(view: "CareView") -> None:
    for row in view.rows:
        print(clean(f"{row.title}  ({row.owner or 'no owner'})  {row.path}".rstrip()))
        for line in row.lines:
            print(clean(f"  - {line}"))
    if not view.rows:
        print(view.empty)
    print(f"\n{clean(view.note)}" if view.note else "")
