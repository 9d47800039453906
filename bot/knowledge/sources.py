"""Documents that lie elsewhere, copied here: what changed is fetched, what is gone vanishes, a renamed page stays the same one.

The copies survive a restart, and the vendor being away: then the old ones stay and `trouble` says so.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from bot.domain.copy import Copy, Mark, SourceState
from bot.domain.document import Document, DocumentKind
from bot.errors import BadPayload, BotError, NotAllowed, NotFound, Unavailable
from bot.knowledge.links import Links
from bot.knowledge.reading import VERSION, Unreadable, read
from bot.ports import Clock, CopyStore, Database, DocumentSource, RawDocument, Renames, Transaction

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_PAGES = 20_000  # of one source
MOST_CHARACTERS = 400_000_000  # of one source
LONGEST = 1_500.0  # seconds that one synchronisation takes; the next one goes on
AT_ONCE = 4  # pages that are fetched at a time
PATIENCE = 90.0  # seconds that a vendor may ask us to wait between two pages
TRIES = 4
RETRY = timedelta(minutes=10)  # a source in trouble is tried again after so long
MOST_LINKED = 2_000  # pages that alerts link to
NO_LINKS = Links(())
LONGEST_SLUG = 200  # characters

LINKED = "(linked)"  # the pages that alerts link to, under a name that no source has

Progress = Callable[[str, int, int], None]  # the source, pages done, pages to do


class ReadsNow(Database, Protocol):
    """A database that code without an event loop reads as well."""

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """`read`, blocking."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as the settings name it. `channels` and `groups` are who may see its documents; both empty: everybody."""

    name: str
    source: DocumentSource
    kind: str = "folder"
    holds: DocumentKind = DocumentKind.RUNBOOK
    channels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    owner: str = ""
    every: timedelta = timedelta(minutes=30)
    trusted: bool = True

    @property
    def repository(self) -> str:
        """The repository that it is, as webhooks name it, or ""."""
        return self.source.repository if isinstance(self.source, Renames) else ""


class _Nothing:
    """The pages that alerts link to are listed nowhere."""

    async def listing(self) -> Mapping[str, str]:
        """None."""
        return {}

    async def fetch(self, ref: str) -> RawDocument | None:  # noqa: ARG002  the port's
        """None."""
        return None


_LINKED = Origin(LINKED, _Nothing(), kind="linked", trusted=False)  # anybody may have written there


