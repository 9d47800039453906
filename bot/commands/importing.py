"""tocsin incidents import: past incidents out of files, PagerDuty, Jira or GitHub, kept where every replica finds them."""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.past import PastIncident
from bot.errors import BadSettings
from bot.redact import clean

if TYPE_CHECKING:
    from bot.knowledge.tables import Row
    from bot.ports import Transaction
    from bot.settings import Settings
    from bot.storage.database import SqlDatabase

Finish = Callable[[Sequence[PastIncident]], list[PastIncident]]
MOST = 20_000  # incidents of one import
BATCH = 50
BAD_SHOWN = 20
YEAR = timedelta(days=365)
STILL_OPEN = timedelta(days=14)  # what began so long before the last import may have been open then: it is asked for again
LONGEST_MARK = 64  # characters of a switch's name
MARKDOWN = (".md", ".markdown")


def options(parser: argparse.ArgumentParser) -> None:
    """What `import` takes."""
    group = parser.add_argument_group("import")
    group.add_argument("files", nargs="*", type=Path, metavar="FILE", help="Markdown, a folder of it, CSV or JSON")
    group.add_argument("--from", dest="tool", default="", metavar="TOOL", help="pagerduty, jira or github instead of files")
    group.add_argument("--query", default="", help="JQL; a label or `owner/name label` of GitHub; a service id of PagerDuty")
    group.add_argument(
        "--since", default="", metavar="DATE", help="begun since (default: where the last import stopped, or a year)"
    )
    group.add_argument("--origin", default="files", metavar="NAME", help="what files are marked with (default: files)")
    group.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN", help="which column is what, for CSV and JSON"
    )
    group.add_argument("--dry-run", action="store_true", help="say what would come, keep nothing")


def run(args: argparse.Namespace) -> int:
    """0 if everything was read, 1 if rows were left out."""
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import beside  # as above

    if bool(args.files) == bool(args.tool):
        raise BadSettings("Name files to import, or a tool: tocsin incidents import FILE..., or --from pagerduty|jira|github.")
    settings = load_settings(args.config)
    if args.dry_run and args.files:
        return _files(args, settings, None)

    def work(db: "SqlDatabase") -> int:
        return _files(args, settings, db) if args.files else asyncio.run(_vendor(args, settings, db))

    return beside(args.config, work, make=True)


def _files(args: argparse.Namespace, settings: "Settings", db: "SqlDatabase | None") -> int:
    from bot.knowledge.tables import BadRow  # slow, as above

    good: list[PastIncident] = []
    bad: list[BadRow] = []
    for row in islice(_rows(args.files, _mapping(args.map)), MOST):
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            good.append(replace(row, origin=args.origin))
    kept = _finish(settings)(good)
    if db is not None:
        for n in range(0, len(kept), BATCH):
            _keep(db, kept[n : n + BATCH])
            _progress(n + BATCH, len(kept))
    _report(kept, args, len(bad))
    for row in bad[:BAD_SHOWN]:
        print(clean(f"left out {row.where}: {row.why}"), file=sys.stderr)
    if len(bad) > BAD_SHOWN:
        print(f"... and {len(bad) - BAD_SHOWN} more", file=sys.stderr)
    return 1 if bad else 0


