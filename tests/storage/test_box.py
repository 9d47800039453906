"""The inbox's own file on SQLite: nobody is waited for, nothing is lost on the way into it, numbers only grow."""

import os
import re
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command, op
from sqlalchemy import create_mock_engine, text

from bot.errors import BadSettings
from bot.ports import Delivery, Transaction
from bot.storage.box import box_of, connect, prepare
from bot.storage.database import SqlDatabase, sql
from bot.storage.inbox import SqlInboxStore, received
from bot.storage.migrations import _config
from tests.fakes import NOON

INBOX = SqlInboxStore()


def delivery(body: str) -> Delivery:
    return Delivery("alertmanager", {}, body.encode(), NOON)


def add(database: SqlDatabase, *bodies: str) -> None:
    database.keep_now(lambda tx: INBOX.add(tx, [(delivery(body), f"id-{body}") for body in bodies]))


def waiting(database: SqlDatabase) -> list[str]:
    return [p.delivery.body.decode() for p in database.write_now(lambda tx: INBOX.take(tx, 100))]


def drain(database: SqlDatabase, most: int = 100) -> None:
    def go(tx: Transaction) -> None:
        INBOX.finish(tx, [replace(p, state="done", outcome="1 alert") for p in INBOX.take(tx, most)])

    database.write_now(go)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tocsin.db"


def opened(file: Path) -> SqlDatabase:
    database = SqlDatabase(f"sqlite:///{file}")
    database.open()
    return database


def test_the_file_has_what_the_store_uses(tmp_path: Path) -> None:
    def plain(statement: str) -> str:
        return re.sub(r"\s+|IF NOT EXISTS|\"", "", statement).lower().replace("ifnotexists", "")

    made: list[str] = []
    engine = create_mock_engine("sqlite://", lambda ddl, *_a, **_k: made.append(str(ddl.compile(dialect=engine.dialect))))
    received.create_all(engine)
    prepare(tmp_path / "a.inbox")
    with closing(connect(tmp_path / "a.inbox")) as there:
        found = [
            row[0] for row in there.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        ]
    assert sorted(map(plain, found)) == sorted(map(plain, made))


def test_what_comes_in_waits_for_no_writer_of_the_database(file: Path) -> None:
    database = opened(file)
    holds, let_go = threading.Event(), threading.Event()

    def long(_tx: Transaction) -> None:
        holds.set()
        assert let_go.wait(30)

    writer = threading.Thread(target=lambda: database.write_now(long))
    writer.start()
    assert holds.wait(30)
    add(database, "meanwhile")
    let_go.set()
    writer.join()
    assert waiting(database) == ["meanwhile"]
    database.close()


def test_a_story_cannot_write_into_the_line_by_mistake(file: Path) -> None:
    database = opened(file)
    with pytest.raises(Exception, match="readonly"):
        database.write_now(lambda tx: INBOX.add(tx, [(delivery("x"), "")]))
    database.close()


def test_one_left_out_of_line_still_waits_and_goes_first(file: Path) -> None:
    database = opened(file)
    add(database, "a", "b", "c")
    first, _, third = database.write_now(lambda tx: INBOX.take(tx, 3))
    database.write_now(lambda tx: INBOX.finish(tx, [replace(p, state="done") for p in (first, third)]))
    add(database, "d")
    assert waiting(database) == ["b", "d"]
    assert database.read_now(INBOX.waiting) == 2
    drain(database, 1)
    assert waiting(database) == ["d"]
    drain(database)
    assert (waiting(database), database.read_now(INBOX.waiting)) == ([], 0)
    database.close()


def test_what_is_replayed_waits_once_also_if_it_waits_already(file: Path) -> None:
    database = opened(file)
    add(database, "done", "not yet")
    drain(database, 1)
    for id in (1, 2):
        parcel = database.read_now(lambda tx, id=id: INBOX.get(tx, id))
        assert parcel is not None
        database.write_now(lambda tx, p=parcel: INBOX.finish(tx, [replace(p, state="waiting", outcome="")]))
    assert waiting(database) == ["done", "not yet"]
    assert database.read_now(INBOX.waiting) == 2
    listed = database.read_now(lambda tx: INBOX.recent(tx, state="waiting", limit=9))
    assert [p.delivery.body for p in listed] == [b"not yet", b"done"]
    drain(database)
    assert (waiting(database), database.read_now(INBOX.waiting)) == ([], 0)
    database.close()


