"""tocsin incidents import and tocsin links: past incidents from files and tools, once each; links that can be taken back."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.interaction import Opinion
from bot.domain.past import PastIncident
from bot.domain.suggestion import Judgement, Subject
from bot.flows.runbooks.keeping_up import MARK
from bot.knowledge.postmortem import read_postmortem
from bot.storage.database import SqlDatabase
from bot.wiring import Stores, confirmed_incidents
from tests.connectors.vendor import a_vendor
from tests.fakes import NOON

POSTMORTEM = """---
title: Payments storm
services: [payments-api]
started: 2026-03-02T14:09:00Z
resolved: 2026-03-02T14:51:00Z
---
# Payments storm
## Impact
- 18 % of checkouts failed
## Root cause
Retries were raised to 10; the token was ghp_abcdefghijklmnopqrstuvwxyz0123456789

And more words.
## Resolution
Rolled back to v41
## Timeline
14:09 it began
"""
SERVICES = "services:\n  - {name: payments, aliases: [payments-api]}\n"
TABLE = """Incident ID;Summary;Created;Resolved At;Root Cause;Affected Services
P-1;Search slow;2026-01-05T10:00:00Z;2026-01-05 11:30;index rebuilt on live nodes;search, storefront
P-2;;2026-01-06T10:00:00Z;;;
P-3;Mail stuck;yesterday;;;mail
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that nothing was written to yet."""
    path = tmp_path_factory.mktemp("empty") / "tocsin.db"
    db = SqlDatabase(f"sqlite:///{path}")
    db.open()
    db.close()
    return path


@pytest.fixture
def folder(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with an empty database, and some files."""
    for name in ("TOCSIN_DATABASE_URL", "TOCSIN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".tocsin").mkdir()
    shutil.copy(empty, tmp_path / ".tocsin" / "tocsin.db")
    (tmp_path / "services.yaml").write_text(SERVICES)
    (tmp_path / "post" / "2026").mkdir(parents=True)
    (tmp_path / "post" / "2026" / "storm.md").write_text(POSTMORTEM)
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


def tocsin(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), *words])


def kept(folder: Path) -> list[PastIncident]:
    db = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db")
    db.open(beside=True)
    found = list(db.read_now(Stores().past.known))
    db.close()
    return found


def switches(folder: Path) -> Mapping[str, str]:
    db = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db")
    db.open(beside=True)
    found = db.read_now(lambda tx: Stores().switches.like(tx, ""))
    db.close()
    return found


def test_a_folder_of_postmortems_is_kept_by_what_their_headings_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "import", str(folder / "post")) == 0
    assert "1 past incident kept" in capsys.readouterr().out
    (one,) = kept(folder)
    assert (one.ref, one.origin, one.title, one.services) == ("2026/storm.md", "files", "Payments storm", ("payments",))
    assert one.symptoms == ("- 18 % of checkouts failed",)
    assert one.cause.startswith("Retries were raised to 10")
    assert "ghp_" not in f"{one}"
    assert one.fix == "Rolled back to v41"
    assert "14:09 it began" in one.text


@pytest.mark.parametrize(
    ("name", "top", "began", "ended", "severity"),
    [
        ("a.md", "Date: 2 March 2026\n**Severity:** SEV2", "2026-03-02T00:00", "", "SEV2"),
        (
            "a.md",
            "- **Started at**: 2026-03-02 14:09 UTC\n- Resolved: 2026-03-02T15:00Z",
            "2026-03-02T14:09",
            "2026-03-02T15:00",
            "",
        ),
        ("2026/2026-03-02-storm.md", "It began at night.", "2026-03-02T00:00", "", ""),
        ("2026-03-02.md", "Date: 2026-03-01\nDate: 2026-03-09", "2026-03-01T00:00", "", ""),
        ("2026-99-99.md", "Date: at night\nDuration: 3 h", "", "", ""),
    ],
)
def test_a_postmortem_says_at_its_top_or_in_its_name_when_it_was(
    tmp_path: Path, name: str, top: str, began: str, ended: str, severity: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(f"# Storm\n\n{top}\n\n## Resolution\n\nRolled back\n")
    past = read_postmortem(tmp_path / name, tmp_path)
    assert past is not None
    assert [f"{at:%Y-%m-%dT%H:%M}" if at else "" for at in (past.started, past.resolved)] == [began, ended]
    assert past.severity == severity


def test_importing_again_replaces_and_the_dry_run_keeps_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "import", str(folder / "post"), "--dry-run") == 0
    said = capsys.readouterr().out
    assert "2026-03-02" in said
    assert "1 past incident would be kept" in said
    assert kept(folder) == []
    for _ in range(2):
        assert tocsin(folder, "incidents", "import", str(folder / "post")) == 0
    assert len(kept(folder)) == 1


def test_files_may_stand_behind_the_options(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "import", "--dry-run", str(folder / "post")) == 0
    assert "1 past incident would be kept" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tocsin(folder, "incidents", "import", "--nonsense", str(folder / "post"))
    with pytest.raises(SystemExit):
        tocsin(folder, "db", "upgrade", "post")
    assert "unrecognized arguments: post" in capsys.readouterr().err


