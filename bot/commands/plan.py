"""tocsin plan: what a deploy or rollback would do, asked now; nothing is kept, nobody is told and nothing is changed."""

import argparse
import json
import sys
from dataclasses import asdict
from uuid import uuid4

from bot.commands import Commands, runs
from bot.errors import BadSettings
from bot.redact import clean, redact

TERMINAL = "terminal"  # whoever asks; no Slack user id looks so


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("plan", help="what a deploy or rollback would do, and what stands in its way")
    parser.add_argument("kind", choices=["deploy", "rollback"])
    parser.add_argument("service")
    parser.add_argument("words", nargs="*", metavar="VERSION ENVIRONMENT", help="a rollback goes one version back without")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    from bot.actions.planning.choosing import checked_wish, known_service  # slow: only commands that need the bot pay for it
    from bot.actions.planning.telling import lines  # as above
    from bot.domain.action import Action, ActionKind, ActionStatus  # as above
    from bot.flows.acting.gathering import plan_of, world_beside  # as above
    from bot.flows.locking.guarding import with_barriers  # as above
    from bot.settings import load_settings  # as above
    from bot.wiring.planning import means_beside  # as above

    settings, kind = load_settings(args.config), ActionKind(args.kind)
    async with means_beside(settings) as means:
        if means.db is None:
            print("Without incidents, changes and locks: no bot has run here yet.", file=sys.stderr)
        service, now = known_service(args.service, means.catalogue()), means.clock()
        version, environment = _words(args.words, kind is ActionKind.ROLLBACK, service.environments)
        where = environment or settings.environment
        checked_wish(service, version, where)
        wish = Action(str(uuid4()), kind, service.name, where, version, ActionStatus.PROPOSED, TERMINAL, now, now)
        plan = with_barriers(await plan_of(wish, service, means), wish, await world_beside(service, means))
    if args.json:
        told = {"kind": kind.value, "service": service.name, "environment": where, **asdict(plan), "authors": plan.authors}
        print(json.dumps(told, indent=2, default=str))
        return 0
    print("\n".join(clean(redact(line)) for line in lines(wish, plan)))
    return 0


def _words(words: list[str], back: bool, environments: tuple[str, ...]) -> tuple[str, str]:
    """The version and the environment; one word after a rollback's service is an environment where it has one of that name."""
    if len(words) > 2 or not (words or back):
        raise BadSettings("A good example: tocsin plan deploy checkout v45 production, or: tocsin plan rollback checkout")
    if back and len(words) == 1 and words[0] in environments:
        return "", words[0]
    version, environment = (*words, "", "")[:2]
    return version, environment
