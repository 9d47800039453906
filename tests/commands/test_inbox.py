"""`tocsin inbox` and `tocsin journal`, beside the bot's database: what came in, what could not be read, what was answered."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.cli import main
from bot.domain.interaction import Feature, Feedback, Interaction, Opinion
from bot.ports import Delivery, Transaction
from bot.settings import load_settings
from bot.storage.database import SqlDatabase, sql
from bot.wiring import Stores
from tests.fakes import NOON


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installation that took in two deliveries, of which it could read one, and gave one answer."""
    monkeypatch.setattr("os.environ", {})
    settings = load_settings(tmp_path)
    settings.data.mkdir()
    database, stores = SqlDatabase(settings.database), Stores()
    database.open()
    bodies = (b'{"alerts": []}', b'{"alerts": [')
    deliveries = [(Delivery("alertmanager", {}, body, NOON), "") for body in bodies]
    database.keep_now(lambda tx: stores.inbox.add(tx, deliveries))
    database.write_now(lambda tx: aside(tx, stores))
    database.write_now(lambda tx: stores.journal.add(tx, Interaction("abc-1", NOON, Feature.QUESTION, "rules", answer="No.")))
    said = Feedback("f-1", NOON, "U0ONCALL", Opinion.NOT_USEFUL, interaction_id="abc-1")
    database.write_now(lambda tx: stores.journal.judge(tx, said))
    database.close()
    return str(tmp_path)


def aside(tx: Transaction, stores: Stores) -> None:
    """The first is done, the second put aside."""
    first, second = stores.inbox.take(tx, 2)
    ends = [replace(first, state="done", outcome="0 alerts"), replace(second, state="unreadable", error="$: cut off")]
    stores.inbox.finish(tx, ends)


def test_the_list_shows_states_and_why(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", folder, "inbox", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["--config", folder, "inbox", "list", "--state", "unreadable"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "alertmanager" in line
    assert "$: cut off" in line
    assert main(["--config", folder, "inbox", "list", "--state", "waiting"]) == 0
    assert capsys.readouterr().out.strip() == "No delivery is waiting."


def test_one_delivery_is_shown_with_its_raw_text(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", folder, "inbox", "show", "2"]) == 0
    assert '{"alerts": [' in capsys.readouterr().out
    assert main(["--config", folder, "inbox", "show", "77"]) == 1
    assert "`tocsin inbox list`" in capsys.readouterr().out


def test_a_replayed_delivery_waits_again(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", folder, "inbox", "replay", "2"]) == 0
    assert main(["--config", folder, "inbox", "list", "--state", "waiting"]) == 0
    assert "alertmanager" in capsys.readouterr().out.splitlines()[-1]
    assert main(["--config", folder, "inbox", "replay", "77"]) == 2
    assert "There is no delivery 77" in capsys.readouterr().err


def test_the_journal_lists_answers_and_shows_one_with_its_feedback(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", folder, "journal", "list"]) == 0
    assert "abc-1" in (line := capsys.readouterr().out)
    assert "not useful" in line
    assert main(["--config", folder, "journal", "show", "abc", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["interaction"]["answer"] == "No."
    assert shown["feedback"][0]["opinion"] == "not useful"
    assert main(["--config", folder, "journal", "show", "zzz"]) == 2
    assert "`tocsin journal list`" in capsys.readouterr().err
    assert main(["--config", folder, "journal", "list", "--incident", "INC-9"]) == 2


def test_a_database_of_a_newer_version_is_left_alone(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    database = SqlDatabase(load_settings(Path(folder)).database)
    database.open()
    database.write_now(lambda tx: sql(tx).execute(text("UPDATE alembic_version SET version_num = '9999'")))
    database.close()
    assert main(["--config", folder, "inbox", "replay", "2"]) == 2
    assert "was written by a newer Tocsin (schema 9999" in capsys.readouterr().err
