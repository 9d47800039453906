"""Sources: only what changed is fetched, deletions vanish, renames keep history, a vendor that is away loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.domain.document import DocumentKind
from bot.errors import BadPayload, BotError, NotAllowed, NotFound, Unavailable
from bot.knowledge import copying as subject
from bot.knowledge.copying import Origin
from bot.knowledge.sources import Sources
from bot.ports import RawDocument
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from tests.fakes import FakeClock


@dataclass
class Shelf:
    """A source in memory: `pages` are (version, title, Markdown) by ref; `fails` are raised by the next fetches."""

    pages: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    fails: list[BotError] = field(default_factory=list)
    away: BotError | None = None

    def put(self, ref: str, text: str, version: str = "1", title: str = "") -> None:
        """A page."""
        self.pages[ref] = (version, title or f"Page {ref}", text)

    async def listing(self) -> Mapping[str, str]:
        """As put."""
        if self.away is not None:
            raise self.away
        return {ref: version for ref, (version, _, _) in self.pages.items()}

    async def fetch(self, ref: str) -> RawDocument | None:
        """As put, after what fails."""
        self.fetched.append(ref)
        if self.fails:
            raise self.fails.pop(0)
        if ref not in self.pages:
            return None
        _, title, text = self.pages[ref]
        return RawDocument(ref, title, text.encode(), path=f"Ops/{title}", link=f"https://wiki.example/{ref}")


@dataclass
class Drawer(Shelf):
    """A shelf whose refs are paths and which may know what was moved."""

    repository: str = "acme/ops"
    moves: dict[str, str] = field(default_factory=dict)
    at: str = ""
    since: list[str] = field(default_factory=list)

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:
        """As told."""
        self.since.append(since)
        return self.at, self.moves


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def sources(database: SqlDatabase, clock: FakeClock, *origins: Origin) -> Sources:
    async def no_sleep(seconds: float) -> None:
        slept.append(seconds)

    slept.clear()
    return Sources(origins, database, SqlCopyStore(), clock, sleep=no_sleep)


slept: list[float] = []


async def test_only_what_changed_is_fetched_and_what_is_gone_vanishes(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf
) -> None:
    shelf.put("1", "Restart the **broker**.")
    shelf.put("2", "# Old\n\nGone soon.")
    wiki = sources(database, clock, Origin("wiki", shelf, owner="team-x"))
    first = await wiki.sync("wiki")
    assert (str(first), shelf.fetched) == ("2 new", ["1", "2"])
    found = {d.id: d for d in wiki.documents()}
    assert set(found) == {"runbook:wiki/1", "runbook:wiki/2"}
    page = found["runbook:wiki/1"]
    assert (page.title, page.owner, page.source, page.link) == ("Page 1", "team-x", "wiki", "https://wiki.example/1")
    shelf.fetched.clear()
    del shelf.pages["2"]
    shelf.put("1", "Restart the broker twice.", version="2")
    shelf.put("3", "New.")
    again = await wiki.sync("wiki")
    assert (str(again), shelf.fetched) == ("1 new, 1 changed, 1 gone", ["1", "3"])
    assert {d.id: d.text for d in wiki.documents()} == {
        "runbook:wiki/1": "Restart the broker twice.",
        "runbook:wiki/3": "New.",
    }
    shelf.fetched.clear()
    assert str(await wiki.sync("wiki")) == "2 kept"
    assert shelf.fetched == []


async def test_a_page_that_its_vendor_renames_stays_the_same_document(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf
) -> None:
    shelf.put("7", "Text.", title="Old name")
    wiki = sources(database, clock, Origin("wiki", shelf))
    await wiki.sync("wiki")
    shelf.put("7", "Text.", title="New name", version="2")
    await wiki.sync("wiki")
    assert [(d.id, d.title) for d in wiki.documents()] == [("runbook:wiki/7", "New name")]


async def test_a_file_that_moved_unchanged_keeps_its_id_and_its_old_place_is_free(
    database: SqlDatabase, clock: FakeClock
) -> None:
    drawer = Drawer()
    drawer.put("a.md", "Alpha.", version="hash-a")
    git = sources(database, clock, Origin("git", drawer))
    await git.sync("git")
    del drawer.pages["a.md"]
    drawer.put("deep/b.md", "Alpha.", version="hash-a")
    moved = await git.sync("git")
    assert str(moved) == "1 changed, 1 moved"
    assert [(d.id, d.path) for d in git.documents()] == [("runbook:git/a.md", "Ops/Page deep/b.md")]
    drawer.put("a.md", "Something else.", version="hash-c")
    await git.sync("git")
    ids = sorted(d.id for d in git.documents())
    assert len(set(ids)) == 2
    assert ids[0] == "runbook:git/a.md"
    assert ids[1].startswith("runbook:git/a.md~")


async def test_a_file_that_was_moved_and_edited_keeps_its_id_if_the_source_knows(database: SqlDatabase, clock: FakeClock) -> None:
    drawer = Drawer(at="c1")
    drawer.put("a.md", "Alpha.", version="hash-a")
    git = sources(database, clock, Origin("git", drawer))
    await git.sync("git")
    del drawer.pages["a.md"]
    drawer.put("b.md", "Alpha and more.", version="hash-b")
    drawer.moves, drawer.at = {"a.md": "b.md"}, "c2"
    await git.sync("git")
    assert drawer.since == ["", "c1"]
    assert [(d.id, d.text) for d in git.documents()] == [("runbook:git/a.md", "Alpha and more.")]


async def test_while_the_vendor_is_away_the_copies_stay_and_trouble_says_so_once(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.put("1", "Text.")
    wiki = sources(database, clock, Origin("wiki", shelf))
    await wiki.sync("wiki")
    shelf.away = Unavailable("The wiki did not answer within 10 s.")
    for _ in range(2):
        brought = await wiki.sync("wiki")
        assert not brought.news
    assert wiki.trouble == "wiki: The wiki did not answer within 10 s."
    assert caplog.text.count("did not answer") == 1
    restarted = sources(database, clock, Origin("wiki", shelf))
    assert [d.text for d in restarted.documents()] == ["Text."]
    states = await database.read(SqlCopyStore().states)
    assert states["wiki"].trouble == "The wiki did not answer within 10 s."
    shelf.away = None
    await wiki.sync("wiki")
    assert wiki.trouble == ""


async def test_a_vendor_that_asks_for_patience_gets_it_and_one_that_asks_for_too_much_is_left_for_later(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf
) -> None:
    shelf.put("1", "Text.")
    shelf.fails = [Unavailable("429", retry_after=7.0)]
    wiki = sources(database, clock, Origin("wiki", shelf))
    await wiki.sync("wiki")
    assert (slept, [d.text for d in wiki.documents()]) == ([7.0], ["Text."])
    shelf.put("2", "More.")
    shelf.fails = [Unavailable("The wiki is busy.", retry_after=3600.0)]
    assert (await wiki.sync("wiki")).trouble == "The wiki is busy."
    assert [d.text for d in wiki.documents()] == ["Text."]


async def test_what_was_fetched_before_the_end_came_is_not_fetched_again(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "AT_ONCE", 1)
    for number in range(4):
        shelf.put(str(number), f"Text {number}.")
    told: list[tuple[str, int, int]] = []

    def killed(name: str, done: int, of: int) -> None:
        told.append((name, done, of))
        if done == 2:
            raise KeyboardInterrupt

    wiki = sources(database, clock, Origin("wiki", shelf))
    with pytest.raises(KeyboardInterrupt):
        await wiki.sync("wiki", killed)
    assert told == [("wiki", 1, 4), ("wiki", 2, 4)]
    shelf.fetched.clear()
    assert str(await sources(database, clock, Origin("wiki", shelf)).sync("wiki")) == "2 new, 2 kept"
    assert shelf.fetched == ["2", "3"]


async def test_a_page_that_may_not_be_read_any_more_vanishes_and_one_that_cannot_be_is_named(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf
) -> None:
    shelf.put("1", "Text.")
    wiki = sources(database, clock, Origin("wiki", shelf))
    await wiki.sync("wiki")
    shelf.put("1", "Secret now.", version="2")
    shelf.fails = [NotAllowed("no")]
    await wiki.sync("wiki")
    assert list(wiki.documents()) == []
    shelf.put("2", "Text.")
    shelf.fails = [NotFound("gone"), BadPayload("it is no page")]
    brought = await wiki.sync("wiki")
    assert list(wiki.documents()) == []
    assert brought.unreadable == ["2: $: it is no page"]


async def test_secrets_of_a_page_are_not_kept(database: SqlDatabase, clock: FakeClock, shelf: Shelf) -> None:
    shelf.put("1", "Log in with password=hunter2hunter2 first.")
    wiki = sources(database, clock, Origin("wiki", shelf))
    await wiki.sync("wiki")
    assert "hunter2" not in next(iter(wiki.documents())).text


async def test_what_a_source_holds_and_who_may_see_it_comes_from_the_settings_of_today(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf
) -> None:
    shelf.put("INC-9", "Text.")
    await sources(database, clock, Origin("old", shelf)).sync("old")
    origin = Origin("old", shelf, holds=DocumentKind.INCIDENT, channels=("#payments",), groups=("sre",))
    [document] = sources(database, clock, origin).documents()
    assert (document.id, document.kind) == ("incident:old/INC-9", DocumentKind.INCIDENT)
    assert (document.channels, document.groups) == (("#payments",), ("sre",))


async def test_a_source_is_due_after_its_time_and_sooner_after_trouble(
    database: SqlDatabase, clock: FakeClock, shelf: Shelf
) -> None:
    wiki = sources(database, clock, Origin("wiki", shelf, every=timedelta(hours=2)))
    store = SqlCopyStore()

    async def due() -> tuple[str, ...]:
        return wiki.due(await database.read(store.states), clock())

    assert await due() == ("wiki",)
    await wiki.sync("wiki")
    clock.advance(minutes=119)
    assert await due() == ()
    clock.advance(minutes=1)
    assert await due() == ("wiki",)
    shelf.away = Unavailable("away")
    await wiki.sync("wiki")
    clock.advance(minutes=10)
    assert await due() == ("wiki",)


def test_a_push_is_for_the_sources_of_its_repository(database: SqlDatabase, clock: FakeClock) -> None:
    both = sources(database, clock, Origin("git", Drawer()), Origin("wiki", Shelf()))
    assert both.of_repository("Acme/Ops") == ("git",)
    assert both.of_repository("") == ()