@dataclass(slots=True)
class Brought:
    """What one synchronisation brought."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    kept: int = 0
    moved: int = 0
    left: int = 0  # pages that the next one fetches
    unreadable: list[str] = field(default_factory=list)
    trouble: str = ""

    @property
    def news(self) -> bool:
        """Some document is not what it was."""
        return bool(self.new or self.changed or self.gone)

    def __str__(self) -> str:
        words = [f"{n} {word}" for word in ("new", "changed", "moved", "gone", "kept", "left") if (n := getattr(self, word))]
        if self.unreadable:
            words.append(f"{len(self.unreadable)} unreadable ({self.unreadable[0][:120]})")
        return ", ".join(words) or "nothing there"


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
        return frozenset((*self.origins, LINKED))

    async def copy_page(self, url: str) -> bool:
        """Copy a page that an alert links to; whether it is news. Raises Unavailable; what may not be had is logged, or forgotten."""
        if self._db is None or self._store is None:
            return False
        store = self._store
        kept = await self._db.read(lambda tx: store.marks(tx, LINKED))
        if url not in kept and len(kept) >= MOST_LINKED:
            log.warning("%d linked pages are kept already; %s is not copied.", len(kept), url.partition("?")[0])
            return False
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
        if found is None or document is None or (known and known.version == _stamp(found.tag)):
            return False
        copy = Copy(LINKED, url, _stamp(found.tag), slug, document)
        await self._db.write(lambda tx: store.put(tx, [copy]))
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
        run = _Run(origin, self._db, self._store, self._clock, self._sleep, progress)
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


@dataclass(slots=True)
class _Run:
    """One synchronisation of one source. What is done is kept at once, so that a later run goes on where this one ended."""

    origin: Origin
    db: Database
    store: CopyStore
    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    progress: Progress | None
    brought: Brought = field(default_factory=Brought)
    kept: dict[str, Mark] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)  # new ref -> old ref
    lost: set[str] = field(default_factory=set)  # listed, and yet not to be had
    characters: int = 0

    async def go(self) -> Brought:
        """Compare, fetch, forget, note."""
        name, began = self.origin.name, self.clock()
        state = (await self.db.read(self.store.states)).get(name) or SourceState(name)
        self.kept = dict(await self.db.read(lambda tx: self.store.marks(tx, name)))
        await self._note(replace(state, tried_at=began))
        try:
            listing = dict(list((await self.origin.source.listing()).items())[:MOST_PAGES])
            mark = await self._moves(listing, state.mark)
            await self._fetch(listing)
            await self._forget(listing)
        except BotError as error:
            self.brought.trouble = error.for_people
            self.brought.kept = len(self.kept)
            await self._note(replace(state, tried_at=began, trouble=error.for_people, brought=str(self.brought)))
            return self.brought
        done = replace(state, tried_at=began, synced_at=self.clock(), trouble="", brought=str(self.brought))
        await self._note(done if self.brought.left else replace(done, mark=mark))
        return self.brought

    async def _moves(self, listing: Mapping[str, str], since: str) -> str:
        """Find what is only called otherwise now; where the source stands."""
        if not isinstance(self.origin.source, Renames):
            return ""
        mark, renamed = await self.origin.source.renamed(since)
        gone = [ref for ref in self.kept if ref not in listing]
        moved = {new: old for old, new in renamed.items() if old in gone and new in listing and new not in self.kept}
        same: dict[str, list[str]] = {}
        for ref in gone:
            if ref not in moved.values():
                same.setdefault(self.kept[ref].version, []).append(ref)
        for ref in (r for r in listing if r not in self.kept and r not in moved):
            if olds := same.get(_stamp(listing[ref])):
                moved[ref] = olds.pop(0)
        self.moved = moved
        return mark

    async def _fetch(self, listing: Mapping[str, str]) -> None:
        fresh = [ref for ref in listing if ref not in self.kept or self.kept[ref].version != _stamp(listing[ref])]
        self.brought.kept = len(listing) - len(fresh)
        self.characters = sum(mark.size for mark in self.kept.values())
        until = time.monotonic() + LONGEST
        for start in range(0, len(fresh), AT_ONCE):
            if time.monotonic() > until or self.characters > MOST_CHARACTERS:
                self.brought.left = len(fresh) - start
                return
            some = fresh[start : start + AT_ONCE]
            copies = await asyncio.gather(*(self._one(ref, listing[ref]) for ref in some))
            kept = [copy for copy in copies if copy is not None]
            await self.db.write(lambda tx, kept=kept: self.store.put(tx, kept))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            for copy in kept:
                self._count(copy)
            if self.progress is not None:
                self.progress(self.origin.name, min(start + AT_ONCE, len(fresh)), len(fresh))

    def _count(self, copy: Copy) -> None:
        before = self.kept.get(copy.ref)
        if copy.ref in self.moved:
            self.brought.moved += 1
            self.brought.changed += 1
        elif before is None:
            self.brought.new += 1
        else:
            self.brought.changed += 1
        self.characters += len(copy.document.text) - (before.size if before else 0)
        self.kept[copy.ref] = Mark(copy.version, copy.slug, len(copy.document.text))

    async def _one(self, ref: str, version: str) -> Copy | None:
        """The copy of one page; None if it is gone meanwhile, may not be read, or cannot be: an older copy of that one stays."""
        slug = self._slug(ref)
        try:
            raw = await self._patiently(ref)
            document = None if raw is None else await read(raw, self.origin.holds, slug)
        except (NotFound, NotAllowed):
            raw = None
        except (Unreadable, BadPayload) as error:
            self.brought.unreadable.append(f"{ref[:60]}: {error}")
            if ref in self.kept:
                return None
            document, raw = None, RawDocument(ref, "", b"")
        if raw is None:
            self.lost.add(ref)
            return None
        empty = Document(slug, self.origin.holds, "", "", path=ref[:500])  # kept, so that it is not fetched again and again
        return Copy(self.origin.name, ref, _stamp(version), slug, document or empty)

    async def _patiently(self, ref: str) -> RawDocument | None:
        for attempt in range(1, TRIES):
            try:
                return await self.origin.source.fetch(ref)
            except Unavailable as error:
                wait = error.retry_after if error.retry_after is not None else float(2**attempt)
                if wait > PATIENCE:
                    raise
                await self.sleep(wait)
        return await self.origin.source.fetch(ref)

    def _slug(self, ref: str) -> str:
        """The id that a page keeps: the one that it has, the one that it had where it lay before, else its name now."""
        for known in (ref, self.moved.get(ref, "")):
            if known in self.kept:
                return self.kept[known].slug
        slug = f"{self.origin.name}/{ref}"
        taken = {mark.slug for mark in self.kept.values()}
        if len(slug) > LONGEST_SLUG or slug in taken:
            slug = f"{slug[:LONGEST_SLUG]}~{hashlib.sha256(ref.encode()).hexdigest()[:8]}"
        return slug

    async def _forget(self, listing: Mapping[str, str]) -> None:
        """What the source does not list any more vanishes; what only moved has its new place by now, or keeps the old one."""
        waiting = {old for new, old in self.moved.items() if new not in self.kept}
        gone = [ref for ref in self.kept if ref in self.lost or (ref not in listing and ref not in waiting)]
        if gone:
            await self.db.write(lambda tx: self.store.drop(tx, self.origin.name, gone))
        self.brought.gone = len(gone) - self.brought.moved

    async def _note(self, state: SourceState) -> None:
        await self.db.write(lambda tx: self.store.note(tx, state))


def _stamp(version: str) -> str:
    """A version with ours of reading it, short enough to be kept."""
    plain = version if len(version) <= 100 else hashlib.sha256(version.encode()).hexdigest()
    return f"{VERSION}:{plain}"
