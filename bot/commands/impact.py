"""tocsin impact: what a range of commits would reach and could break, before it ships."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands import Commands, runs
from bot.errors import BadSettings, NotFound
from bot.redact import clean, redact

if TYPE_CHECKING:
    from bot.domain.service import Catalogue
    from bot.settings import Settings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("impact", help="what a range of commits would reach and could break")
    parser.add_argument("--repo", type=Path, default=Path(), metavar="PATH", help="a clone (default: here)")
    parser.add_argument("--range", required=True, metavar="A..B", help="the commits after A up to B, such as main..HEAD")
    parser.add_argument("--name", default="", metavar="OWNER/NAME", help="the repository in services.yaml (default: its remote)")
    parser.add_argument("--hops", type=int, default=2, choices=range(1, 6), help="how far callers are followed (default: 2)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    from bot.flows.mapping.impacting import impact_of, lines, past_causes  # slow: only commands that need the bot pay for it
    from bot.settings import load_settings
    from bot.wiring import Stores, library_beside, rules
    from bot.wiring.topology import catalogue_beside
    from connectors.git import Git, GitSettings

    settings = load_settings(args.config)
    declared, *_ = rules(settings)
    base, dots, head = args.range.partition("..")
    if not (base and dots and head) or head.startswith("."):
        raise BadSettings(f"--range {args.range[:80]!r} is no range; a good value: main..HEAD")
    git = Git(GitSettings(repositories={"here": args.repo.resolve()}, timeout_seconds=30))
    first, last = await git.sha("here", base), await git.sha("here", head)
    if not (first and last):
        raise NotFound(f"{args.repo} knows no commit {(base if not first else head)[:80]!r}; is it a clone, and is it fetched?")
    commits = await git.between("here", first, last)
    with library_beside(settings) as (library, _, db):
        catalogue = catalogue_beside(settings, declared.current, db)
        name = args.name or _name(await git.remote("here"), args.repo.resolve(), settings, catalogue)
        stores = Stores()
        past = db.read_now(lambda tx: past_causes(tx, stores.incidents, stores.diagnoses)) if db else ()
        await library.read()
        impact = impact_of(name, args.range, commits, catalogue, library.documents, past, args.hops)
    if args.json:
        print(json.dumps({"headline": impact.headline, **asdict(impact)}, indent=2))
        return 0
    head_line, *rest = (clean(redact(line)) for line in lines(impact))
    print("\n".join([head_line, *(f"  {line}" for line in rest)]))
    return 0


def _name(remote: str, folder: Path, settings: "Settings", catalogue: "Catalogue") -> str:
    """How the catalogue calls this clone: by its remote, by [connectors.git], or by its folder's name."""
    from bot.domain.service import repository_name

    if remote and catalogue.of_repository(repository_name(remote)):
        return remote
    given = settings.connectors.get("git", {}).get("repositories", {})
    clones = given if isinstance(given, dict) else {}
    known = [str(name) for name, path in clones.items() if settings.path(str(path)) == folder]
    named: Sequence[str] = sorted({s.repository for s in catalogue.services.values() if s.repository.endswith(f"/{folder.name}")})
    return known[0] if known else named[0] if len(named) == 1 else remote
