"""Documents that lie elsewhere, copied here: what changed is fetched, what is gone vanishes, a renamed page stays the same one.

The copies survive a restart, and the vendor being away: then the old ones stay and `trouble` says so.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from bot.domain.copy import Copy, SourceState
from bot.domain.document import Document, DocumentKind
from bot.errors import BadPayload, NotAllowed, NotFound
from bot.knowledge.copying import Brought, Origin, Progress, Run, stamp
from bot.knowledge.links import Links
from bot.knowledge.moves import FOLDERS
from bot.knowledge.reading import VERSION, Unreadable, read
from bot.ports import Clock, CopyStore, Database, RawDocument, Transaction

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY = timedelta(minutes=10)  # a source in trouble is tried again after so long
MOST_LINKED = 2_000  # pages that alerts link to
NO_LINKS = Links(())

LINKED = "(linked)"  # the pages that alerts link to, under a name that no source has


class ReadsNow(Database, Protocol):
    """A database that code without an event loop reads as well."""

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """`read`, blocking."""


class _Nothing:
    """The pages that alerts link to are listed nowhere."""

    async def listing(self) -> Mapping[str, str]:
        """None."""
        return {}

    async def fetch(self, ref: str) -> RawDocument | None:  # noqa: ARG002  the port's
        """None."""
        return None


_LINKED = Origin(LINKED, _Nothing(), kind="linked", trusted=False)  # anybody may have written there


class Sources:
    """The configured sources and their copies in the database."""

    def __init__(
        self,
        origins: Sequence[Origin] = (),
        db: ReadsNow | None = None,
        store: CopyStore | None = None,
        clock: Clock | None = None,
        links: Links = NO_LINKS,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.origins: Mapping[str, Origin] = {origin.name: origin for origin in origins}
        self._db, self._store, self._clock, self._sleep = db, store, clock, sleep
        self.links = links
        self._troubles: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """Which sources could not be read at their last try and why, for people; "" while all could."""
        return " ".join(f"{name}: {why}" for name, why in sorted(self._troubles.items()) if why)

    def documents(self) -> Iterator[Document]:
        """All copies as documents, blocking; the settings of their source decide who may see them."""
        if self._db is None or self._store is None:
            return
        store = self._store
        for origin in (*self.origins.values(), *([_LINKED] if self.links else [])):
            name = origin.name
            for document in self._db.read_now(lambda tx, name=name: store.documents(tx, name)):  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                if document.text or document.title:
                    yield _dressed(document, origin)

    @property
    def known(self) -> frozenset[str]:
        """The names under which copies are kept."""
        return frozenset((*self.origins, LINKED, FOLDERS))

    async def copy_page(self, url: str) -> bool:
        """Copy a page that an alert links to; whether it is news. Raises Unavailable; what may not be had is forgotten."""
        if self._db is None or self._store is None or self._clock is None:
            return False
        store, now = self._store, self._clock()
        kept = await self._db.read(lambda tx: store.marks(tx, LINKED))
        await self._db.write(lambda tx: store.used(tx, LINKED, url, now))
        known = kept.get(url)
        try:
            found = await self.links.fetch(url, known.version.removeprefix(f"{VERSION}:") if known else "")
            slug = f"linked/{hashlib.sha256(url.encode()).hexdigest()[:24]}"
            document = await read(found.page, DocumentKind.RUNBOOK, slug) if found else None
        except (NotFound, NotAllowed) as error:
            log.info("a linked page is not copied: %s", error)
            if known is not None:
                await self._db.write(lambda tx: store.drop(tx, LINKED, [url]))
            return known is not None
        except (Unreadable, BadPayload) as error:
            log.info("a linked page cannot be read: %s", error)
            return False
        if found is None or document is None or (known and known.version == stamp(found.tag)):
            return False
        # Anybody may have written there: it answers to the alerts that link to it, not to all that it names.
        copy = Copy(LINKED, url, stamp(found.tag), slug, replace(document, link=url, alerts=()))

        def keep(tx: Transaction) -> None:
            if known is None and len(kept) >= MOST_LINKED and (oldest := store.least_used(tx, LINKED)) is not None:
                store.drop(tx, LINKED, [oldest])
                log.info("%d linked pages are kept; %s made room", len(kept), oldest.partition("?")[0])
            store.put(tx, [copy])
            store.used(tx, LINKED, url, now)

        await self._db.write(keep)
        return True

    def due(self, states: Mapping[str, SourceState], now: datetime) -> tuple[str, ...]:
        """The sources whose turn it is."""
        found = []
        for name, origin in self.origins.items():
            state = states.get(name)
            pause = min(origin.every, RETRY) if state is not None and state.trouble else origin.every
            if state is None or state.tried_at is None or now - state.tried_at >= pause:
                found.append(name)
        return tuple(found)

    def of_repository(self, repository: str) -> tuple[str, ...]:
        """The sources that a push to this repository changes."""
        return tuple(n for n, o in self.origins.items() if repository and o.repository.lower() == repository.lower())

    async def sync(self, name: str, progress: Progress | None = None) -> Brought:
        """Bring one source's copies up to date. Never raises for a source that cannot be read: `Brought.trouble` says why."""
        origin = self.origins[name]
        if self._db is None or self._store is None or self._clock is None:
            raise NotFound("Sources need a database to keep their copies in.")
        run = Run(origin, self._db, self._store, self._clock, self._sleep, progress)
        brought = await run.go()
        if brought.trouble and brought.trouble != self._troubles.get(name):
            log.warning("source %s: %s Its %d copies stay.", name, brought.trouble, brought.kept)
        elif self._troubles.get(name) and not brought.trouble:
            log.info("source %s can be read again", name)
        self._troubles[name] = brought.trouble
        return brought


def _dressed(document: Document, origin: Origin) -> Document:
    return replace(
        document,
        id=f"{origin.holds.value}:{document.id}",
        kind=origin.holds,
        owner=document.owner or origin.owner,
        source=origin.name,
        channels=origin.channels,
        groups=origin.groups,
        trusted=origin.trusted,
    )
