"""tocsin incidents: what is open and what is known of it, in the terminal, for when the chat is down. Read-only."""

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.commands import Commands, importing
from bot.domain.action import Action
from bot.domain.evidence import Diagnosis, Verdict
from bot.domain.incident import Entry, Incident
from bot.errors import NotFound
from bot.redact import clean

if TYPE_CHECKING:
    from bot.ports import Transaction
    from bot.wiring import Stores

NEWEST = 15  # timeline entries shown


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("incidents", help="open incidents, or one with its evidence, without the chat")
    parser.add_argument(
        "incident",
        nargs="?",
        default="",
        metavar="INC-n",
        help="this one, whole; `unmatched`: alerts without a service; `import`: past incidents from files or another tool",
    )
    importing.options(parser)
    parser.add_argument("--all", action="store_true", help="the newest of any status")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import msgspec  # slow, as below

    from bot.wiring import ask, utc_now  # slow: only commands that need the bot pay for it

    if args.incident == "unmatched":
        return _unmatched(args)
    if args.incident == "import":
        return importing.run(args)
    found = ask(args.config, lambda stores, tx: _read(stores, tx, args))
    if args.json:
        rows = [{"incident": i, "diagnosis": d, "actions": a, "timeline": t} for i, d, a, t in found]
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    lines = whole(*found[0], utc_now()) if args.incident else listing([(i, d) for i, d, _, _ in found], utc_now())
    print("\n".join(clean(line) for line in lines))
    return 0


def _unmatched(args: argparse.Namespace) -> int:
    """What nobody could attribute, and what people said of such."""
    import msgspec  # slow, as below

    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import ask, rules

    known = rules(load_settings(args.config))[0].current.services
    rows, said = ask(args.config, lambda stores, tx: (
        stores.attributions.unmatched(tx, known.keys(), 100), stores.attributions.mappings(tx)
    ))  # fmt: skip
    if args.json:
        print(msgspec.json.format(msgspec.json.encode({"unmatched": rows, "mappings": said}), indent=2).decode())
        return 0
    for row in rows:
        print(clean(f"{row.events:>7}  {row.label}={row.value}  {', '.join(row.names[:5])}"))
        print(clean(" " * 9 + ", ".join(f"{k}={v}" for k, v in sorted(row.labels.items()))[:200]))
    if not rows:
        print("Every alert that came in lately has a service of services.yaml.")
    for mapping in said:
        print(clean(f"{mapping.label}={mapping.value} is {mapping.service} ({mapping.by}, {mapping.at:%Y-%m-%d})"))
    return 0


Known = tuple[Incident, Diagnosis | None, tuple[Action, ...], tuple[Entry, ...]]


def _read(stores: "Stores", tx: "Transaction", args: argparse.Namespace) -> list[Known]:
    if args.incident:
        one = stores.incidents.get(tx, args.incident.upper())
        if one is None:
            raise NotFound(f"There is no {args.incident}; `tocsin incidents --all` lists the newest.")
        chosen: tuple[Incident, ...] = (one,)
    else:
        chosen = stores.incidents.recent(tx, 20) if args.all else stores.incidents.live(tx)
    return [
        (i, stores.diagnoses.latest(tx, i.id), stores.actions.of_incident(tx, i.id), stores.timeline.of(tx, i.id)) for i in chosen
    ]


def listing(found: list[tuple[Incident, Diagnosis | None]], now: datetime) -> Iterator[str]:
    """Two lines an incident: what it is, and what is likely behind it."""
    for incident, diagnosis in found:
        who = incident.acknowledged_by or "nobody yet"
        state = f"{incident.severity.value.upper():5} {incident.status.value:12} {_age(now - incident.opened_at):>6}"
        yield f"{incident.key:8} {state}  {incident.service} ({incident.environment}): {incident.title}"
        yield f"{'':8} acknowledged by {who} · {diagnosis.summary if diagnosis else 'not looked into yet'}"
    if not found:
        yield "No incident is open. All quiet."


def whole(
    incident: Incident, diagnosis: Diagnosis | None, actions: tuple[Action, ...], timeline: tuple[Entry, ...], now: datetime
) -> Iterator[str]:
    """One incident as its card and thread would tell it."""
    yield from listing([(incident, diagnosis)], now)
    if diagnosis is not None:
        yield from _reasoning(diagnosis)
    for action in actions:
        yield f"\nAction {action.id}: {action.kind.value} of {action.service} to {action.target}"
        yield f"  {action.status.value}. {action.outcome}"
    yield "\nTimeline"
    for entry in timeline[-NEWEST:]:
        yield f"  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind.value:9} {entry.text} ({entry.by})"


def _reasoning(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"\nVerdict: {diagnosis.verdict.value}, {diagnosis.confidence.value}, by {diagnosis.engine}. {diagnosis.symptom}"
    if diagnosis.cause is not None:
        yield from (f"  because {fact.text} {_cites(fact.cites)}" for fact in diagnosis.cause.facts)
    if diagnosis.verdict is not Verdict.CONVICTED:
        yield from (f"  suspect {s.title} ({s.service} {s.version}), {s.score:.2f}" for s in diagnosis.suspects[:3])
    yield from (f"  ruled out {c.title}: {c.ruled_out}" for c in diagnosis.ruled_out[:5])
    if diagnosis.next_step:
        yield f"Next: {diagnosis.next_step}"
    yield from (f"Runbook: {book.title} › {book.section}  {book.path or book.link}" for book in diagnosis.runbooks)
    yield from (f"Seen before: {past.id} {past.title}, cause: {past.cause}, fixed by: {past.fix}" for past in diagnosis.past)
    yield "Evidence"
    yield from (f"  {e.id:4} {e.kind.value:9} {e.text}" for e in diagnosis.evidence)


def _cites(ids: tuple[str, ...]) -> str:
    return "".join(f"[{id}]" for id in ids)


def _age(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
