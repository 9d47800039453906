"""One synchronisation of one source: what changed is fetched, what is gone forgotten, what moved stays the same document.

What is done is kept at once, so that a later run goes on where this one ended.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.copy import Copy, Mark, SourceState
from bot.domain.document import Document, DocumentKind
from bot.errors import BadPayload, BotError, NotAllowed, NotFound, Unavailable
from bot.knowledge.reading import VERSION, Unreadable, read
from bot.ports import Clock, CopyStore, Database, DocumentSource, RawDocument, Renames

MOST_PAGES = 20_000  # of one source
MOST_CHARACTERS = 400_000_000  # of one source
LONGEST = 1_500.0  # seconds that one synchronisation takes; the next one goes on
AT_ONCE = 4  # pages that are fetched at a time
PATIENCE = 90.0  # seconds that a vendor may ask us to wait between two pages
TRIES = 4
LONGEST_SLUG = 200  # characters
Progress = Callable[[str, int, int], None]  # the source, pages done, pages to do


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


@dataclass(slots=True)
class Run:
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
            if olds := same.get(stamp(listing[ref])):
                moved[ref] = olds.pop(0)
        self.moved = moved
        return mark

    async def _fetch(self, listing: Mapping[str, str]) -> None:
        fresh = [ref for ref in listing if ref not in self.kept or self.kept[ref].version != stamp(listing[ref])]
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
        return Copy(self.origin.name, ref, stamp(version), slug, document or empty)

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


def stamp(version: str) -> str:
    """A version with ours of reading it, short enough to be kept."""
    plain = version if len(version) <= 100 else hashlib.sha256(version.encode()).hexdigest()
    return f"{VERSION}:{plain}"
