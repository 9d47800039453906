"""The library for a command, beside a running bot or without one: with the copies and the incidents that the database holds.

A library that knew less than the bot's would have the vectors of all else deleted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from bot.errors import BadSettings
from bot.flows.runbooks.needs import Records
from bot.knowledge.library import Library
from bot.knowledge.sources import Sources
from bot.settings import Settings
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from bot.topology.catalogue import catalogue_file
from bot.wiring.knowledge import confirmed_incidents, library_of
from bot.wiring.sources import links, origins
from bot.wiring.stores import Stores, opened
from bot.wiring.vendors import vendors


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def library_beside(settings: Settings, *, make: bool = False) -> Iterator[tuple[Library, Sources, SqlDatabase | None]]:
    """The library and the sources; where there is no database yet one is made if wanted, else None and the folders alone."""
    named, pages = origins(settings), links(settings)
    db = _opened(settings, make=make)
    if db is None:
        yield library_of(settings), Sources(named), None
        return
    try:
        stores = Stores()
        catalogue = catalogue_file(settings.path("services.yaml"), settings.backstage)
        known = partial(confirmed_incidents, stores=stores, catalogue=lambda: catalogue.current)
        sources = Sources(named, db, SqlCopyStore(), _now, pages)
        yield library_of(settings, lambda: db.read_now(known), copies=sources.documents, db=db), sources, db
    finally:
        db.close()


@contextmanager
def records_beside(settings: Settings) -> Iterator[tuple[Library, Records]]:
    """What tells of the use and the state of runbooks. Raises BadSettings where no bot has run yet."""
    able = vendors(settings)
    with library_beside(settings) as (library, sources, db):
        if db is None:
            raise BadSettings("There is no database yet: start the bot once, it keeps what is known of the use of runbooks.")
        stores = Stores()
        catalogue = catalogue_file(settings.path("services.yaml"), settings.backstage)
        yield (
            library,
            Records(
                db=db,
                clock=_now,
                alerts=stores.alerts,
                journal=stores.journal,
                suggestions=stores.suggestions,
                checks=stores.checks,
                catalogue=lambda: catalogue.current,
                documents=lambda: library.documents,
                probes=able.probes,
                care=settings.care,
                links=bool(sources.links),
            ),
        )


def _opened(settings: Settings, *, make: bool) -> SqlDatabase | None:
    try:
        return opened(settings, make=make)
    except BadSettings:
        if make:
            raise
        return None
