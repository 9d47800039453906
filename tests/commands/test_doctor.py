"""`tocsin doctor`: what is set, what is missing and what to do about it, never a secret."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.durable.work import DurableWork
from bot.ports import Delivery, Sighting, Transaction
from bot.settings import load
from bot.storage.database import SqlDatabase, sql
from bot.storage.ledger import lines
from bot.wiring import Stores
from tests.connectors.vendor import a_vendor
from tests.e2e.house import SECRET, write_configuration
from tests.fakes import NOON, a_change, an_alert


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("os.environ", {"TOCSIN_ALERTMANAGER_SECRET": SECRET})
    write_configuration(tmp_path / "bot", tmp_path / "deployer.json", "")
    return tmp_path / "bot"


def test_each_part_says_ok_or_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(folder), "doctor"]) == 1
    said = capsys.readouterr().out
    lines = {line[4:18].strip(): line[:3].strip() for line in said.splitlines() if line[:3].strip() in ("ok", "NO")}
    assert lines["settings"] == lines["catalogue"] == lines["policies"] == lines["alertmanager"] == "ok"
    assert lines["slack"] == "NO"
    assert lines["connectors"] == "ok"
    assert "not set up: argocd, awx" in said
    assert "SLACK_BOT_TOKEN is not set; `tocsin workspace`" in said
    assert SECRET not in said


def test_a_wrong_rule_file_is_shown_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policies.yaml").write_text("groups: {a: [U0ONCALL]}\nrules:\n  - {name: x, aktions: [deploy]}\n")
    assert main(["--config", str(folder), "doctor"]) == 1
    said = capsys.readouterr().out
    assert "policies.yaml:3" in said
    assert "aktions" in said


def test_the_record_is_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--config", str(folder), "doctor"])
    assert "ok  record         no database yet; the first start makes it" in capsys.readouterr().out
    settings = load({}, folder)
    settings.data.mkdir(parents=True)
    database, stores = SqlDatabase(settings.database), Stores()
    database.open()
    database.write_now(lambda tx: stores.ledger.append(tx, NOON, "U1", "resolved", "i1", {}))
    main(["--config", str(folder), "doctor"])
    assert "ok  record         audit: 1 lines fit, head " in capsys.readouterr().out
    database.write_now(lambda tx: sql(tx).execute(lines.update().values(deed="approved")))
    main(["--config", str(folder), "doctor"])
    assert "NO  record         audit: line 1 of 1 does not fit" in capsys.readouterr().out
    database.close()


def test_everything_is_also_one_json_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(folder), "doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    subjects = {f["subject"]: f["ok"] for f in said["findings"]}
    assert (said["ok"], subjects["settings"], subjects["slack"], subjects["model"]) == (False, True, False, True)


def test_it_works_without_anything_configured_and_every_row_says_what_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.environ", {"TOCSIN_KNOWLEDGE_EMBEDDER": "none"})
    assert main(["--config", str(tmp_path), "doctor"]) == 1
    said = capsys.readouterr().out
    assert "There is no database at" in said
    assert "Start the server once" in said
    assert "not set up: alertmanager, " in said


def test_what_could_not_be_done_for_want_of_credentials_is_said_before_it_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = 'escalations: {standard: {SEV1: [{after: 5m, to: "opsgenie:shop"}]}}'
    (folder / "routing.yaml").write_text(f'default: {{channel: "#incidents", on_call_from: pagerduty}}\n{plan}\n')
    with (folder / "tocsin.toml").open("a") as file:
        file.write("\n[connectors.cloudwatch]\n[connectors.cloudformation]\n[connectors.travis]\n")
    main(["--config", str(folder), "doctor"])
    said = capsys.readouterr().out
    assert "NO  routing        routing.yaml: opsgenie:shop cannot page: the credentials of opsgenie are not set" in said
    assert "NO  routing        routing.yaml: pagerduty cannot be asked who is on call" in said
    assert 'NO  cloudwatch     all are refused until it is set: No secret: topics = ["arn:aws:sns:' in said
    assert "NO  cloudformation all are refused until it is set: no secret: topics are the ARNs" in said
    assert "NO  travis         all are refused until it is set: TOCSIN_TRAVIS_PUBLIC_KEY_FILE" in said


def test_what_came_and_what_never_came_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load({}, folder)
    settings.data.mkdir(parents=True)
    database, stores, now = SqlDatabase(settings.database), Stores(), datetime.now(UTC)
    database.open()

    def go(tx: Transaction) -> None:
        stores.changes.save(tx, [a_change(at=now - timedelta(days=2))])
        stores.alerts.seen(tx, [Sighting(an_alert(started_at=now), "f", "i", "new", "x")])
        DurableWork().start(tx, "slack", "refresh", "late", {})

    database.write_now(go)
    came = Delivery("alertmanager", {}, b"{}", now - timedelta(hours=3))
    database.keep_now(lambda tx: stores.inbox.add(tx, [(came, "d1")]))
    database.close()
    main(["--config", str(folder), "doctor"])
    said = capsys.readouterr().out
    assert "ok  database" in said
    assert "ok  alertmanager   webhooks are let in; the last one came 3 h ago" in said
    assert "NO  deployments    no deployment events in 30 days for 1 of 2 services (checkout)" in said
    assert "NO  alerts         no alerts in 30 days for 1 of 2 services (checkout)" in said
    assert "ok  work           nothing was given up" in said


def test_each_source_of_evidence_is_asked_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with a_vendor() as vendor:
        vendor.says("GET /loki/api/v1/query_range", {"message": "no"}, status=403)
        with (folder / "tocsin.toml").open("a") as file:
            file.write(f'\n[connectors.loki]\nurl = "{vendor.url}"\ntoken = "s3cret-of-it"\n')
            file.write('[connectors.prometheus]\nurl = "http://127.0.0.1:1"\n')
        main(["--config", str(folder), "doctor"])
        assert vendor.asked
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if line[4:18].strip() == "evidence"]
    assert any(row.startswith("NO") and "loki cannot be asked" in row and "403" in row for row in rows), rows
    assert any(row.startswith("NO") and "prometheus cannot be asked" in row and "cannot be reached" in row for row in rows), rows
    assert "s3cret-of-it" not in said
