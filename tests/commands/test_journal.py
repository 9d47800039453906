"""`tocsin journal`: what it lists, shows, exports and verifies beside a running bot, and that an erased person is nowhere."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.action import Action, ActionKind, ActionStatus, Decision
from bot.domain.alert import Alert, Severity
from bot.domain.conversation import Role, Said
from bot.domain.document import DocumentKind, Inquiry
from bot.domain.evidence import Confidence, Diagnosis, Verdict
from bot.domain.incident import Entry, EntryKind, Status
from bot.domain.interaction import Feature, Feedback, Interaction, Opinion
from bot.domain.view import Place
from bot.durable.work import DurableWork
from bot.knowledge.library import Library
from bot.ports import Card, Delivery, Sighting, Transaction
from bot.storage.database import SqlDatabase, sql
from bot.storage.journal import lines
from bot.storage.ledger import lines as audit_lines
from bot.wiring import Stores, confirmed_incidents
from tests.fakes import NOON, a_change, an_incident

STORES = Stores()
GONE, OTHER = "U0LEAVER", "U0LEAVER2"
NAME = "Jörg Ångström"


@pytest.fixture(autouse=True)
def _no_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[SqlDatabase]:
    """The database of an installation, as a running bot has it."""
    (tmp_path / ".tocsin").mkdir()
    database = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db")
    database.open()
    yield database
    database.close()


def an_answer(id: str, **fields: object) -> Interaction:
    return replace(Interaction(id, NOON, Feature.QUESTION, "rules", answer=f"the answer of {id}"), **fields)  # type: ignore[arg-type]  # fields of an Interaction


def journal(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), "journal", *words])


@pytest.fixture
def answered(running: SqlDatabase) -> SqlDatabase:
    def fill(tx: Transaction) -> None:
        STORES.incidents.save(tx, an_incident(id="i1", number=42, version=0, confirmed_cause="a typo in v43"))
        told = (Said(Role.SYSTEM, "You are careful."), Said(Role.USER, "Ask [EMAIL_1]"), Said(Role.ASSISTANT, "v43 did it"))
        STORES.journal.add(tx, an_answer("aa-rules", incident_id="i1"))
        model = {
            "engine": "model",
            "model": "openai:gpt-test",
            "messages": told,
            "redactions": {"EMAIL": 1, "SECRET": 2},
            "calls": 1,
        }
        STORES.journal.add(tx, an_answer("bb-model", **model, at=NOON + timedelta(hours=1)))
        STORES.journal.add(tx, an_answer("cc-broken", engine="model", error="took too long", at=NOON + timedelta(hours=2)))
        STORES.journal.judge(tx, Feedback("f1", NOON, "U1", Opinion.USEFUL, interaction_id="aa-rules"))

    running.write_now(fill)
    return running


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ((), ["cc-broken", "bb-model", "aa-rules"]),
        (("--limit", "1"), ["cc-broken"]),
        (("--incident", "inc-42"), ["aa-rules"]),
        (("--engine", "model"), ["cc-broken", "bb-model"]),
        (("--failed",), ["cc-broken"]),
        (("--since", (NOON + timedelta(minutes=30)).isoformat()), ["cc-broken", "bb-model"]),
        (("--engine", "rules", "--failed"), []),
    ],
)
def test_answers_are_listed_by_what_is_asked_for(
    answered: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str], filters: tuple[str, ...], ids: list[str]
) -> None:
    assert journal(tmp_path, "list", *filters) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == (ids or ["No"])


def test_a_wrong_time_or_incident_is_said_with_good_ones(
    answered: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        journal(tmp_path, "list", "--since", "yesterday")
    assert "good ones are 2026-11-22" in capsys.readouterr().err
    assert journal(tmp_path, "list", "--incident", "INC-7") != 0
    assert "There is no INC-7" in capsys.readouterr().err


def test_show_tells_what_left_the_building_word_for_word(
    answered: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stood_in = an_answer("dd-rules", fallback_from="openai:gpt-test")
    second = an_answer("ee-second", engine="model", fallback_from="openai:gpt-test", messages=(Said(Role.USER, "why?"),))
    answered.write_now(lambda tx: [STORES.journal.add(tx, entry) for entry in (stood_in, second)])
    assert journal(tmp_path, "show", "bb") == 0
    said = capsys.readouterr().out
    assert "What left the building, to openai:gpt-test (1 calls, hidden before: 1 EMAIL, 2 SECRET):" in said
    assert (
        said.index(">> system\nYou are careful.") < said.index(">> user\nAsk [EMAIL_1]") < said.index("<< assistant\nv43 did it")
    )
    assert journal(tmp_path, "show", "aa") == 0
    said = capsys.readouterr().out
    assert "Nothing left the building for this answer." in said
    assert '"confirmed_cause": "a typo in v43"' in said
    assert journal(tmp_path, "show", "dd") == 0
    assert "for this answer; openai:gpt-test was to answer first, its try has an entry of its own." in capsys.readouterr().out
    assert journal(tmp_path, "show", "ee") == 0
    assert "openai:gpt-test was asked the same before, and failed" in capsys.readouterr().out
    assert journal(tmp_path, "show", "bb", "--json") == 0
    assert json.loads(capsys.readouterr().out)["interaction"]["messages"][1] == {"role": "user", "text": "Ask [EMAIL_1]"}


def test_the_export_joins_answers_with_feedback_and_the_confirmed_cause(
    answered: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert journal(tmp_path, "export") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["interaction"]["id"] for row in rows] == ["aa-rules", "bb-model", "cc-broken"]
    assert (rows[0]["incident"], rows[0]["confirmed_cause"]) == ("INC-42", "a typo in v43")
    assert [f["opinion"] for f in rows[0]["feedback"]] == ["useful"]
    out = tmp_path / "answers.jsonl"
    assert journal(tmp_path, "export", "--out", str(out), "--since", (NOON + timedelta(minutes=1)).isoformat()) == 0
    assert [json.loads(line)["interaction"]["id"] for line in out.read_text().splitlines()] == ["bb-model", "cc-broken"]
    assert out.stat().st_mode & 0o077 == 0
    assert journal(tmp_path, "export", "--out", str(out)) != 0
    assert "exists already" in capsys.readouterr().err


def test_verify_names_the_first_line_that_does_not_fit(
    answered: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered.write_now(lambda tx: STORES.ledger.append(tx, NOON, "U1", "resolved", "i1", {}))
    assert journal(tmp_path, "verify") == 0
    said = capsys.readouterr().out
    assert "ok  audit    1 lines fit, head " in said
    assert "ok  journal  3 lines fit, head " in said
    answered.write_now(lambda tx: sql(tx).execute(lines.update().where(lines.c.seq == 2).values(cost=9.0)))
    answered.write_now(lambda tx: sql(tx).execute(audit_lines.update().values(deed="approved")))
    assert journal(tmp_path, "verify") == 1
    said = capsys.readouterr().out
    assert "NO  audit    line 1 of 1 does not fit" in said
    assert "NO  journal  line 2 of 3 does not fit" in said


def test_prune_forgets_what_was_said_and_keeps_the_lines(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    running.write_now(lambda tx: STORES.journal.add(tx, an_answer("ee-old", at=now - timedelta(days=4))))
    running.write_now(lambda tx: STORES.journal.add(tx, an_answer("dd-new", at=now - timedelta(days=2))))
    assert journal(tmp_path, "prune", "--older-than", "3") == 0
    assert "What 1 answers said is forgotten" in capsys.readouterr().out
    journal(tmp_path, "list")
    new, old = capsys.readouterr().out.splitlines()
    assert "the answer of dd-new" in new
    assert old.startswith("ee-old")
    assert "(erased)" in old
    journal(tmp_path, "show", "ee")
    assert "no longer kept" in capsys.readouterr().out
    assert journal(tmp_path, "verify") == 0


def test_quality_is_one_sentence_or_one_object(answered: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answered.write_now(lambda tx: STORES.journal.add(tx, an_answer("now", at=datetime.now(UTC) - timedelta(minutes=1))))
    assert journal(tmp_path, "quality", "--days", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["answers"] >= 1
    assert journal(tmp_path, "quality") == 0
    assert capsys.readouterr().out.startswith("quality of 7 days: ")


def leave_traces(database: SqlDatabase) -> None:
    """What came in, and what was made of it."""
    raw = json.dumps({"sender": NAME, "id": GONE, "text": f"ask {NAME}"}).encode()  # ASCII: ö is an escape
    came = Delivery("github", {"x-github-event": "push"}, raw, NOON)
    database.keep_now(lambda tx: STORES.inbox.add(tx, [(came, "d1")]))
    database.write_now(_traces)


def _traces(tx: Transaction) -> None:
    """Somebody who asked, acknowledged, approved, committed, confirmed and was named, with another person beside."""
    text = f"ask {NAME} (<@{GONE}>) or <@{OTHER}>"
    incident = an_incident(id="i1", version=0, acknowledged_by=GONE, on_call=(GONE, OTHER), title=text)
    kept = STORES.incidents.save(tx, incident)
    STORES.incidents.save(tx, replace(kept, confirmed_cause=f"{NAME} forgot a comma", confirmed_by=GONE, resolved_by=GONE))
    STORES.timeline.add(tx, [Entry("i1", NOON, EntryKind.NOTE, text, GONE), Entry("i1", NOON, EntryKind.NOTE, "fine", OTHER)])
    action = Action("a1", ActionKind.ROLLBACK, "payments", "production", "v42", ActionStatus.AWAITING, GONE, NOON, NOON)
    STORES.actions.add(tx, replace(action, decisions=(Decision(GONE, True, NOON, text), Decision(OTHER, True, NOON))))
    STORES.changes.save(tx, [a_change(author=NAME, title=f"Fix by {NAME.upper()}")])
    STORES.diagnoses.save(tx, "i1", Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, text, NOON))
    alert = Alert("alertmanager", "High", "payments", "production", Severity.SEV2, False, NOON, summary=text)
    STORES.alerts.seen(tx, [Sighting(alert, "f" * 16, "e" * 16, "new", "i1")])
    STORES.cards.put(tx, Card("card:i1", Place("C1", "1.1"), shown=text))
    STORES.switches.turn(tx, "model", "off", GONE, NOON)
    DurableWork().start(tx, "slack", "answer", "answer:1", {"user": GONE, "text": text})
    STORES.journal.add(tx, an_answer("j-asked", user=GONE, question="what changed?"))
    STORES.journal.add(tx, an_answer("j-named", user=OTHER, answer=text))
    STORES.journal.add(tx, an_answer("j-other", user=OTHER, question="is it over?"))
    STORES.journal.judge(tx, Feedback("f1", NOON, GONE, Opinion.OTHER_CAUSE, "j-other", "i1", note="no comma"))
    STORES.journal.judge(tx, Feedback("f2", NOON, OTHER, Opinion.USEFUL, "j-other", "i1"))
    STORES.ledger.append(tx, NOON, GONE, "approved", "a1", {"plan": "abc"})
    STORES.ledger.append(tx, NOON, OTHER, "approved", "a1", {"note": text})
    STORES.ledger.append(tx, NOON, OTHER, "resolved", "i1", {"why": "over"})


def spellings() -> list[bytes]:
    names = [NAME, NAME.upper(), json.dumps(NAME)[1:-1]]
    return [name.encode() for name in names]


def stands_in(folder: Path) -> list[str]:
    """The files of the data folder in which the id or the name stands, the other person's longer id left out."""
    found = []
    for file in sorted((folder / ".tocsin").rglob("*")):
        data = file.read_bytes().replace(OTHER.encode(), b"") if file.is_file() else b""
        found += [f"{file.name}: {name!r}" for name in (GONE.encode(), *spellings()) if name in data]
    return found


