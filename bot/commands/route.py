"""tocsin route explain: which channel an incident would go to, who would own it, who would be reached when, and by which rule."""

import argparse
import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.domain.alert import Severity
from bot.errors import BadSettings

if TYPE_CHECKING:
    from bot.settings.sections import HealthSettings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("route", help="where an incident goes, who is reached when, and why")
    verbs = parser.add_subparsers(dest="verb", required=True)
    explain = verbs.add_parser("explain", help="show the rules in order, and what they decide")
    explain.add_argument("service")
    explain.add_argument("--severity", choices=[s.value for s in Severity], default="SEV2")
    explain.add_argument("--environment", default="production")
    explain.add_argument("--at", metavar="TIME", help="an ISO time such as 2026-11-22T03:00:00Z (default: now)")
    explain.set_defaults(run=_explain)


def _explain(args: argparse.Namespace) -> int:
    from bot.flows.routes import explained  # slow: only commands that need the bot pay for it
    from bot.settings import load_settings  # as above
    from bot.wiring import rules, vendors  # as above

    try:
        at = datetime.fromisoformat(args.at) if args.at else datetime.now(UTC)
    except ValueError:
        raise BadSettings(f"--at {args.at[:60]!r} is no ISO time; a good value: 2026-11-22T03:00:00Z") from None
    settings = load_settings(args.config)
    able = vendors(settings)
    catalogue, routing, *_ = rules(settings)
    lines = asyncio.run(
        explained(
            args.service,
            Severity(args.severity),
            args.environment,
            at if at.tzinfo else at.replace(tzinfo=UTC),
            catalogue=catalogue.current,
            routing=routing.current,
            schedules=able.schedules,
            pagers=able.pagers,
        )
    )
    print("\n".join([*lines, _ill(settings.health, routing.current.health)]))
    return 0


def _ill(health: "HealthSettings", channel: str) -> str:
    """Who hears of it when the bot itself fails."""
    beats = f"an outside monitor hears a heartbeat every {health.heartbeat_seconds:g} s"
    if health.heartbeat_url is None:
        beats = "no outside monitor hears a heartbeat (TOCSIN_HEALTH_HEARTBEAT_URL, docs/paging.md)"
    return f"  parts of Tocsin that fail are told in {channel}; {beats}"