def test_a_table_says_how_it_is_read_and_names_bad_rows_by_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "incidents", "import", str(folder / "table.csv"), "--origin", "wiki") == 1
    said = capsys.readouterr()
    assert "cause = 'Root Cause'" in said.err
    assert "left out table.csv:3: 'Summary' is empty" in said.err
    assert "left out table.csv:4: 'Created' is 'yesterday'" in said.err
    (one,) = kept(folder)
    assert (one.ref, one.origin, one.services) == ("P-1", "wiki", ("search", "storefront"))
    assert one.resolved is not None
    assert one.resolved.hour == 11


def test_json_rows_and_a_column_that_a_person_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"incidents": [{"id": 1, "what": "Auth down", "service": {"name": "auth"}}, "no object"]}
    (folder / "all.json").write_text(json.dumps(rows))
    assert tocsin(folder, "incidents", "import", str(folder / "all.json")) == 2
    assert "--map title=COLUMN" in capsys.readouterr().err
    assert tocsin(folder, "incidents", "import", str(folder / "all.json"), "--map", "title=what") == 1
    assert "left out all.json[1]: it is no JSON object" in capsys.readouterr().err
    assert [(p.ref, p.title, p.services) for p in kept(folder)] == [("1", "Auth down", ("auth",))]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["incidents", "import"], "Name files to import"),
        (["incidents", "import", "nowhere.csv"], "There is no nowhere.csv"),
        (["incidents", "import", "--from", "trello"], "there are github, jira, pagerduty, and files"),
        (["incidents", "import", "--from", "jira"], "docs/connectors/jira.md"),
        (["incidents", "import", "x.md", "--map", "cause"], "FIELD=COLUMN"),
        (["links", "remove", "abc"], "tocsin links list"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(
    folder: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tocsin(folder, *words) == 2
    assert why in capsys.readouterr().err


def test_a_tool_is_read_from_two_weeks_before_the_last_import_because_some_were_still_open_then(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "project = OPS AND issuetype in (Incident, Outage) AND statusCategory = Done AND component = payments"
    with a_vendor() as vendor:
        toml = f'[connectors.jira]\nurl = "{vendor.url}"\ntoken = "t"\nuser = "bot@example.com"\n'
        (folder / "tocsin.toml").write_text(toml)
        issue = {
            "key": "OPS-7",
            "fields": {"summary": "Slow", "created": "2026-11-03T10:00:00Z", "description": "## Cause\nA lock"},
        }
        vendor.says("GET /rest/api/3/search/jql", {"issues": [issue]})
        for _ in range(2):
            assert tocsin(folder, "incidents", "import", "--from", "jira", "--query", long) == 0
        first, second = (asked.query["jql"][0] for asked in vendor.asked)
    assert first.startswith(f"({long}) AND created >= ")
    since = datetime.strptime(second.split('"')[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    assert timedelta(days=13, hours=23) < datetime.now(UTC) - since < timedelta(days=14, hours=1)
    assert [(p.ref, p.cause) for p in kept(folder)] == [("OPS-7", "A lock")]
    assert "1 past incident kept" in capsys.readouterr().out
    assert all(len(name) <= 64 for name in switches(folder))  # what PostgreSQL has room for


def test_the_first_import_makes_the_database_and_a_running_bot_hears_of_it(folder: Path) -> None:
    (folder / ".tocsin" / "tocsin.db").unlink()
    (folder / ".tocsin").rmdir()
    assert tocsin(folder, "incidents", "import", str(folder / "post"), "--dry-run") == 0
    assert not (folder / ".tocsin").exists()
    assert tocsin(folder, "incidents", "import", str(folder / "post")) == 0
    first = switches(folder)[MARK]
    assert tocsin(folder, "incidents", "import", str(folder / "post")) == 0
    assert switches(folder)[MARK] != first
    assert [p.ref for p in kept(folder)] == ["2026/storm.md"]


def test_what_was_imported_is_knowledge_marked_with_its_origin(folder: Path) -> None:
    tocsin(folder, "incidents", "import", str(folder / "post"))
    db = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db")
    db.open(beside=True)
    (document,) = db.read_now(lambda tx: confirmed_incidents(tx, Stores()))
    db.close()
    assert document.id == "incident:files:2026/storm.md"
    assert not document.trusted
    assert (document.facts["origin"], document.facts["took"]) == ("files", "42 min")


def test_links_are_listed_and_taken_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, stores = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db"), Stores()
    db.open(beside=True)
    link = Judgement(Subject("slow", "payments", "Slow"), "runbook:a.md", Opinion.LINKED, "U1", NOON, "i1")
    db.write_now(lambda tx: stores.suggestions.say(tx, link))
    db.close()
    assert tocsin(folder, "links", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["problem"], row["service"], row["document"], row["by"]) == ("Slow", "payments", "runbook:a.md", ["U1"])
    assert tocsin(folder, "links", "remove", row["reference"]) == 0
    assert tocsin(folder, "links", "list") == 0
    assert "Nobody has linked" in capsys.readouterr().out
