"""tocsin journal verify, erase and prune: the record stays true, and lets go of what it may no longer keep."""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.errors import BotError, NotFound
from bot.ports import Transaction

if TYPE_CHECKING:
    from bot.storage.erasure import Touched
    from bot.wiring import Stores


def register(verbs: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    verify = verbs.add_parser("verify", help="check the chains of audit and journal; 1 if a line does not fit")
    verify.set_defaults(run=_verify)
    erase = verbs.add_parser("erase", help="let go of a person everywhere; without --yes only say what that would touch")
    erase.add_argument("user", help="the Slack user id, such as U024BE7LH")
    erase.add_argument("--name", action="append", default=[], help="a name or address that is erased too; may be repeated")
    erase.add_argument("--yes", action="store_true", help="do it; there is no way back but a backup")
    erase.set_defaults(run=_erase)
    prune = verbs.add_parser("prune", help="forget what answers said; that they were given, and their hashes, stay")
    prune.add_argument("--older-than", type=int, required=True, metavar="DAYS")
    prune.set_defaults(run=_prune)


def chains(stores: "Stores", tx: Transaction) -> list[tuple[str, bool, str]]:
    """For each chain: its name, whether it is whole, and a sentence."""
    found = []
    for name, store in (("audit", stores.ledger), ("journal", stores.journal)):
        broken, (count, head) = store.broken_at(tx), store.head(tx)
        if broken is not None:
            text = f"line {broken} of {count} does not fit: it, or what it tells, was changed, or a line before it is missing"
        else:
            text = f"{count} lines fit, head {head[:12]}" if count else "no lines yet"
        found.append((name, broken is None, text))
    return found


def record(folder: Path) -> tuple[bool, str]:
    """Whether both chains are whole, and a sentence; for `tocsin doctor`."""
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.wiring import ask  # as above

    kind, _, file = load_settings(folder).database.partition(":///")
    if kind == "sqlite" and not Path(file).exists():
        return True, "no database yet; the first start makes it"
    try:
        found = ask(folder, chains)
    except BotError as error:
        return False, str(error)
    return all(whole for _, whole, _ in found), "; ".join(f"{name}: {text}" for name, _, text in found)


def _verify(args: argparse.Namespace) -> int:
    from bot.wiring import ask  # slow: only commands that need the bot pay for it

    found = ask(args.config, chains)
    for name, whole, text in found:
        print(f"{'ok' if whole else 'NO':3} {name:8} {text}")
    if all(whole for _, whole, _ in found):
        print("Compare the heads with those in the daily digest: a cut-off end does not show from inside.")
        return 0
    return 1


def _erase(args: argparse.Namespace) -> int:
    from bot.durable.work import DurableWork  # slow: only commands that need the bot pay for it
    from bot.settings import load_settings  # as above
    from bot.storage.database import SqlDatabase
    from bot.storage.erasure import Names, Touched, erase, erase_received, new_alias
    from bot.storage.scrub import scrub
    from bot.wiring import Stores, beside, utc_now

    if not (args.user[:1] in ("U", "W") and args.user.isalnum() and args.user.isupper()):
        raise NotFound(f"{args.user!r} is not a Slack user id; a good one is U024BE7LH (in Slack: profile, Copy member ID).")
    names, alias = Names([args.user, *args.name]), new_alias()

    def go(tx: Transaction, received: tuple[Touched, ...]) -> tuple[Touched, ...]:
        touched = (*received, *erase(tx, names, alias, really=args.yes))
        if args.yes and touched:
            detail = {t.table: f"{t.rows} {t.deed}" for t in touched}
            Stores().ledger.append(tx, utc_now(), "tocsin", "erased a person", alias, detail)
            again = f"sync_knowledge:{alias}"  # a running bot indexes past incidents anew, without the name
            DurableWork().start(tx, "housekeeping", "sync_knowledge", again, {}, partition="sync_knowledge")
        return touched

    def work(db: SqlDatabase) -> tuple[Touched, ...]:
        received = erase_received(db, names, alias, really=args.yes)
        return (db.write_now if args.yes else db.read_now)(lambda tx: go(tx, received))

    touched = beside(args.config, work)
    if args.yes:  # also after a first try that could not rewrite the file
        scrub(load_settings(args.config).database)
    _report(touched, args.yes, alias)
    return 0


def _report(touched: "tuple[Touched, ...]", done: bool, alias: str) -> None:
    for t in touched:
        print(f"{t.table:16} {t.rows:>6} {t.deed if done or t.deed == 'stays' else 'would be ' + t.deed}")
    if not touched:
        print("Nothing here mentions this person.")
    elif not done:
        print("\nNothing was changed. With --yes it is done, and only a backup made before brings it back.")
    else:
        print(f"\nDone; {alias} stands for this person now. A running bot makes the vectors of past incidents anew by itself.")
        print(
            "Messages in Slack, backups, and names in routing.yaml, policies.yaml and Markdown files are not reached from here."
        )
    if any(t.deed == "stays" for t in touched):
        print("What stays is under the hash of a chain: a name in an id or subject, which Tocsin itself never writes.")


def _prune(args: argparse.Namespace) -> int:
    from bot.storage.journal import prune  # slow: only commands that need the bot pay for it
    from bot.wiring import beside, utc_now  # as above

    if args.older_than < 1:
        raise NotFound("--older-than is a number of days, at least 1.")
    before = utc_now() - timedelta(days=args.older_than)
    count = beside(args.config, lambda db: db.write_now(lambda tx: prune(tx, before)))
    print(f"What {count} answers said is forgotten; their lines stay, and the chain still verifies.")
    return 0
