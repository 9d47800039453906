"""tocsin index and tocsin search: what the bot knows, from the terminal."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands import Commands, runs, sources
from bot.domain.document import Audience, DocumentKind, Found, Inquiry
from bot.redact import clean

if TYPE_CHECKING:
    from bot.knowledge.library import Library


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    index = commands.add_parser("index", help="read runbooks and past incidents, embed what changed")
    index.set_defaults(run=runs(_index))
    search = commands.add_parser("search", help="search runbooks or past incidents")
    search.add_argument("words", nargs="+")
    search.add_argument("--incidents", action="store_true", help="search past incidents instead of runbooks")
    search.add_argument("--json", action="store_true")
    search.add_argument("--explain", action="store_true", help="tell what each part adds to score and sureness")
    search.set_defaults(run=runs(_search))


def progress(done: int, of: int) -> None:
    """One line on stderr that grows."""
    print(f"\rembedded {done} of {of}", end="\n" if done == of else "", file=sys.stderr, flush=True)


async def _index(args: argparse.Namespace) -> int:
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import library_beside  # as above

    settings = load_settings(args.config)
    with library_beside(settings, make=bool(settings.knowledge.sources)) as (library, copies, db):
        well = await sources.sync(copies, db) if db else True
        await library.sync(progress)
        if db:
            sources.tell(db)
        print(library.state)
    return 0 if well else 1


async def _search(args: argparse.Namespace) -> int:
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import library_beside  # as above

    with library_beside(load_settings(args.config)) as (library, _, _):
        return await _found(args, library)


def told(found: Found) -> str:
    """One line, where the page lies (its address, or its path within its source), and the steps of the section that fit."""
    title = f"{found.document.title} › {found.section}" if found.section else found.document.title
    where = found.link or ": ".join(part for part in (found.document.source, found.place) if part)
    steps = "".join(f"\n      - {step}" for step in found.steps)
    return f"{found.score:.2f}  {title}  ({found.tier.value})\n      {where}{steps}"


def _sum(name: str, parts: Mapping[str, float]) -> str:
    """One line: the sum, and its parts that are not nothing, the weightiest first."""
    ordered = sorted(((k, v) for k, v in parts.items() if v), key=lambda part: -abs(part[1]))
    return f"      {name} {sum(parts.values()):+.2f} = {' '.join(f'{k} {v:+.2f}' for k, v in ordered)}"


async def _found(args: argparse.Namespace, library: "Library") -> int:
    await library.sync(progress)
    kind = DocumentKind.INCIDENT if args.incidents else DocumentKind.RUNBOOK
    inquiry = Inquiry(text=" ".join(args.words), audience=Audience(whole=True))
    found = await library.find(inquiry, kind)
    why = library.explain(inquiry, found.found) if args.explain else []
    if args.json:
        rows = [
            {
                "id": f.document.id,
                "title": f.document.title,
                "section": f.section,
                "tier": f.tier.value,
                "score": f.score,
                "source": f.document.source,
                "anchor": f.anchor,
                "link": f.link,
                "path": f.document.path,
                "passage": f.passage,
                "steps": list(f.steps),
            }
            | ({"explain": {"score": why[n].score, "odds": why[n].odds}} if why else {})
            for n, f in enumerate(found.found)
        ]
        print(json.dumps({"found": rows, "note": found.note}))
        return 0
    if found.note:
        print(found.note)
    for n, one in enumerate(found.found):
        print(clean(told(one)))
        if why:
            print(_sum("score", why[n].score), _sum("odds ", why[n].odds), sep="\n")
    return 0
