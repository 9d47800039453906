"""tocsin doctor: what is set, what is missing, what to do."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands import Commands, automation, deployers, journal_care, runs, sources, topology
from bot.commands import examination as judge
from bot.commands.examination import Finding
from bot.domain.telemetry import Window
from bot.errors import BotError
from bot.redact import clean

if TYPE_CHECKING:
    from bot.actions.policy import Policies
    from bot.domain.service import Catalogue
    from bot.ports import EvidenceSource, Transaction
    from bot.settings import Settings
    from bot.storage.database import SqlDatabase
    from bot.wiring import Vendors


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="what is set, what is missing, what to do")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    findings = [finding async for finding in examine(args.config)]
    missing = sum(not finding.ok for finding in findings)
    if args.json:
        print(json.dumps({"ok": not missing, "findings": [asdict(f) for f in findings]}, indent=2))
        return 1 if missing else 0
    for finding in findings:
        print(f"{'ok' if finding.ok else 'NO':3} {finding.subject:14} {clean(finding.text)}")
    print(f"\n{missing} of {len(findings)} need attention." if missing else "\nAll is well.")
    return 1 if missing else 0


async def examine(folder: Path) -> AsyncIterator[Finding]:
    """Each part of an installation in turn; a part that is wrong says how to mend it."""
    from bot.flows.routes import without_credentials  # slow: only commands that need the bot pay for it
    from bot.settings import load_settings
    from bot.wiring import rules, vendors

    try:
        settings = load_settings(folder)
        yield Finding("settings", True, f"{settings.folder}, data in {settings.data}")
        catalogue, routing, policies = rules(settings)
        able = vendors(settings)
        sources.check(settings)
    except BotError as error:
        yield Finding("settings", False, str(error))
        return
    for finding in _rules(catalogue.current, len(policies.current.rules), able):
        yield finding
    async for finding in _evidence(catalogue.current, able):
        yield finding
    for finding in await deployers.examine(settings, catalogue.current, able.deployers):
        yield finding
    for text in without_credentials(routing.current, able.pagers, able.schedules):
        yield Finding("routing", False, f"routing.yaml: {text}")
    for finding in _records(settings, catalogue.current, able):
        yield finding
    yield Finding("record", *await asyncio.to_thread(journal_care.record, folder))
    async for finding in _knowledge(settings, policies.current):
        yield finding
    async for finding in _slack(settings, routing.current.channels):
        yield finding
    yield await _model(settings)


def _rules(catalogue: "Catalogue", rule_count: int, able: "Vendors") -> Iterator[Finding]:
    services = catalogue.services
    without = [s.name for s in services.values() if not s.deployer and not s.external]
    text = f"{len(services)} services" + (
        f"; no deployer for {', '.join(without[:5])}: rollbacks are not offered" if without else ""
    )
    yield Finding("catalogue", bool(services), text if services else "services.yaml has no service; see docs/configuration.md")
    yield Finding(
        "policies", rule_count > 0, f"{rule_count} rules" if rule_count else "no rule: every deploy and rollback is refused"
    )
    if not able.evidence:
        missing = "no [connectors.prometheus] or [connectors.loki]: causes are named from alerts, changes and diffs alone"
        yield Finding("evidence", False, missing)
    yield Finding(
        "diffs",
        bool(able.changes),
        "diffs are read" if able.changes else "no [connectors.git]: changes are judged without their diff",
    )


async def _evidence(catalogue: "Catalogue", able: "Vendors") -> AsyncIterator[Finding]:
    """Each source of evidence is asked about some services, as an investigation would."""
    from bot.wiring import utc_now  # slow, as above
    from bot.wiring.vendors import described

    asked = judge.to_ask(catalogue)
    window = Window(utc_now() - judge.LATELY, utc_now())
    sources = described(able.evidence, lambda: catalogue)
    for finding in await asyncio.gather(*(_tried(source, asked, window) for source in sources)):
        yield finding


async def _tried(source: "EvidenceSource", asked: tuple[str, ...], window: Window) -> Finding:
    name = str(getattr(source, "name", type(source).__name__))
    try:
        readings = await asyncio.wait_for(source.read(asked, window), judge.PATIENCE)
    except TimeoutError:
        return Finding("evidence", False, f"{name} did not answer within {judge.PATIENCE:g} s")
    return judge.of_evidence(name, asked, readings)


def _records(settings: "Settings", catalogue: "Catalogue", able: "Vendors") -> Iterator[Finding]:
    """What the database says; without one, the doors are judged alone."""
    from bot.storage.database import SqlDatabase  # slow, as above
    from bot.wiring import utc_now

    db = SqlDatabase(settings.database)
    try:
        db.open(beside=True)
        try:
            db.write_now(lambda _: None)  # takes the writer's lock, which a read-only database refuses
            found = db.read_now(lambda tx: list(_kept(tx, db, catalogue, able, settings)))
        finally:
            db.close()
    except BotError as error:
        yield Finding("database", False, str(error))
        yield from judge.of_doors(_signed(able), settings.connectors, {}, utc_now(), _hints(able))
        return
    yield from found


def _signed(able: "Vendors") -> dict[str, bool]:
    return {name: bool(door.settings.secrets) or door.settings.allow_unsigned for name, door in able.doors.items()}


def _hints(able: "Vendors") -> dict[str, str]:
    return {name: door.connector.help for name, door in able.doors.items()}


def _kept(
    tx: "Transaction", db: "SqlDatabase", catalogue: "Catalogue", able: "Vendors", settings: "Settings"
) -> Iterator[Finding]:
    from bot.durable.work import DurableWork  # slow, as above
    from bot.wiring import Stores, utc_now

    stores, work, now = Stores(), DurableWork(), utc_now()
    yield Finding("database", True, f"{db} answers, can be written, and has the schema of this version")
    yield from judge.of_doors(_signed(able), settings.connectors, stores.inbox.last(tx), now, _hints(able))
    shipped = {s for c in stores.changes.between(tx, now - judge.SEEN, now) if c.shipped for s in c.services}
    yield from topology.findings(settings, catalogue, stores.topology.known(tx), len(able.edges))
    yield from judge.of_coverage(catalogue, shipped, stores.alerts.services(tx, now - judge.SEEN))
    yield from judge.of_work(work.counts(tx), work.overdue(tx))


async def _knowledge(settings: "Settings", policies: "Policies") -> AsyncIterator[Finding]:
    from bot.knowledge.embedder import NONE  # slow, as above
    from bot.wiring import library_beside

    with library_beside(settings) as (library, copies, db):
        async for finding in sources.examine(copies, db):
            yield finding
        await library.sync()
    yield Finding("knowledge", bool(library.documents), library.state)
    for finding in automation.findings(library.documents, policies):
        yield finding
    if settings.knowledge.embedder == NONE:
        yield Finding("vectors", True, 'no embedder ([knowledge] embedder = "none"): runbooks are searched by words')
        return
    where = settings.knowledge.vector_url or settings.data / "vectors"
    bad = f"{where} cannot be used, or the embedder is not there: runbooks are searched by words; see the log of `tocsin index`"
    yield Finding("vectors", library.meaning, f"{where}" if library.meaning else bad)


async def _slack(settings: "Settings", channels: tuple[str, ...]) -> AsyncIterator[Finding]:
    from bot.slack.channel import SlackChannel  # slow, as above
    from bot.slack.client import connect
    from bot.slack.examine import FEATURES, Examiner, opens_a_socket
    from bot.slack.manifest import scopes

    slack = settings.slack
    if slack.bot_token is None:
        yield Finding("slack", False, "SLACK_BOT_TOKEN is not set; `tocsin workspace` gives you a local workspace to start with")
        return
    token = slack.bot_token.get_secret_value()
    yield judge.of_token("SLACK_BOT_TOKEN", token, "xoxb-", "OAuth & Permissions › Bot User OAuth Token")
    yield judge.of_mode(slack.app_token is not None, slack.signing_secret is not None)
    examiner = Examiner(token, slack.api_url)
    try:
        identity = await examiner.identity()
        yield Finding("slack", True, f"@{identity.user} in {identity.team}")
        yield judge.of_scopes(identity, scopes())
        for method in FEATURES:
            yield judge.of_feature(method, await examiner.refused(method))
        if slack.app_token is not None:
            app_token = slack.app_token.get_secret_value()
            yield judge.of_token("SLACK_APP_TOKEN", app_token, "xapp-", "Basic Information › App-Level Tokens")
            await opens_a_socket(app_token, slack.api_url)
    except BotError as error:
        yield Finding("slack", False, str(error))
        return
    channel = SlackChannel(connect(token, slack.api_url))
    for name in channels:
        try:
            yield judge.of_channel(name, await examiner.is_member(await channel.channel_id(name)))
        except BotError as error:
            yield Finding("slack channels", False, str(error))


async def _model(settings: "Settings") -> Finding:
    from bot.wiring import model_of  # slow, as above

    try:
        model = model_of(settings)
        if model is None:
            return Finding("model", True, "none configured: answers come from rules; set TOCSIN_MODEL to have one")
        return judge.of_abilities(settings.model, await model.abilities())
    except BotError as error:
        return Finding("model", False, str(error))