def _mapping(given: Iterable[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := next((a for a, sign, b in pairs if not (a and sign and b)), None):
        raise BadSettings(f"--map wants FIELD=COLUMN, such as cause='Root cause'; this is {wrong!r}.")
    return {field: column for field, _, column in pairs}


def _rows(paths: Sequence[Path], given: dict[str, str]) -> "Iterator[Row]":
    from bot.knowledge import tables  # slow, as above

    for path in paths:
        if path.is_dir() or path.suffix.lower() in MARKDOWN:
            yield from _markdown(path)
        elif not path.is_file():
            raise BadSettings(f"There is no {path}.")
        elif path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
            found = tables.json_rows(path)
            columns = tables.columns_of(tables.json_names(found), given)
            _show(path, columns)
            yield from tables.read_json(found, columns)
        else:
            columns = tables.columns_of(tables.csv_names(path), given)
            _show(path, columns)
            yield from tables.read_csv(path, columns)


def _show(path: Path, columns: dict[str, str]) -> None:
    print(clean(f"{path.name}: " + ", ".join(f"{field} = {column!r}" for field, column in columns.items())), file=sys.stderr)


def _markdown(path: Path) -> "Iterator[Row]":
    from bot.knowledge.postmortem import read_postmortem  # slow, as above
    from bot.knowledge.tables import BadRow  # as above

    root = path.resolve() if path.is_dir() else path.resolve().parent
    pages = (
        sorted(p for p in root.rglob("*") if p.suffix.lower() in MARKDOWN and p.is_file()) if path.is_dir() else [path.resolve()]
    )
    for page in pages:
        if not page.resolve().is_relative_to(root):
            continue  # a link to outside
        try:
            found = read_postmortem(page, root)
        except (OSError, ValueError) as error:
            yield BadRow(str(page), str(error)[:200])
            continue
        yield found or BadRow(str(page), "it is empty")


async def _vendor(args: argparse.Namespace, settings: "Settings", db: "SqlDatabase") -> int:
    from bot.knowledge.postmortem import when  # slow, as above
    from bot.wiring import Stores, utc_now  # as above
    from bot.wiring.history import history_of  # as above

    history, mark, began = history_of(settings, args.tool, args.query), _mark(args.tool, args.query), utc_now()
    try:
        asked = when(args.since)
    except ValueError:
        raise BadSettings(f"--since is {args.since!r}; a date looks like 2026-03-02.") from None
    stopped = db.read_now(lambda tx: Stores().switches.get(tx, mark))
    since = asked or (datetime.fromisoformat(stopped) if stopped else utc_now() - YEAR)
    print(f"reading {args.tool} since {since:%Y-%m-%d %H:%M} UTC", file=sys.stderr)
    finished = _finish(settings)
    kept: list[PastIncident] = []
    batch: list[PastIncident] = []

    def flush() -> None:
        done = finished(batch)
        kept.extend(done)
        if not args.dry_run and done:
            newest = max((d.started for d in done if d.started), default=since)
            _keep(db, done, mark, newest)
        batch.clear()
        _progress(len(kept), 0)

    async for one in history.incidents(since):
        batch.append(one)
        if len(batch) >= BATCH:
            flush()
        if len(kept) >= MOST:
            print(f"stopped after {MOST} incidents; the same command goes on from here", file=sys.stderr)
            break
    flush()
    if kept and len(kept) < MOST and not args.dry_run:
        _keep(db, (), mark, began - STILL_OPEN)
    _report(kept, args, 0)
    return 0


def _mark(tool: str, query: str) -> str:
    """The switch that tells how far a tool was read for a query."""
    plain = f"import:{tool}:{query}"
    return plain if len(plain) <= LONGEST_MARK else f"import:{tool}:{hashlib.sha256(query.encode()).hexdigest()[:32]}"


def _finish(settings: "Settings") -> Finish:
    """Makes past incidents what is kept of them: headings read, secrets gone, services under their own names."""
    from bot.knowledge.postmortem import enriched  # slow, as above
    from bot.wiring import rules  # as above

    catalogue = rules(settings)[0].current

    def named(word: str) -> str:
        found = catalogue.resolve(word) or catalogue.spelt(word)
        return found.name if found else word

    return lambda rows: [enriched(row, named) for row in rows]


def _keep(db: "SqlDatabase", rows: Sequence[PastIncident], mark: str = "", reached: datetime | None = None) -> None:
    """One transaction: what was read, and how far that is, so that the same command goes on from there."""
    from uuid6 import uuid7  # slow, as above

    from bot.flows.runbooks.keeping_up import MARK  # as above
    from bot.wiring import Stores, utc_now  # as above

    def go(tx: "Transaction") -> None:
        stores = Stores()
        if rows:
            stores.past.keep(tx, rows, utc_now())
            stores.switches.turn(tx, MARK, str(uuid7()), "tocsin", utc_now())  # a running bot hears of it
        if mark and reached is not None:
            stores.switches.turn(tx, mark, reached.astimezone(UTC).isoformat(), "tocsin", utc_now())

    db.write_now(go)


def _progress(done: int, of: int) -> None:
    told = f"{min(done, of)} of {of}" if of else str(done)
    print(f"\rread {told}", end="" if not of or done < of else "\n", file=sys.stderr, flush=True)


def _report(kept: Sequence[PastIncident], args: argparse.Namespace, bad: int) -> None:
    for one in kept if args.dry_run else ():
        began = f"{one.started:%Y-%m-%d}" if one.started else "no date   "
        print(clean(f"{began}  {one.ref[:40]:20} {one.title[:100]}"))
        print(
            clean(
                f"{'':12}{', '.join(one.services) or 'no service'} · cause: {one.cause[:80] or '?'} · fix: {one.fix[:80] or '?'}"
            )
        )
    found = "; a running bot finds them within a minute" if kept else ""
    told = "would be kept" if args.dry_run else f"kept{found}"
    incidents = "1 past incident" if len(kept) == 1 else f"{len(kept)} past incidents"
    print(f"{incidents} {told}" + (f"; {bad} left out" if bad else ""))
