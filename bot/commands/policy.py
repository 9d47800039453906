"""tocsin policy explain: which rule decides about a deploy or rollback, why no other does, and what stands in the way."""

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime

from bot.commands import Commands
from bot.errors import BadSettings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("policy", help="who may deploy, roll back and approve what, and why")
    verbs = parser.add_subparsers(dest="verb", required=True)
    explain = verbs.add_parser("explain", help="show the rules in order, what stands in the way, and what is decided")
    explain.add_argument("--who", required=True, metavar="ID", help="a Slack user id")
    explain.add_argument("--do", required=True, choices=["deploy", "rollback"])
    explain.add_argument("--service", required=True)
    explain.add_argument("--environment", default="production")
    explain.add_argument("--channel", default="", help='where it is asked for: "#name" or an id, as policies.yaml writes it')
    explain.add_argument("--at", metavar="TIME", help="an ISO time such as 2026-12-24T20:00:00Z (default: now)")
    explain.add_argument("--claim", default="", choices=["fix", "override", "break-glass"], help="as if it were asked for so")
    explain.add_argument("--groups", default="", help="the person's Slack user groups, by commas; Slack itself is not asked")
    explain.set_defaults(run=_explain)


def _explain(args: argparse.Namespace) -> int:
    from bot.actions.plan import known_service  # slow: only commands that need the bot pay for it
    from bot.actions.policy import World, explained  # as above
    from bot.domain.action import ActionKind, Claim  # as above
    from bot.flows.locking.telling import supposed  # as above
    from bot.settings import load_settings  # as above
    from bot.wiring import rules  # as above
    from bot.wiring.stores import ask  # as above

    try:
        at = datetime.fromisoformat(args.at) if args.at else datetime.now(UTC)
    except ValueError:
        raise BadSettings(f"--at {args.at[:60]!r} is no ISO time; a good value: 2026-12-24T20:00:00Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    catalogue, _, policies = rules(load_settings(args.config))
    service = known_service(args.service, catalogue.current)
    try:
        incidents, locks = ask(args.config, lambda stores, tx: (stores.incidents.live(tx), stores.locks.held(tx, at)))
    except BadSettings as error:  # no bot has run here yet: the rules can be told all the same
        print(f"Without locks and incidents: {error}", file=sys.stderr)
        incidents, locks = (), ()
    action = supposed(ActionKind(args.do), service.name, args.environment, args.who, at)
    action = replace(action, claim=Claim(args.claim), claim_reason="as if" if args.claim else "")
    groups = frozenset(name.strip().lstrip("@") for name in args.groups.split(",") if name.strip())
    here = frozenset({args.channel} - {""})
    world = World(policies.current, service, at, incidents, locks, {args.who: groups}, here)
    print("\n".join(explained(action, args.who, world)))
    return 0
