"""What an installation lacks, judged from what was found: pure, each finding with what to do next."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.domain.conversation import Abilities
from bot.domain.service import Catalogue
from bot.domain.telemetry import Readings, SourceStatus
from bot.slack.examine import FEATURES, Identity

NAMED = 5  # services that a finding names; the rest are counted
SEEN = timedelta(days=30)
QUIET = timedelta(days=7)
LATELY = timedelta(minutes=15)  # of which sources of evidence are asked
PATIENCE = 10.0  # seconds that each of them has
KINDS = {"xoxb-": "a bot token", "xoxp-": "a user's token", "xapp-": "an app-level token", "xoxe": "a rotating token"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: ok True, or False with what to do."""

    subject: str
    ok: bool
    text: str


def to_ask(catalogue: Catalogue) -> tuple[str, ...]:
    """Some services of the catalogue, ours and outside ones, that a source of evidence is tried with."""
    ours = [s.name for s in catalogue.services.values() if not s.external][:NAMED]
    return (*ours, *[s.name for s in catalogue.services.values() if s.external][:NAMED])


def of_evidence(name: str, asked: Collection[str], readings: Collection[Readings]) -> Finding:
    """A source of evidence can be asked; whether it knew something is told too."""
    bad = next((r for r in readings if r.status is SourceStatus.FAILED), None)
    if bad is not None:
        asked_for = f" Asked: {bad.query[:120]}" if bad.query else ""
        return Finding("evidence", False, f"{name} cannot be asked: {bad.reason}{asked_for}")
    if not asked:
        return Finding("evidence", True, f"{name} is set up; without a service in services.yaml there is nothing to ask it")
    if not readings:
        return Finding("evidence", True, f"{name} is set up, and has nothing to ask of {_few(asked)}: docs/connectors/{name}.md")
    knew = [r for r in readings if r.status is SourceStatus.OK]
    minutes = int(LATELY.total_seconds() // 60)
    if not knew:
        why = next((r.reason for r in readings if r.reason), "no data")
        return Finding("evidence", True, f"{name} answers, with nothing of {_few(asked)} in the last {minutes} minutes: {why}")
    found = {"series": 0, "log lines": 0, "spans": 0, "edges": 0, "happenings": 0}
    for r in knew:
        sizes = (r.series, r.logs, r.spans, r.edges, r.happenings)
        found = {what: n + len(more) for (what, n), more in zip(found.items(), sizes, strict=True)}
    told = ", ".join(f"{n} {what}" for what, n in found.items() if n)
    return Finding("evidence", True, f"{name} answers: {told or 'data'} of {_few(asked)} in the last {minutes} minutes")


def _few(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def kind_of(token: str) -> str:
    """What sort of token it is by its beginning; the token itself is never shown."""
    return next((kind for begin, kind in KINDS.items() if token.startswith(begin)), "no token that Slack gives out")


def of_token(name: str, token: str, begin: str, where: str) -> Finding:
    """A token that is set is of the kind that its place wants."""
    ok = token.startswith(begin)
    return Finding("slack tokens", ok, f"{name} is {kind_of(token)}" + ("" if ok else f"; it has to begin with {begin}: {where}"))


def of_mode(app_token: bool, signing_secret: bool) -> Finding:
    """How Slack reaches the bot."""
    if app_token:
        return Finding("slack mode", True, "Socket Mode (SLACK_APP_TOKEN is set)")
    if signing_secret:
        return Finding("slack mode", True, "signed HTTP at /slack/events (SLACK_SIGNING_SECRET is set, SLACK_APP_TOKEN is not)")
    what = "set SLACK_APP_TOKEN for Socket Mode (Basic Information › App-Level Tokens, connections:write)"
    return Finding("slack mode", False, f"{what}, or SLACK_SIGNING_SECRET for HTTP (Basic Information › App Credentials)")


def of_scopes(identity: Identity, wanted: Collection[str]) -> Finding:
    """The scopes that the manifest asks for were granted."""
    if identity.scopes is None:
        return Finding(
            "slack scopes", False, "Slack does not tell the granted scopes; compare them with `tocsin manifest --explain`"
        )
    missing = sorted(set(wanted) - identity.scopes)
    if not missing:
        return Finding("slack scopes", True, f"all {len(set(wanted))} scopes of the manifest are granted")
    advice = "add them under OAuth & Permissions, or paste `tocsin manifest`, and install the app again"
    return Finding("slack scopes", False, f"not granted: {', '.join(missing)}; {advice}")


def of_feature(method: str, code: str) -> Finding:
    """A feature that the bot can do without."""
    if not code:
        return Finding("slack features", True, f"{method} is there")
    return Finding("slack features", False, f"{method} is refused ({code}): {FEATURES[method]}; see docs/slack.md")


def of_channel(name: str, member: bool) -> Finding:
    """The bot is in a channel that routing.yaml names."""
    text = f"{name}: the bot is in it" if member else f"{name}: the bot is not in it; type in that channel: /invite @tocsin"
    return Finding("slack channels", member, text)


def of_abilities(name: str, abilities: Abilities) -> Finding:
    """What the configured model said of itself when asked once."""
    if abilities == Abilities():
        return Finding("model", False, f"{name} did not answer the probe, or can do little; check its address and key")
    can = [word for word, able in (("tools", abilities.tools), ("JSON schema", abilities.json_schema)) if able]
    size = "small: asked one structured question" if abilities.small else "investigates with tools"
    return Finding("model", True, f"{name}: {', '.join(can) or 'plain text only'}, {abilities.context} tokens, {size}")


def of_doors(
    signed: Mapping[str, bool],
    wanted: Collection[str],
    last: Mapping[str, datetime],
    now: datetime,
    hints: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Finding]:
    """Each door that lets webhooks in, was written into tocsin.toml, or was used once; the rest in one line.

    `hints` say by connector what proves its deliveries.
    """
    idle = [name for name, lets_in in signed.items() if not (lets_in or name in wanted or name in last)]
    for name, lets_in in signed.items():
        if name not in idle:
            yield of_door(name, lets_in, last.get(name), now, hints.get(name, ""))
    if idle:
        yield Finding("connectors", len(idle) < len(signed), f"not set up: {', '.join(idle)}; docs/connectors/<name>.md says how")


def of_door(name: str, signed: bool, last: datetime | None, now: datetime, hint: str = "") -> Finding:
    """A connector that receives webhooks lets them in, and when the last one came."""
    if not signed:
        return Finding(name, False, f"all are refused until it is set: {hint or f'TOCSIN_{name.upper()}_SECRET'}")
    if last is None:
        return Finding(name, True, f"webhooks are let in; none came yet: point it at /webhooks/{name}")
    ago = now - last
    hours = ago.total_seconds() / 3600
    when = f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.0f} h" if hours < 48 else f"{ago.days} days"
    if ago > QUIET:
        return Finding(name, False, f"webhooks are let in, but the last one came {when} ago; look at the sender")
    return Finding(name, True, f"webhooks are let in; the last one came {when} ago")


def of_work(counts: Mapping[tuple[str, str], int], overdue: float) -> Iterator[Finding]:
    """Durable work that was given up, or that waits although it is due."""
    dead = sum(n for (_, state), n in counts.items() if state == "dead")
    queues = ", ".join(f"{n} of {queue}" for (queue, state), n in sorted(counts.items()) if state == "dead")
    yield Finding("work", not dead, f"{queues} was given up: see `tocsin work`" if dead else "nothing was given up")
    if overdue > 60:
        yield Finding("work", False, f"something due has waited for {overdue:.0f} s: is `tocsin serve` running?")


def of_coverage(catalogue: Catalogue, shipped: Collection[str], alerted: Collection[str]) -> Iterator[Finding]:
    """The services of the catalogue of which nothing was heard for `SEEN`, or which nobody owns."""
    mine = [s for s in catalogue.services.values() if not s.external]
    if not mine:
        return
    days = SEEN.days
    unshipped = [s.name for s in mine if s.name not in shipped]
    do = "point GitHub's webhook at Tocsin, or add one line to the pipeline: `tocsin change --service … --version …`"
    yield _covered("deployments", unshipped, len(mine), f"deployment events in {days} days", do)
    silent = [s.name for s in mine if s.name not in alerted]
    do = "label its alerts with service=<name or alias of services.yaml>; a quiet service needs nothing"
    yield _covered("alerts", silent, len(mine), f"alerts in {days} days", do)
    unowned = [s.name for s in mine if not s.owner]
    yield _covered("owners", unowned, len(mine), "owner", "add `owner:` in services.yaml, so that routing.yaml finds its people")


def _covered(subject: str, without: list[str], all: int, what: str, do: str) -> Finding:
    if not without:
        return Finding(subject, True, f"all {all} services have {'an ' if what == 'owner' else ''}{what}")
    named = ", ".join(without[:NAMED]) + (f" and {len(without) - NAMED} more" if len(without) > NAMED else "")
    return Finding(subject, False, f"no {what} for {len(without)} of {all} services ({named}): {do}")
