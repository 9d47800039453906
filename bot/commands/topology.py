"""tocsin topology: the graph of services, each edge with who says so and when it was last seen."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.commands.examination import Finding
from bot.errors import BadSettings, NotFound
from bot.redact import clean

if TYPE_CHECKING:
    from bot.domain.service import Catalogue
    from bot.domain.topology import EdgeOrigin, KnownCall
    from bot.settings import Settings
    from bot.topology.merging import Unknown

NAMED = 8  # services named in one line


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("topology", help="who calls whom, and how that is known")
    verbs = parser.add_subparsers(dest="verb", required=True)
    show = verbs.add_parser("show", help="every edge, or those of one service")
    show.add_argument("service", nargs="?", default="")
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(run=_show)
    unknown = verbs.add_parser("unknown", help="services that were seen and that nobody described")
    unknown.add_argument("--json", action="store_true", help="one JSON object")
    unknown.set_defaults(run=_unknown)


def _show(args: argparse.Namespace) -> int:
    from bot.topology.merging import of_spelling  # slow: only commands that need the bot pay for it

    settings, catalogue, edges = _read(args)
    if args.service:
        name = catalogue.get(of_spelling(edges, args.service)).name
        edges = tuple(e for e in edges if name in (e.caller, e.callee))
        if not edges and catalogue.resolve(name) is None:
            raise NotFound(
                f"No service {args.service[:80]!r} is described or was seen; `tocsin topology show` lists those that are."
            )
    if args.json:
        told = [asdict(e) | {"sources": {s: at.isoformat() if at else None for s, at in e.sources.items()}} for e in edges]
        print(json.dumps({"learned": settings.topology.learned.value, "edges": told}, indent=2))
        return 0
    now = datetime.now(UTC)
    print("\n".join(line(edge, now) for edge in edges) or "No edge is declared, and none was seen.")
    return 0


def _unknown(args: argparse.Namespace) -> int:
    from bot.topology.merging import unknown  # slow, as above

    _, catalogue, edges = _read(args)
    found = unknown(edges, catalogue)
    if args.json:
        print(json.dumps([asdict(u) | {"last_seen": u.last_seen.isoformat()} for u in found], indent=2))
        return 0
    now = datetime.now(UTC)
    print("\n".join(unknown_line(u, now) for u in found) or "Every service that was seen is in the catalogue.")
    return 0


def _read(args: argparse.Namespace) -> "tuple[Settings, Catalogue, tuple[EdgeOrigin, ...]]":
    from bot.settings import load_settings  # slow, as above
    from bot.storage.database import SqlDatabase
    from bot.wiring import Stores, rules
    from bot.wiring.topology import edges_of

    settings = load_settings(args.config)
    declared, *_ = rules(settings)
    db = SqlDatabase(settings.database)
    try:
        db.open(beside=True)
    except BadSettings:  # no bot has run yet: what is declared is known all the same
        return settings, declared.current, edges_of(settings, declared.current, ())
    try:
        return settings, declared.current, edges_of(settings, declared.current, db.read_now(Stores().topology.known))
    finally:
        db.close()


def line(edge: "EdgeOrigin", now: datetime) -> str:
    """One edge for people: "web → cart  4/s, 1 % errors, 20 ms  catalogue, otlp 3 min ago"."""
    from bot.topology.telling import provenance, traffic  # slow, as above

    outside = " (outside)" if edge.external else ""
    return clean(f"{edge.caller} → {edge.callee}{outside}  {traffic(edge) or '-'}  {provenance(edge, now)}")


def unknown_line(one: "Unknown", now: datetime) -> str:
    """One service that nobody described: who calls it, whom it calls, who saw it."""
    from bot.topology.telling import ago  # slow, as above

    parts = [f"called by {_few(one.callers)}"] if one.callers else []
    parts += [f"calls {_few(one.callees)}"] if one.callees else []
    what = " (outside)" if one.external else ""
    return clean(f"{one.name}{what}  {'; '.join(parts)}  {', '.join(one.sources)} {ago(one.last_seen, now)}")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def findings(settings: "Settings", catalogue: "Catalogue", known: "Sequence[KnownCall]", sources: int) -> Iterator[Finding]:
    """What tocsin doctor says of the graph."""
    from bot.topology.merging import unknown  # slow, as above
    from bot.wiring.topology import edges_of

    own = settings.topology
    edges = edges_of(settings, catalogue, known)
    seen, declared = sum(1 for e in edges if e.last_seen), sum(1 for e in edges if e.declared)
    told = f"{len(edges)} edges: {declared} declared, {seen} seen; those nobody declared are used for: {own.learned.value}"
    if not sources and not own.otlp_port:
        told += "; nothing tells who calls whom: configure Prometheus, Jaeger, Kubernetes or [topology] otlp_port"
    yield Finding("topology", True, told)
    strangers = [u.name for u in unknown(edges, catalogue) if not u.external]
    if strangers:
        yield Finding("topology", False, f"seen and not in services.yaml: {_few(strangers)}; see `tocsin topology unknown`")
    if own.otlp_port and own.otlp_token is None and not own.otlp_allow_anonymous:
        yield Finding("spans", False, "otlp_port is set without TOCSIN_TOPOLOGY_OTLP_TOKEN: the bot does not start")