def test_a_lost_file_is_made_anew_and_what_comes_then_is_worked_on(file: Path) -> None:
    database = opened(file)
    add(database, "a", "b")
    drain(database)
    database.close()
    for lost in file.parent.glob("*.inbox*"):
        lost.unlink()
    database = opened(file)
    assert database.read_now(INBOX.waiting) == 0
    add(database, "c")
    assert waiting(database) == ["c"]
    database.close()


def test_a_file_from_the_future_is_refused(file: Path) -> None:
    opened(file).close()
    with closing(sqlite3.connect(box_of(file))) as box:
        box.execute("PRAGMA user_version=99")
    with pytest.raises(BadSettings, match="written by a newer Tocsin"):
        opened(file)


def as_it_was(database: SqlDatabase) -> None:
    """The schema 0004 with one delivery done, one that waits, one unreadable and one more that waits."""

    def go(tx: Transaction) -> None:
        config = _config()
        config.attributes["connection"] = sql(tx)
        command.upgrade(config, "0004")
        for n, state in enumerate(("done", "waiting", "unreadable", "waiting"), 1):
            sql(tx).execute(
                text(
                    "INSERT INTO inbox (connector, delivery_id, digest, received_at, headers, query, size, body, state, attempts,"
                    " error, outcome) VALUES ('alertmanager', :id, 'd', '2026-11-22 12:00:00.000000', '{}', '{}', 1, :body,"
                    " :state, 0, :error, '')"
                ),
                {"id": f"id-{n}", "body": str(n).encode(), "state": state, "error": "$: no" if state == "unreadable" else ""},
            )

    database.write_now(go)


@pytest.mark.parametrize("cut_off", [False, True])
def test_an_upgrade_moves_all_deliveries_also_when_cut_off(file: Path, monkeypatch: pytest.MonkeyPatch, cut_off: bool) -> None:
    database = SqlDatabase(f"sqlite:///{file}")
    database.open(migrate=False)
    as_it_was(database)
    database.close()
    if cut_off:  # all is in the new file, and the old one's transaction never commits
        with monkeypatch.context() as patch:
            patch.setattr(op, "drop_table", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                opened(file)
    database = opened(file)
    assert waiting(database) == ["2", "4"]
    assert database.read_now(INBOX.waiting) == 2
    (unreadable,) = database.read_now(lambda tx: INBOX.recent(tx, state="unreadable", limit=9))
    assert (unreadable.delivery.body, unreadable.error) == (b"3", "$: no")
    database.keep_now(lambda tx: INBOX.add(tx, [(delivery("again"), "id-1"), (delivery("5"), "id-5")]))
    assert waiting(database) == ["2", "4", "5"], "what is known stays known, and what is new comes last"
    drain(database)
    assert database.read_now(INBOX.waiting) == 0
    database.close()


def test_deliveries_of_many_days_are_forgotten_in_pieces(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.inbox.AT_ONCE", 2)
    database = opened(file)
    add(database, *"abcde")
    drain(database, 4)
    seen, after = [], 0
    while True:
        old, more = database.read_now(lambda tx, after=after: INBOX.old(tx, NOON.replace(year=2027), after))
        seen += old
        if more is None:
            break
        after = more
    assert seen == [1, 2, 3, 4], "what waits is not old"
    database.keep_now(lambda tx: INBOX.forget(tx, seen))
    database.write_now(INBOX.forget_outcomes)
    assert [p.id for p in database.read_now(lambda tx: INBOX.recent(tx, state=None, limit=9))] == [5]
    assert database.read_now(lambda tx: sql(tx).execute(text("SELECT count(*) FROM outcomes")).scalar()) == 0
    database.close()


def test_a_damaged_inbox_says_what_is_lost_and_what_to_do(tmp_path: Path) -> None:
    box = box_of(tmp_path / "tocsin.db")
    box.write_bytes(b"no database at all" * 1_000)
    with pytest.raises(BadSettings, match=r"tocsin\.db\.inbox is damaged .*Move it"):
        prepare(box)


def test_no_file_of_the_database_is_read_by_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = SqlDatabase(f"sqlite:///{tmp_path / 'tocsin.db'}")
        database.open()
        add(database, "a")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}, modes
