"""`tocsin audit`: what it says of a chain that was touched, and exports that anybody can check without the bot."""

import csv
import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, delete, update

from bot.actions.exporting import LINES, STORIES, read_lines, safe, unsafe, write_rows
from bot.cli import main
from bot.domain.audit import AuditLine, Check, Head, Wrong, read_head
from bot.errors import NotFound
from bot.ports import Transaction
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase, sql
from bot.storage.incidents import SqlIncidentStore
from bot.storage.ledger import SqlLedger, actors, contents, lines
from tests.executor.room import an_action
from tests.fakes import NOON, an_incident

LEDGER = SqlLedger(salt=lambda: "5a17")
HOSTILE = '=cmd|"/c calc"!A1\n+1'
PLAN = '{"commits":["abc1234 ines: retry"],"current_version":"v43","hash":"p1","risk":"low","target_version":"v42"}'
ROLLBACK = {"kind": "rollback", "service": "payments", "environment": "production", "target": "v42", "plan": "p1"}
Edit = Callable[[Transaction], object]


@pytest.fixture(autouse=True)
def _no_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[SqlDatabase]:
    """The database of an installation with seven lines of audit: one action, one incident."""
    (tmp_path / ".tocsin").mkdir()
    database = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db")
    database.open()

    def fill(tx: Transaction) -> None:
        told = (
            ("U0ONCALL", "requested", "a1", {**ROLLBACK, "shown": PLAN, "reason": HOSTILE, "rule": "production"}),
            (HOSTILE, "acknowledged", "i1", {"incident": "INC-42"}),
            ("U0APPROVER", "approved", "a1", {**ROLLBACK, "note": "go"}),
            ("tocsin", "executing", "a1", ROLLBACK),
            ("tocsin", "verifying", "a1", {**ROLLBACK, "run": "run-7", "link": "https://ci.example/7"}),
            ("tocsin", "succeeded", "a1", {**ROLLBACK, "run": "run-7", "outcome": "Verified: v42 runs."}),
            ("U0ONCALL", "resolved", "i1", {"why": "over"}),
        )
        for n, (actor, deed, subject, detail) in enumerate(told):
            LEDGER.append(tx, NOON + timedelta(hours=n), actor, deed, subject, detail)

    database.write_now(fill)
    yield database
    database.close()


def audit(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), "audit", *words])


def hash_of(database: SqlDatabase, seq: int) -> str:
    return database.read_now(lambda tx: next(LEDGER.lines(tx, seq, seq))).hash


def cut(*seqs: int) -> Edit:
    return lambda tx: [sql(tx).execute(delete(t).where(t.c.seq.in_(seqs))) for t in (contents, actors, lines)]


def changed(table: Table, seq: int, **values: str) -> Edit:
    return lambda tx: sql(tx).execute(update(table).where(table.c.seq == seq).values(values))


def test_a_whole_chain_is_said_with_the_head_to_compare(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = hash_of(running, 7)
    assert audit(tmp_path, "verify", "--head", f"7:{head[:12]}", "--head", f"3:{hash_of(running, 3)}") == 0
    said = capsys.readouterr().out
    assert "7 lines fit, 1 to 7" in said
    assert f"head 7:{head}" in said
    assert "It also fits 7:" in said


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (changed(lines, 3, deed="rejected"), "deed, the subject or the hash of line 3"),
        (changed(actors, 3, name="U0X"), "line 3 names somebody else"),
        (changed(contents, 1, detail="{}"), "what line 1 tells was changed"),
        (cut(4), "line 4 is missing"),
        (cut(1), "line 1 is missing"),
    ],
)
def test_the_first_line_that_does_not_fit_is_named_with_what_to_do(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Edit, sentence: str
) -> None:
    running.write_now(edit)
    assert audit(tmp_path, "verify") == 1
    said = capsys.readouterr().out
    assert sentence in said
    assert "What to do:" in said


