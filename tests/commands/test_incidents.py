"""tocsin incidents and tocsin work: what a person at a terminal reads when the chat is down."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.commands.incidents import whole
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Evidence, EvidenceKind, Fact, Verdict
from bot.domain.incident import Entry, EntryKind
from bot.durable.work import DurableWork
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.fakes import NOON, an_incident

DIAGNOSIS = Diagnosis(
    Verdict.CONVICTED,
    Confidence.STRONG,
    "payments v43 raised retries",
    NOON,
    symptom="Checkout answers with errors [E1]",
    cause=Candidate("c1", "payments", "raise retries", facts=(Fact("retries 2 → 10", 3.0, ("E2",)),)),
    ruled_out=(Candidate("c2", "checkout", "a docs change", ruled_out="no path to payments"),),
    next_step="roll back payments to v42",
    evidence=(Evidence("E1", EvidenceKind.ALERT, "HighErrorRate \x1b[31mred\x1b[0m", "alertmanager"),),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with one incident that was looked into."""
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)
    monkeypatch.delenv("TOCSIN_DATA_DIR", raising=False)
    (tmp_path / ".tocsin").mkdir()
    db, stores = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db"), Stores()
    db.open()

    def fill(tx: Transaction) -> None:
        stores.incidents.save(tx, an_incident(id="i1", number=42))
        stores.diagnoses.save(tx, "i1", DIAGNOSIS)
        stores.timeline.add(tx, [Entry("i1", NOON, EntryKind.ALERT, "HighErrorRate fires")])
        DurableWork().start(tx, "slack", "refresh", "card:i1", {"incident_id": "i1"})

    db.write_now(fill)
    db.close()
    return tmp_path


def tocsin(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), *words])


def test_the_list_names_each_open_incident_and_its_likely_cause(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents") == 0
    said = capsys.readouterr().out
    assert "INC-42" in said
    assert "payments v43 raised retries" in said
    assert "nobody yet" in said


def test_one_incident_is_told_whole_and_controls_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "inc-42") == 0
    said = capsys.readouterr().out
    for part in ("retries 2 → 10 [E2]", "ruled out a docs change: no path to payments", "Next: roll back", "HighErrorRate fires"):
        assert part in said
    assert "\x1b" not in said


def test_json_holds_the_whole_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["incident"]["number"] == 42
    assert row["diagnosis"]["cause"]["change_id"] == "c1"
    assert [entry["text"] for entry in row["timeline"]] == ["HighErrorRate fires"]


def test_an_incident_that_is_not_there_is_named_with_what_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "INC-7") == 2
    assert "tocsin incidents --all" in capsys.readouterr().err


def test_an_incident_nobody_looked_into_says_so() -> None:
    incident = an_incident(number=7, opened_at=NOON)
    lines = list(whole(replace(incident, acknowledged_by="U1"), None, (), (), NOON + timedelta(hours=3)))
    assert "3 h" in lines[0]
    assert "acknowledged by U1 · not looked into yet" in lines[1]


def test_work_that_was_given_up_is_listed_with_its_reason_and_tried_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tocsin(folder, "work", "list") == 0
    assert "Nothing was given up" in capsys.readouterr().out
    assert tocsin(folder, "work", "revive", "card:i1") == 2
    db = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db")
    db.open()
    _give_up(db, "card:i1", "Traceback ...\nbot.errors.NotFound: no such channel")
    db.close()
    assert tocsin(folder, "work", "list") == 0
    assert "card:i1" in (said := capsys.readouterr().out)
    assert "no such channel" in said
    assert tocsin(folder, "work", "revive", "card:i1") == 0
    assert tocsin(folder, "work", "list", "--state", "ready") == 0
    assert "card:i1  slack/refresh" in capsys.readouterr().out


def _give_up(db: SqlDatabase, id: str, why: str) -> None:
    """As the worker leaves an item that no more tries can help."""
    from sqlalchemy import update

    from bot.durable.table import DEAD, work
    from bot.storage.database import sql

    gone = {"state": DEAD, "error": why, "finished_at": NOON.timestamp()}
    db.write_now(lambda tx: sql(tx).execute(update(work).where(work.c.id == id).values(gone)))
