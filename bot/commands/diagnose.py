"""tocsin diagnose: what was found about an incident and every score behind it; what was learned from confirmed causes."""

import argparse
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.errors import NotFound
from bot.redact import clean, redact

if TYPE_CHECKING:
    from datetime import datetime

    from bot.ports import Transaction
    from bot.wiring import Stores


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("diagnose", help="the diagnosis of an incident with every score, and what the bot has learned")
    parser.add_argument(
        "incident", metavar="INC-n", help="this one, by INC-42 or its id; `weights`: what was learned from confirmed causes"
    )
    parser.add_argument("--explain", action="store_true", help="every candidate, fact, threshold and piece of evidence")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--history", action="store_true", help="weights: every attempt, adopted or not, and why")
    which.add_argument("--reset", action="store_true", help="weights: as shipped again; what is confirmed later is learned from")
    which.add_argument("--use", metavar="VERSION", help="weights: this version from now on (w3, shipped); nothing replaces it")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.incident == "weights":
        return _weights(args)
    if args.history or args.reset or args.use:
        raise NotFound("--history, --reset and --use go with `tocsin diagnose weights`.")
    import msgspec  # slow, as below

    from bot.flows.learning.explaining import explained, told  # slow: only commands that need the bot pay for it
    from bot.wiring import ask

    incident, diagnosis = ask(args.config, lambda stores, tx: _read(stores, tx, args.incident))
    if args.json:
        about = {"key": incident.key, "id": incident.id, "title": redact(clean(incident.title)), "status": incident.status}
        row = {"incident": about, "confirmed_cause": incident.confirmed_cause, "diagnosis": diagnosis}
        print(msgspec.json.format(msgspec.json.encode(row), indent=2).decode())
        return 0
    print("\n".join(explained(incident, diagnosis) if args.explain else told(incident, diagnosis)))
    return 0


def _read(stores: "Stores", tx: "Transaction", name: str) -> tuple[Incident, Diagnosis]:
    incident = stores.incidents.get(tx, name.upper()) or stores.incidents.get(tx, name)
    if incident is None:
        raise NotFound(f"There is no {name}; `tocsin incidents --all` lists the newest.")
    diagnosis = stores.diagnoses.latest(tx, incident.id)
    if diagnosis is None:
        raise NotFound(f"{incident.key} was not looked into yet; `tocsin incidents {incident.key}` tells what is known of it.")
    return incident, diagnosis


def _weights(args: argparse.Namespace) -> int:
    import msgspec  # slow, as below

    from bot.flows.learning.listing import history, in_force  # slow, as above
    from bot.flows.learning.nightly import lessons_kept
    from bot.wiring import ask, beside, utc_now

    if args.reset or args.use:
        number = 0 if args.reset else _number(args.use)
        beside(args.config, lambda db: db.write_now(lambda tx: _use(tx, number, pinned=bool(args.use), now=utc_now())))
    current, every, confirmed = ask(args.config, lambda stores, tx: (
        stores.weights.current(tx), stores.weights.history(tx), len(lessons_kept(tx, stores.incidents, stores.diagnoses))
    ))  # fmt: skip
    if args.json:
        row = {"current": current, "history": every, "confirmed": confirmed}
        print(msgspec.json.format(msgspec.json.encode(row), indent=2).decode())
        return 0
    for line in history(every) if args.history else in_force(current, confirmed):
        print(clean(line))
    return 0


def _number(version: str) -> int:
    if version == "shipped":
        return 0
    if not version.removeprefix("w").isdigit():
        raise NotFound(f"{version!r} is no version of weights; `tocsin diagnose weights --history` lists them: w1, w2 ...")
    return int(version.removeprefix("w"))


def _use(tx: "Transaction", number: int, *, pinned: bool, now: "datetime") -> None:
    from bot.wiring import Stores  # slow, as above

    stores = Stores()
    chosen = stores.weights.use(tx, number, now, pinned=pinned)
    if chosen is None:
        raise NotFound(f"There is no version w{number}; `tocsin diagnose weights --history` lists those there are.")
    deed = "chose weights" if pinned else "reset weights"
    stores.ledger.append(tx, now, "terminal", deed, chosen.weights.version, {"weights": chosen.weights.version})
