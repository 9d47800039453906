"""tocsin delivery: how often new versions reach production, how fast, how many fail, how fast that is put right; and on-call."""

import argparse
import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.commands.journal import moment
from bot.errors import NotFound

if TYPE_CHECKING:
    from bot.domain.delivery import DeliveryFigures

SPAN = timedelta(days=28)
PATIENCE = 60.0  # seconds for repositories


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("delivery", help="DORA's figures by service, and on-call: pages, nights, acknowledgement")
    parser.add_argument("--since", type=moment, metavar="DATE", help="2026-11-22, or 28d ago (the default)")
    parser.add_argument("--until", type=moment, metavar="DATE", help="up to this time (default: now)")
    parser.add_argument("--service", default="", help="only this one")
    parser.add_argument("--no-commits", action="store_true", help="ask no repository: lead times from pushes alone")
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="also draw the charts, as PNG files into this folder")
    parser.add_argument("--json", action="store_true", help="one JSON document; spans of time as ISO 8601 durations")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import msgspec  # slow, as below

    from bot.incidents.delivery.words import delivery_lines, note_lines, on_call_lines, service_lines  # slow: the bot

    found = _found(args)
    if args.chart is not None:
        _draw(found, args.chart)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return 0
    print(f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}" + (f", {args.service}" if args.service else ""))
    print("\n".join(delivery_lines(found)))
    if not args.service:
        print("\n".join(("", *service_lines(found, len(found.services)), "", *on_call_lines(found.on_call))))
    print("\n".join(("", *note_lines(found.notes), "What each figure means: docs/delivery.md")))
    return 0


def _found(args: argparse.Namespace) -> "DeliveryFigures":
    from bot.actions.naming import named_service  # slow: only commands that need the bot pay for it
    from bot.flows.delivering.committing import commit_times  # as above
    from bot.flows.delivering.gathering import Asked, gathered, of_service  # as above
    from bot.incidents.delivery.figures import figures  # as above
    from bot.settings import load_settings  # as above
    from bot.wiring import ask, rules, utc_now  # as above
    from bot.wiring.vendors import vendors  # as above

    settings = load_settings(args.config)
    catalogue, routing, _ = rules(settings)
    until = args.until or utc_now()
    since = args.since or until - SPAN
    if since >= until:
        raise NotFound("--since must lie before --until.")
    asked = Asked(since, until, settings.environment, routing.current, {})
    past, pushes = ask(args.config, lambda stores, tx: gathered(tx, stores, asked))
    if args.service:
        past = of_service(past, named_service(args.service, catalogue.current).name)
    sources = () if args.no_commits else vendors(settings).changes
    times = asyncio.run(commit_times(past.deployments, pushes, sources, catalogue.current, since, PATIENCE))
    return figures(replace(past, commits=times), since, until)


def _draw(found: "DeliveryFigures", folder: Path) -> None:
    from bot.charts import draw  # slow: matplotlib
    from bot.flows.delivering.reporting import charts  # as above

    folder.mkdir(parents=True, exist_ok=True)
    for chart in charts(found):
        name = type(chart).__name__.removesuffix("Chart").lower()
        (folder / f"delivery-{name}.png").write_bytes(draw(chart))