def test_an_end_that_was_cut_off_shows_only_beside_a_head_that_was_kept_outside(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posted = f"7:{hash_of(running, 7)[:12]}"
    running.write_now(cut(6, 7))
    assert audit(tmp_path, "verify") == 0
    assert audit(tmp_path, "verify", "--head", posted) == 1
    assert "line 7 was there when its head was kept" in capsys.readouterr().out


def test_an_end_that_was_written_anew_shows_beside_the_head(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posted = f"7:{hash_of(running, 7)[:12]}"
    running.write_now(cut(6, 7))
    running.write_now(lambda tx: [LEDGER.append(tx, NOON, "U0X", "resolved", "i1", {}) for _ in range(3)])
    assert audit(tmp_path, "verify") == 0
    assert audit(tmp_path, "verify", "--head", posted) == 1
    assert "line 7 has another hash than the head that was kept" in capsys.readouterr().out


def test_a_head_is_read_as_it_is_posted_and_a_wrong_one_is_refused_with_a_good_one() -> None:
    assert read_head(" 120:3FA9C1D20B71 ") == Head(120, "3fa9c1d20b71")
    for wrong in ("120", "120:3fa9", "0:3fa9c1d20b71", "x:3fa9c1d20b71", "120:3fa9c1d20b7g", ""):
        with pytest.raises(ValueError, match="120:3fa9c1d20b71"):
            read_head(wrong)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_export_is_checked_without_the_database(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    running.write_now(lambda tx: sql(tx).execute(delete(actors).where(actors.c.name == "U0APPROVER")))
    head = hash_of(running, 7)
    file = tmp_path / f"audit.{form}"
    assert audit(tmp_path, "export", "--format", form, "--output", str(file)) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "elsewhere"
    assert audit(elsewhere, "verify", "--file", str(file), "--head", f"7:{head[:16]}") == 0
    assert "1 lines name nobody any more" in capsys.readouterr().out
    whole = file.read_text(encoding="utf-8")
    assert whole.count("U0ONCALL") == 2
    file.write_text(whole.replace('resolved"', 'reopened"'), encoding="utf-8")
    assert audit(elsewhere, "verify", "--file", str(file)) == 1
    assert "of line 7 was changed" in capsys.readouterr().out


def test_a_part_is_checked_as_a_part_and_single_lines_as_such(
    running: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part, one = tmp_path / "part.json", tmp_path / "one.json"
    hours = [(NOON + timedelta(hours=h)).isoformat() for h in (2, 5)]
    audit(tmp_path, "export", "--since", hours[0], "--until", hours[1], "--output", str(part))
    audit(tmp_path, "export", "--action", "a1", "--output", str(one))
    assert audit(tmp_path, "verify", "--file", str(part)) == 0
    said = capsys.readouterr().out
    assert "3 lines fit, 3 to 5" in said
    assert "must be that of line 2" in said
    assert audit(tmp_path, "verify", "--file", str(one)) == 1
    assert "line 2 is missing" in capsys.readouterr().out
    assert audit(tmp_path, "verify", "--picked", "--file", str(one)) == 0
    assert "that none is missing between them cannot be said" in capsys.readouterr().out


def test_an_export_needs_no_code_of_ours_to_be_checked(
    running: SqlDatabase, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The algorithm of docs/audit.md, written again from there."""
    audit(tmp_path, "export")
    previous = ""
    for text in capsysbinary.readouterr().out.decode().splitlines():
        row = json.loads(text)
        for part in ("actor", "detail"):
            assert hashlib.sha256(f"{row[part + '_salt']}\n{row[part]}".encode()).hexdigest() == row[part + "_digest"]
        facts = ["audit", row["seq"], row["at"], row["actor_digest"], row["deed"], row["subject"], row["detail_digest"], previous]
        packed = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
        assert row["previous"] == previous
        previous = hashlib.sha256(packed).hexdigest()
        assert row["hash"] == previous
    assert previous == hash_of(running, 7)


@pytest.mark.parametrize("flags", [(), ("--by-action",)])
def test_no_cell_of_a_csv_is_a_formula(
    running: SqlDatabase, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], flags: tuple[str, ...]
) -> None:
    audit(tmp_path, "export", "--format", "csv", *flags)
    rows = list(csv.reader(io.StringIO(capsysbinary.readouterr().out.decode(), newline="")))
    assert any(cell == "'" + HOSTILE for row in rows for cell in row)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


@pytest.mark.parametrize("text", ["=1", "'=1", "''x", "＝1", "@x", "-", "plain", "", "\tx"])
def test_a_cell_comes_back_as_it_was(text: str) -> None:
    assert unsafe(safe(text)) == text


def test_the_story_of_an_action_says_who_asked_what_was_shown_who_approved_what_ran_and_what_came_of_it(
    running: SqlDatabase, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    audit(tmp_path, "export", "--by-action")
    (row,) = [json.loads(text) for text in capsysbinary.readouterr().out.splitlines()]
    assert (row["id"], row["kind"], row["service"], row["environment"]) == ("a1", "rollback", "payments", "production")
    assert (row["asked_by"], row["reason"], row["rule"], row["plan"]) == ("U0ONCALL", HOSTILE, "production", "p1")
    assert (row["from_version"], row["to_version"], row["risk"]) == ("v43", "v42", "low")
    assert json.loads(row["shown"])["commits"] == ["abc1234 ines: retry"]
    assert (row["approved_by"], row["rejected_by"]) == (["U0APPROVER"], [])
    assert (row["run"], row["link"], row["ended_as"], row["outcome"]) == (
        "run-7",
        "https://ci.example/7",
        "succeeded",
        "Verified: v42 runs.",
    )
    assert (row["started_at"][:13], row["ended_at"][:13]) == ("2026-11-22T15", "2026-11-22T17")
    assert (row["first"], row["last"], len(row["steps"])) == (1, 6, 5)


def test_a_file_that_is_no_export_is_refused_by_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x"
    for content in (b"hello\nworld\n", b'{"seq": 1}\n', b"{}\n", b'{"seq"\n', b"\xff\xfe\x00\n", b"[1]\n"):
        file.write_bytes(content)
        assert audit(tmp_path, "verify", "--file", str(file)) == 2
        assert "no line of the audit" in capsys.readouterr().err
    assert audit(tmp_path, "verify", "--file", str(tmp_path / "none")) == 2
    assert audit(tmp_path, "export", "--output", str(file)) == 2


def test_a_line_without_end_is_not_read_whole() -> None:
    with pytest.raises(NotFound, match="longer than"):
        list(read_lines(io.BufferedReader(io.BytesIO(b"{" + b"x" * 4_100_000)), "big"))


def many(count: int) -> Iterator[AuditLine]:
    return (
        AuditLine(n, NOON, "noted", f"a{n}", "U1", "s", "d" * 64, "{}" + " " * 400, "s", "c" * 64, "e" * 64, "f" * 64)
        for n in range(1, count + 1)
    )


class Counting(io.RawIOBase):
    """A sink that keeps nothing."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, more: object) -> int:
        self.size += len(bytes(more))  # type: ignore[call-overload]  # a buffer
        return len(bytes(more))  # type: ignore[call-overload]  # as above


def test_a_large_audit_is_written_in_little_memory() -> None:
    sink = Counting()
    tracemalloc.start()
    with io.BufferedWriter(sink) as out:
        assert write_rows(out, LINES, many(6_000), "csv") == 6_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sink.size > 4_000_000
    assert peak < 1_000_000


async def test_lines_come_from_the_database_in_batches(running: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.chain.BATCH", 2)
    assert [line.seq for line in running.read_now(lambda tx: list(LEDGER.lines(tx)))] == [1, 2, 3, 4, 5, 6, 7]
    assert [line.seq for line in running.read_now(lambda tx: list(LEDGER.lines(tx, 3, 5)))] == [3, 4, 5]
    assert running.read_now(lambda tx: LEDGER.span(tx, NOON + timedelta(days=9))) == (1, 0)


def test_a_line_that_stands_twice_or_in_another_order_does_not_fit(running: SqlDatabase) -> None:
    every = running.read_now(lambda tx: list(LEDGER.lines(tx)))
    for order, wrong, seq in (([0, 0], Wrong.ORDER, 1), ([0, 2, 1], Wrong.MISSING, 2), ([2, 1], Wrong.ORDER, 2)):
        check = Check(part=True)
        found = [misfit for n in order if (misfit := check.next(every[n])) is not None]
        assert (found[0].wrong, found[0].seq) == (wrong, seq)


def test_stories_have_the_columns_that_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/audit.md").read_text(encoding="utf-8")
    for name in (*LINES.columns, *STORIES.columns):
        assert f"`{name}`" in text, name


def test_an_incident_is_exported_with_what_was_deployed_and_rolled_back_for_it(
    running: SqlDatabase, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    def keep(tx: Transaction) -> None:
        SqlIncidentStore().save(tx, an_incident(id="i1"))
        SqlActionStore().add(tx, an_action(incident_id="i1"))

    running.write_now(keep)
    assert audit(tmp_path, "export", "--action", "inc-42") == 0
    told = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [(one["seq"], one["subject"]) for one in told] == list(enumerate(["a1", "i1", "a1", "a1", "a1", "a1", "i1"], 1))
    assert audit(tmp_path, "export", "--action", "INC-42", "--by-action") == 0
    assert [json.loads(line)["id"] for line in capsysbinary.readouterr().out.splitlines()] == ["a1"]
