"""A file of a plain folder that is renamed or moved stays the same document, whatever people said of it stays with it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from bot.domain.copy import Mark
from bot.domain.document import Document, DocumentKind, Inquiry, Tier
from bot.errors import Unavailable
from bot.knowledge import moves as subject
from bot.knowledge.documents import markdown_folder
from bot.knowledge.library import Library
from bot.knowledge.moves import FOLDERS, settled, steady
from bot.knowledge.sources import Sources
from bot.ports import Transaction
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase

T = TypeVar("T")
PAGE = "# Card provider down\n\n## Call them\n\nThe number is on the wall.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "books"
    (made / "old").mkdir(parents=True)
    (made / "old" / "provider.md").write_text(PAGE)
    (made / "disk.md").write_text("# Disk full\n\nRotate logs.\n")
    return made


def read(folder: Path, database: SqlDatabase) -> dict[str, str]:
    """The ids by path, as a process that was just started reads them."""
    source = steady([markdown_folder(folder, DocumentKind.RUNBOOK)], database, SqlCopyStore())
    return {d.path: d.id for d in source()}


def move(folder: Path, old: str, new: str) -> None:
    (folder / new).parent.mkdir(exist_ok=True)
    (folder / old).rename(folder / new)


async def test_a_link_that_people_made_outlives_the_renaming_of_the_file(folder: Path, database: SqlDatabase) -> None:
    read(folder, database)
    move(folder, "old/provider.md", "payments/card-provider.md")
    shelf = Library([steady([markdown_folder(folder, DocumentKind.RUNBOOK)], database, SqlCopyStore())], None)
    await shelf.sync()
    linked = Inquiry(name="CardsFail", services=("payments",), confirmed=("runbook:books/old/provider.md",))
    (first, *_) = (await shelf.find(linked, DocumentKind.RUNBOOK)).found
    assert (first.tier, first.document.path) == (Tier.CONFIRMED, "books/payments/card-provider.md")


def test_it_keeps_its_id_however_often_it_moves_and_though_it_is_edited_in_between(folder: Path, database: SqlDatabase) -> None:
    before = read(folder, database)
    assert before == {path: f"runbook:{path}" for path in ("books/disk.md", "books/old/provider.md")}
    move(folder, "old/provider.md", "new/provider.md")
    assert read(folder, database)["books/new/provider.md"] == "runbook:books/old/provider.md"
    (folder / "new" / "provider.md").write_text(PAGE + "\n## Then\n\nWait.\n")
    read(folder, database)
    move(folder, "new/provider.md", "provider.md")
    assert read(folder, database) == {
        "books/disk.md": "runbook:books/disk.md",
        "books/provider.md": "runbook:books/old/provider.md",
    }


def test_what_is_written_at_the_place_that_became_free_is_another_document(folder: Path, database: SqlDatabase) -> None:
    read(folder, database)
    move(folder, "old/provider.md", "new/provider.md")
    read(folder, database)
    (folder / "old" / "provider.md").write_text("# Something else\n\nOther words.\n")
    found = read(folder, database)
    assert found["books/new/provider.md"] == "runbook:books/old/provider.md"
    assert found["books/old/provider.md"].startswith("runbook:books/old/provider.md~")
    assert read(folder, database) == found


def test_a_folder_that_is_empty_for_a_moment_loses_nothing(folder: Path, database: SqlDatabase, tmp_path: Path) -> None:
    read(folder, database)
    folder.rename(tmp_path / "away")
    assert read(folder, database) == {}
    (tmp_path / "away").rename(folder)
    move(folder, "old/provider.md", "new.md")
    assert read(folder, database)["books/new.md"] == "runbook:books/old/provider.md"


def test_a_database_that_cannot_be_written_hides_no_runbook(folder: Path, database: SqlDatabase) -> None:
    class Full:
        def read_now(self, work: Callable[[Transaction], T]) -> T:
            return database.read_now(work)

        def write_now(self, _work: Callable[[Transaction], T]) -> T:
            raise Unavailable("The disk is full.")

    source = steady([markdown_folder(folder, DocumentKind.RUNBOOK)], Full(), SqlCopyStore())
    assert len(list(source())) == 2


async def test_the_marks_are_no_source_that_the_settings_forgot(folder: Path, database: SqlDatabase) -> None:
    read(folder, database)
    assert FOLDERS in Sources((), database, SqlCopyStore()).known
    assert list(Sources((), database, SqlCopyStore()).documents()) == []


def test_marks_of_what_is_gone_are_bounded_and_a_name_that_no_database_takes_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subject, "MOST_GONE", 3)
    kept = {f"runbook:b/{n}.md": Mark(str(n), f"runbook:b/{n}.md") for n in range(9)}
    odd = Document("runbook:b/\udce4.md", DocumentKind.RUNBOOK, "Odd", "words", path="b/\udce4.md")
    there = Document("runbook:b/8.md", DocumentKind.RUNBOOK, "There", "words", path="b/8.md")
    marks = settled([odd, there], kept)
    assert set(marks) == {"runbook:b/8.md", *(f"runbook:b/{n}.md" for n in range(3))}
