"""What commands do with sources of documents: `tocsin index` synchronises them, `tocsin doctor` asks each."""

import sys
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bot.commands.examination import Finding
from bot.errors import BotError

if TYPE_CHECKING:
    from bot.domain.copy import SourceState
    from bot.knowledge.sources import Sources
    from bot.settings import Settings
    from bot.storage.database import SqlDatabase


def progress(name: str, done: int, of: int) -> None:
    """One line on stderr that grows."""
    print(f"\r{name}: fetched {done} of {of}", end="\n" if done == of else "", file=sys.stderr, flush=True)


async def sync(sources: "Sources", db: "SqlDatabase") -> bool:
    """Every source is brought up to date and says what it brought; whether all could be read. A running bot hears of it."""
    well = True
    for name, origin in sources.origins.items():
        brought = await sources.sync(name, progress)
        well = well and not brought.trouble
        print(f"{name} ({origin.kind}): {brought.trouble or brought}")
        if brought.news:
            tell(db)
    return well


def tell(db: "SqlDatabase") -> None:
    """A running bot, and its replicas, read what is known again within a minute."""
    from uuid6 import uuid7  # slow: only commands that need the bot pay for it

    from bot.flows.runbooks.keeping_up import MARK
    from bot.storage.switches import SqlSwitchStore
    from bot.wiring import utc_now

    db.write_now(lambda tx: SqlSwitchStore().turn(tx, MARK, str(uuid7()), "tocsin", utc_now()))


def check(settings: "Settings") -> None:
    """Raise BadSettings for a source that is not set up as its kind needs."""
    from bot.wiring.sources import links, origins  # slow, as above

    origins(settings)
    links(settings)


async def examine(sources: "Sources", db: "SqlDatabase | None") -> AsyncIterator[Finding]:
    """Each source is asked for its listing; what there is, what of it is copied, and since when."""
    from bot.knowledge.sources import LINKED, MOST_LINKED  # slow, as above
    from bot.storage.copies import SqlCopyStore  # as above
    from bot.wiring import utc_now

    store = SqlCopyStore()
    states: Mapping[str, SourceState] = db.read_now(store.states) if db else {}
    for name, origin in sources.origins.items():
        kept = len(db.read_now(lambda tx, name=name: store.marks(tx, name))) if db else 0  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        try:
            there = len(await origin.source.listing())
        except BotError as error:
            yield Finding(f"source {name}", False, f"{error} Its {kept} copies stay.")
            continue
        who = ", ".join((*origin.channels, *origin.groups))
        told = f"{origin.kind}: {there} {'page' if there == 1 else 'pages'}, {kept} copied{_since(states.get(name), utc_now())}"
        told += f"; only for {who}" if who else ""
        advice = "" if there else "; nothing is there: see whether the token may read it, and the path or space"
        yield Finding(f"source {name}", bool(there), f"{told}{advice}")
    if sources.links:
        pages = len(db.read_now(lambda tx: store.marks(tx, LINKED))) if db else 0
        yield Finding("linked pages", True, f"fetched from {sources.links}; {pages} of {MOST_LINKED} kept")


def _since(state: "SourceState | None", now: datetime) -> str:
    if state is None or state.synced_at is None:
        return ", not synchronised yet: `tocsin index` does so"
    return f", {(now - state.synced_at).total_seconds() / 60:.0f} min ago ({state.brought})"
