"""tocsin doctor: what is set, what is missing, what to do."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bot.commands import Commands, journal_care, runs
from bot.errors import BotError


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: ok True, or False with what to do."""

    subject: str
    ok: bool
    text: str


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="what is set, what is missing, what to do")
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    findings = [finding async for finding in examine(args.config)]
    for finding in findings:
        print(f"{'ok' if finding.ok else 'NO':3} {finding.subject:14} {finding.text}")
    missing = sum(not finding.ok for finding in findings)
    print(f"\n{missing} of {len(findings)} need attention." if missing else "\nAll is well.")
    return 1 if missing else 0


async def examine(folder: Path) -> AsyncIterator[Finding]:
    """Each part of an installation in turn; a part that is wrong says how to mend it."""
    from bot.settings import load_settings  # slow, as below
    from bot.slack.channel import SlackChannel  # slow: only commands that need the bot pay for it
    from bot.slack.client import connect
    from bot.wiring import library_of, rules, vendors

    try:
        settings = load_settings(folder)
        yield Finding("settings", True, f"{settings.folder}, data in {settings.data}")
        catalogue, routing, policies = rules(settings)
        able = vendors(settings)
    except BotError as error:
        yield Finding("settings", False, str(error))
        return
    services = catalogue.current.services
    without = [s.name for s in services.values() if not s.deployer and not s.external]
    text = f"{len(services)} services" + (
        f"; no deployer for {', '.join(without[:5])}: rollbacks are not offered" if without else ""
    )
    yield Finding("catalogue", bool(services), text if services else "services.yaml has no service; see docs/configuration.md")
    rule_count = len(policies.current.rules)
    yield Finding(
        "policies", rule_count > 0, f"{rule_count} rules" if rule_count else "no rule: every deploy and rollback is refused"
    )
    for name, door in able.doors.items():
        signed = bool(door.settings.secrets) or door.settings.allow_unsigned
        yield Finding(
            name, signed, "webhooks are let in" if signed else f"set TOCSIN_{name.upper()}_SECRET; until then all are refused"
        )
    missing = "no [connectors.prometheus] or [connectors.loki]: causes are named from alerts, changes and diffs alone"
    yield Finding("evidence", bool(able.evidence), f"{len(able.evidence)} sources" if able.evidence else missing)
    yield Finding(
        "diffs",
        bool(able.changes),
        "diffs are read" if able.changes else "no [connectors.git]: changes are judged without their diff",
    )
    yield Finding("record", *await asyncio.to_thread(journal_care.record, folder))
    library = library_of(settings)
    await library.sync()
    yield Finding("knowledge", bool(library.documents), library.state)
    token = settings.slack.bot_token
    if token is None:
        yield Finding("slack", False, "SLACK_BOT_TOKEN is not set; `tocsin workspace` gives you a local workspace to start with")
        return
    channel = SlackChannel(connect(token.get_secret_value(), settings.slack.api_url))
    for name in routing.current.channels:
        try:
            yield Finding("slack", True, f"{name} is {await channel.channel_id(name)}")
        except BotError as error:
            yield Finding("slack", False, str(error))
