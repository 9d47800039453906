"""tocsin manifest: the Slack app to create, and why it wants what it wants."""

import argparse
import json

from bot.commands import Commands
from bot.errors import BadSettings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("manifest", help="the Slack app's manifest, to create the app from")
    parser.add_argument(
        "--mode", choices=("socket", "http"), default="socket", help="how Slack reaches the bot (default: socket)"
    )
    parser.add_argument("--url", default="", help="with --mode http: where Slack reaches the bot, https://…")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="as JSON (the default)")
    shape.add_argument("--yaml", action="store_true", help="as YAML")
    shape.add_argument("--explain", action="store_true", help="what each scope and event is for")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import yaml  # slow: only the commands that need them pay for it

    from bot.slack.manifest import explained, manifest

    if args.mode == "http" and not args.url:
        raise BadSettings("--mode http needs --url: where Slack reaches the bot. A good one: --url https://tocsin.example.com")
    if args.mode == "socket" and args.url:
        raise BadSettings("--url goes with --mode http; over a socket Slack needs no address.")
    if args.explain:
        for name, why in explained():
            print(f"{name:20} {why}")
        return 0
    made = manifest(args.url)
    print(yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=120) if args.yaml else json.dumps(made, indent=2))
    return 0