def test_an_erased_person_stands_nowhere_in_the_files_and_both_chains_verify(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_traces(running)
    assert stands_in(tmp_path)
    assert journal(tmp_path, "erase", GONE, "--name", NAME, "--yes") == 0
    said = capsys.readouterr().out
    for table in ("incidents", "timeline", "actions", "feedback", "journal", "journal_content", "ledger_actor", "ledger_content"):
        assert f"\n{table} " in f"\n{said}"
    assert stands_in(tmp_path) == []
    assert journal(tmp_path, "verify") == 0
    running.close()
    assert stands_in(tmp_path) == []


def test_what_is_left_of_an_erased_person_is_still_whole(running: SqlDatabase, tmp_path: Path) -> None:
    leave_traces(running)
    before = running.read_now(lambda tx: STORES.incidents.get(tx, "i1"))
    assert before is not None
    assert journal(tmp_path, "erase", GONE, "--name", NAME, "--yes") == 0

    incident = running.read_now(lambda tx: STORES.incidents.get(tx, "i1"))
    action = running.read_now(lambda tx: STORES.actions.get(tx, "a1"))
    assert incident is not None
    assert action is not None
    alias = incident.acknowledged_by
    assert alias.startswith("erased-")
    assert (incident.on_call, incident.confirmed_by) == ((alias, OTHER), alias)
    assert incident.confirmed_cause == f"{alias} forgot a comma"
    assert incident.version == before.version + 1  # whoever read it before writes nothing back
    assert (action.requested_by, [d.by for d in action.decisions], action.approvals) == (alias, [alias, OTHER], 2)
    assert [e.by for e in running.read_now(lambda tx: STORES.timeline.of(tx, "i1"))] == [alias, OTHER]
    answers = {a.id: a for a in running.read_now(lambda tx: list(STORES.journal.every(tx)))}
    assert [answers[id].erased for id in ("j-asked", "j-named", "j-other")] == [True, True, False]
    assert answers["j-other"].question == "is it over?"
    opinions = running.read_now(lambda tx: STORES.journal.feedback(tx, "j-other"))
    assert {(f.user, f.opinion) for f in opinions} == {(alias, Opinion.OTHER_CAUSE), (OTHER, Opinion.USEFUL)}
    audit = running.read_now(STORES.ledger.entries)
    assert [(e.actor, dict(e.detail)) for e in audit[:3]] == [
        ("[erased]", {"plan": "abc"}),
        (OTHER, {}),
        (OTHER, {"why": "over"}),
    ]
    assert (audit[3].deed, audit[3].subject) == ("erased a person", alias)


def _over(tx: Transaction) -> None:
    incident = STORES.incidents.get(tx, "i1")
    assert incident is not None
    STORES.incidents.save(tx, replace(incident, status=Status.RESOLVED, resolved_at=NOON))


async def test_past_incidents_are_found_without_the_name_after_the_next_sync(running: SqlDatabase, tmp_path: Path) -> None:
    leave_traces(running)
    running.write_now(_over)
    library = Library([lambda: running.read_now(lambda tx: confirmed_incidents(tx, STORES))], None)
    await library.sync()
    assert NAME in library.documents[0].text
    assert journal(tmp_path, "erase", GONE, "--name", NAME, "--yes") == 0
    started = running.read_now(lambda tx: DurableWork().list(tx, queue="housekeeping"))
    assert [item.name for item in started] == ["sync_knowledge"]
    await library.sync()  # what that work does
    assert NAME not in repr(library.documents)
    assert GONE not in repr(library.documents).replace(OTHER, "")
    found = await library.find(Inquiry(text="forgot a comma"), DocumentKind.INCIDENT)
    assert found.found


def test_without_yes_it_only_says_what_would_be_touched(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_traces(running)
    file = tmp_path / ".tocsin/tocsin.db"
    dump = list(sqlite3.connect(file).iterdump())
    assert journal(tmp_path, "erase", GONE) == 0
    said = capsys.readouterr().out
    assert "would be rewritten" in said
    assert "Nothing was changed" in said
    assert list(sqlite3.connect(file).iterdump()) == dump


def test_a_person_nobody_knows_and_names_that_are_none(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_traces(running)
    assert journal(tmp_path, "erase", "U0NOBODY", "--yes") == 0
    assert "Nothing here mentions this person." in capsys.readouterr().out
    assert len(running.read_now(STORES.ledger.entries)) == 3
    for words in (["jane@example"], [GONE, "--name", "ab"], [GONE, "--name", "Tocsin"]):
        assert journal(tmp_path, "erase", *words, "--yes") != 0
    assert running.read_now(STORES.ledger.head)[0] == 3
