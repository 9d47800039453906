"""tocsin route explain: which channel an incident would go to, and by which rule."""

import argparse
from datetime import UTC, datetime

from bot.commands import Commands
from bot.domain.alert import Severity


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("route", help="which channel an incident goes to, and why")
    verbs = parser.add_subparsers(dest="verb", required=True)
    explain = verbs.add_parser("explain", help="show the rules in order and which one decides")
    explain.add_argument("service")
    explain.add_argument("--severity", choices=[s.value for s in Severity], default="SEV2")
    explain.add_argument("--environment", default="production")
    explain.add_argument("--at", metavar="TIME", help="an ISO time such as 2026-11-22T03:00:00Z (default: now)")
    explain.set_defaults(run=_explain)


def _explain(args: argparse.Namespace) -> int:
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import rules  # as above

    at = datetime.fromisoformat(args.at) if args.at else datetime.now(UTC)
    catalogue, routing, _ = rules(load_settings(args.config))
    service = catalogue.current.get(args.service)
    lines = routing.current.explain(
        owner=service.owner,
        service=service.name,
        severity=Severity(args.severity),
        environment=args.environment,
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
    )
    print("\n".join(lines))
    return 0
