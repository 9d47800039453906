"""Sources are synchronised when their time has come, and at once after a push."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.change import ChangeKind
from bot.domain.payload import Node
from bot.flows.changes import on_changes
from bot.flows.desk import Desk
from bot.flows.runbooks import sourcing
from bot.flows.runbooks.keeping_up import MARK
from bot.knowledge.copying import Origin
from bot.knowledge.library import Library
from bot.knowledge.sources import Sources
from bot.ports import Room
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from connectors.github.pages import github_documents
from connectors.github.wiki import pages
from tests.desk import a_desk
from tests.fakes import FakeClock, a_change
from tests.knowledge.test_sources import Drawer, Shelf


def a_desk_with(database: SqlDatabase, clock: FakeClock, *origins: Origin) -> Desk:
    sources = Sources(origins, database, SqlCopyStore(), clock)
    return a_desk(database, clock, sources=sources, library=Library([sources.documents], None))


async def run(desk: Desk) -> list[str]:
    """Everything that is due is done; which sources that was."""
    work: Any = desk.work
    started = [item.args["name"] for item in work.started if item.name == "sync_source" and item.id not in work.done]
    await work.run_all({"sync_source": lambda args: sourcing.sync_source(args, desk)})
    return started


async def test_the_clock_starts_what_is_due_and_the_library_reads_what_it_brought(
    database: SqlDatabase, clock: FakeClock
) -> None:
    shelf = Shelf()
    shelf.put("1", "Restart the broker.", title="Broker lag")
    desk = a_desk_with(database, clock, Origin("wiki", shelf, every=timedelta(minutes=30)))
    await sourcing.sync_sources({}, desk)
    assert await run(desk) == ["wiki"]
    assert [d.title for d in desk.library.documents] == ["Broker lag"]
    assert await database.read(lambda tx: desk.switches.get(tx, MARK))
    clock.advance(minutes=10)
    await sourcing.sync_sources({}, desk)
    assert await run(desk) == []
    clock.advance(minutes=20)
    await sourcing.sync_sources({}, desk)
    assert await run(desk) == ["wiki"]


async def test_a_push_to_a_repository_that_is_a_source_has_it_synchronised_at_once(
    database: SqlDatabase, clock: FakeClock
) -> None:
    drawer = Drawer(repository="acme/ops")
    drawer.put("a.md", "Alpha.")
    desk = a_desk_with(database, clock, Origin("git", drawer))
    other = a_change(id="github:commit:acme/shop:1", kind=ChangeKind.COMMIT, repository="acme/shop")
    mine = a_change(id="github:commit:acme/ops:1", kind=ChangeKind.COMMIT, repository="acme/ops")
    await database.write(lambda tx: on_changes(tx, [other], desk))
    assert await run(desk) == []
    await database.write(lambda tx: on_changes(tx, [mine, mine], desk))
    await database.write(lambda tx: on_changes(tx, [mine], desk))
    assert await run(desk) == ["git"]
    assert len(desk.library.documents) == 1


async def test_an_edit_of_githubs_wiki_has_it_synchronised_at_once(
    database: SqlDatabase, clock: FakeClock, tmp_path: Path
) -> None:
    values = {"repository": "acme/ops", "wiki": True}
    drawer = Drawer(repository=Origin("w", github_documents(values, Room("w", tmp_path, tmp_path))).repository)
    drawer.put("Lag.md", "Restart the broker.")
    desk = a_desk_with(database, clock, Origin("wiki", drawer))
    edited = {"pages": [{"page_name": "Lag", "sha": "9" * 40}], "repository": {"full_name": "acme/ops"}}
    await database.write(lambda tx: on_changes(tx, list(pages(Node(edited), clock())), desk))
    assert await run(desk) == ["wiki"]
    assert len(desk.library.documents) == 1


async def test_the_copies_of_a_source_that_the_settings_name_no_more_are_forgotten(
    database: SqlDatabase, clock: FakeClock
) -> None:
    shelf = Shelf()
    shelf.put("1", "Text.")
    await a_desk_with(database, clock, Origin("wiki", shelf)).sources.sync("wiki")
    desk = a_desk_with(database, clock)
    await sourcing.sync_sources({}, desk)
    assert await database.read(desk.copies.states) == {}
    assert await database.read(lambda tx: desk.copies.marks(tx, "wiki")) == {}


@pytest.mark.parametrize("name", ["gone"])
async def test_work_for_a_source_that_is_no_more_does_nothing(database: SqlDatabase, clock: FakeClock, name: str) -> None:
    desk = a_desk_with(database, clock)
    await sourcing.sync_source({"name": name}, desk)
    assert desk.library.documents == ()
