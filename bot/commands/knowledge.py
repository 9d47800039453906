"""tocsin index and tocsin search: what the bot knows, from the terminal."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from bot.commands import Commands, runs, sources
from bot.domain.document import Audience, DocumentKind, Inquiry

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
        print(library.state)
    return 0 if well else 1


async def _search(args: argparse.Namespace) -> int:
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import library_beside  # as above

    with library_beside(load_settings(args.config)) as (library, _, _):
        return await _found(args, library)


def linked(link: str, anchor: str) -> str:
    """The address of a section, as far as its document has one."""
    return f"{link.partition('#')[0]}#{anchor}" if link and anchor else link


async def _found(args: argparse.Namespace, library: "Library") -> int:
    await library.sync(progress)
    kind = DocumentKind.INCIDENT if args.incidents else DocumentKind.RUNBOOK
    found = await library.find(Inquiry(text=" ".join(args.words), audience=Audience(whole=True)), kind)
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
                "link": linked(f.document.link, f.anchor),
                "path": f.document.path,
                "passage": f.passage,
                "steps": list(f.steps),
            }
            for f in found.found
        ]
        print(json.dumps({"found": rows, "note": found.note}))
        return 0
    for f in found.found:
        print(f"{f.score:.2f}  {f.document.title} › {f.section}  ({f.tier.value})  {f.document.path}")
    print(found.note or ("" if found.found else "No runbook fits."))
    return 0
