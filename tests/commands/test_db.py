"""tocsin db: what a backup holds, what a restore does, and what both refuse."""

import re
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.ports import Delivery
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase
from bot.storage.incidents import SqlIncidentStore
from bot.storage.ledger import SqlLedger
from bot.wiring import Stores
from tests.fakes import NOON, an_incident

ACTION = Action(
    id="a1",
    kind=ActionKind.ROLLBACK,
    service="payments",
    environment="production",
    target="v42",
    status=ActionStatus.APPROVED,
    requested_by="U0ONCALL",
    created_at=NOON,
    updated_at=NOON,
)


@pytest.fixture(autouse=True)
def _no_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)
    monkeypatch.delenv("TOCSIN_DATA_DIR", raising=False)


def opened(folder: Path) -> SqlDatabase:
    """The database of an installation, as a running bot has it."""
    (folder / ".tocsin").mkdir(exist_ok=True)
    db = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db")
    db.open()
    return db


def tocsin(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), *words])


def test_a_backup_taken_while_the_bot_writes_is_whole_and_can_be_put_back(tmp_path: Path) -> None:
    stores, ledger = Stores(), SqlLedger()
    db, stop = opened(tmp_path), threading.Event()

    def write() -> None:
        while not stop.is_set():
            db.write_now(lambda tx: ledger.append(tx, NOON, "U1", "noted", "x", {"text": "y" * 5000}))

    db.write_now(lambda tx: stores.incidents.save(tx, an_incident(id="i1")))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert tocsin(tmp_path, "db", "backup", str(tmp_path / "copy.db")) == 0
    finally:
        stop.set()
        writer.join()
    db.write_now(lambda tx: stores.incidents.save(tx, an_incident(id="later", number=77)))
    db.close()
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0

    assert tocsin(tmp_path, "db", "restore", str(tmp_path / "copy.db")) == 0
    db = opened(tmp_path)
    assert db.read_now(lambda tx: SqlIncidentStore().get(tx, "i1")) is not None
    assert db.read_now(lambda tx: SqlIncidentStore().get(tx, "later")) is None
    assert db.read_now(ledger.broken_at) is None
    db.close()
    aside = [
        f
        for f in (tmp_path / ".tocsin").glob("tocsin.db.before-restore-*")
        if re.fullmatch(r"[^.]*.db.before-restore-\w*", f.name)
    ]
    assert len(aside) == 1


def test_a_backup_is_one_file_that_holds_the_deliveries_too(tmp_path: Path) -> None:
    db, inbox = opened(tmp_path), Stores().inbox
    db.keep_now(
        lambda tx: inbox.add(tx, [(Delivery("plain", {}, b"waits", NOON), "d1"), (Delivery("plain", {}, b"2", NOON), "")])
    )
    db.write_now(lambda tx: inbox.finish(tx, [replace(p, state="done") for p in inbox.take(tx, 1)]))
    assert tocsin(tmp_path, "db", "backup", str(tmp_path / "copy.db")) == 0
    db.keep_now(lambda tx: inbox.add(tx, [(Delivery("plain", {}, b"later", NOON), "d3")]))
    db.close()
    assert tocsin(tmp_path, "db", "restore", str(tmp_path / "copy.db")) == 0
    db = opened(tmp_path)
    assert [p.delivery.body for p in db.write_now(lambda tx: inbox.take(tx, 9))] == [b"2"]
    assert db.keep_now(lambda tx: inbox.add(tx, [(Delivery("plain", {}, b"waits", NOON), "d1")])) == [False]
    db.close()


def test_what_was_approved_before_a_restore_is_not_executed_after_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, store = opened(tmp_path), SqlActionStore()
    db.write_now(lambda tx: store.add(tx, ACTION))
    db.write_now(lambda tx: store.add(tx, replace(ACTION, id="a2", service="checkout", status=ActionStatus.EXECUTING)))
    db.close()
    assert tocsin(tmp_path, "db", "backup", str(tmp_path / "copy.db")) == 0
    assert tocsin(tmp_path, "db", "restore", str(tmp_path / "copy.db")) == 0
    assert "1 actions" in capsys.readouterr().out
    db = opened(tmp_path)
    assert [a.status for id in ("a1", "a2") if (a := db.read_now(lambda tx, id=id: store.get(tx, id)))] == [  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        ActionStatus.EXPIRED,
        ActionStatus.EXECUTING,
    ]
    assert [e.deed for e in db.read_now(SqlLedger().entries)] == ["expired", "restored"]
    db.close()


def test_a_restore_under_a_running_bot_is_refused_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = opened(tmp_path)
    assert tocsin(tmp_path, "db", "backup", str(tmp_path / "copy.db")) == 0
    before = sorted(p.name for p in (tmp_path / ".tocsin").iterdir())
    assert tocsin(tmp_path, "db", "restore", str(tmp_path / "copy.db")) == 2
    assert "Another Tocsin" in capsys.readouterr().err
    assert sorted(p.name for p in (tmp_path / ".tocsin").iterdir()) == before
    db.close()


def test_a_damaged_copy_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(tmp_path).close()
    copy = tmp_path / "copy.db"
    assert tocsin(tmp_path, "db", "backup", str(copy)) == 0
    body = bytearray(copy.read_bytes())
    body[8192:40960] = b"\xff" * (40960 - 8192)
    copy.write_bytes(body)
    assert tocsin(tmp_path, "db", "restore", str(copy)) == 2
    said = capsys.readouterr().err
    assert "damaged" in said or "not a backup" in said


def test_a_file_that_is_no_backup_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert tocsin(tmp_path, "db", "restore", str(tmp_path / "notes.txt")) == 2
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    assert tocsin(tmp_path, "db", "restore", str(tmp_path / "other.db")) == 2
    said = capsys.readouterr().err
    assert "not a backup that can be read" in said
    assert "not of Tocsin's" in said


def test_a_backup_never_replaces_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(tmp_path).close()
    (tmp_path / "copy.db").write_text("precious")
    assert tocsin(tmp_path, "db", "backup", str(tmp_path / "copy.db")) == 2
    assert "never replaces" in capsys.readouterr().err
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_database_server_is_backed_up_by_its_own_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE_URL", "postgresql+psycopg://tocsin:pw@localhost/tocsin")
    assert tocsin(tmp_path, "db", "backup", str(tmp_path / "copy.db")) == 2
    said = capsys.readouterr().err
    assert "pg_dump" in said
    assert "pw@" not in said


def test_upgrade_says_from_where_to_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".tocsin").mkdir()
    assert tocsin(tmp_path, "db", "upgrade") == 0
    assert "schema none ->" in capsys.readouterr().out
    assert tocsin(tmp_path, "db", "upgrade") == 0
    assert "up to date already" in capsys.readouterr().out


def test_after_a_restore_by_other_tools_actions_expire_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, store = opened(tmp_path), SqlActionStore()
    db.write_now(lambda tx: store.add(tx, ACTION))
    db.close()
    assert tocsin(tmp_path, "db", "restored") == 0
    assert "1 actions" in capsys.readouterr().out
