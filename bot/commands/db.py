"""tocsin db: the schema brought up to date, a backup taken, a backup put back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.errors import BadSettings

if TYPE_CHECKING:
    from bot.settings import Settings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("db", help="the database: upgrade, backup, restore")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("upgrade", help="bring the schema up to date (`serve` does it too)").set_defaults(run=_upgrade)
    backup = verbs.add_parser("backup", help="copy the embedded database; the bot may go on running")
    backup.add_argument("file", type=Path)
    backup.set_defaults(run=_backup)
    restore = verbs.add_parser("restore", help="put a backup in the place of the embedded database; the bot must be stopped")
    restore.add_argument("file", type=Path)
    restore.set_defaults(run=_restore)
    restored = verbs.add_parser(
        "restored", help="after a restore by a database server's own tools: actions that had not begun expire"
    )
    restored.set_defaults(run=_restored)


def _upgrade(args: argparse.Namespace) -> int:
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it
    from bot.storage.database import SqlDatabase  # as above

    db = SqlDatabase(load_settings(args.config).database)
    db.open(migrate=False)
    try:
        before, after = db.upgrade_now()
    finally:
        db.close()
    print(f"{db}: schema {after}, up to date already." if before == after else f"{db}: schema {before or 'none'} -> {after}.")
    return 0


def _backup(args: argparse.Namespace) -> int:
    from bot.storage.backup import backup  # slow, as above

    size = backup(_file(_settings(args), "pg_dump --format=custom --file tocsin.dump"), args.file)
    print(f"{args.file}: {size / 1e6:.1f} MB, checked.")
    print("It holds incidents, audit, journal and raw deliveries: keep it as you keep secrets.")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from bot.storage.backup import restore  # slow, as above
    from bot.wiring import utc_now

    settings = _settings(args)
    aside = restore(args.file, _file(settings, "pg_restore --clean --dbname tocsin tocsin.dump"), utc_now())
    print(f"Restored from {args.file}." + (f" What was there before lies in {aside}." if aside else ""))
    return _set_right(settings)


def _restored(args: argparse.Namespace) -> int:
    return _set_right(_settings(args))


def _set_right(settings: "Settings") -> int:
    from bot.flows.restoring import set_right  # slow, as above
    from bot.storage.database import SqlDatabase
    from bot.wiring import Stores, utc_now

    db, stores = SqlDatabase(settings.database), Stores()
    db.open()
    try:
        expired = db.write_now(lambda tx: set_right(tx, stores.actions, stores.ledger, utc_now()))
    finally:
        db.close()
    print(f"{expired} actions that waited or were about to begin have expired; propose them again if they are still wanted.")
    return 0


def _settings(args: argparse.Namespace) -> "Settings":
    from bot.settings import load_settings  # slow, as above

    return load_settings(args.config)


def _file(settings: "Settings", instead: str) -> Path:
    """The embedded database's file. Raises BadSettings for a database server, with the program that does it there."""
    url = settings.database
    if not url.startswith("sqlite"):
        raise BadSettings(
            f"This installation keeps its data on a database server; use that server's own tools, such as: {instead}"
        )
    return Path(url.removeprefix("sqlite:///"))
