"""tocsin plan: the plan of a deploy or rollback in a terminal, with and without a database; nothing is kept."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.lock import Lock
from bot.settings import load_settings
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.fakes import an_incident

SERVICES = """\
services:
  - {name: checkout, tier: 1, deployer: shop, environments: [production, staging], depends_on: [payments]}
  - {name: payments, deployer: shop}
"""
POLICIES = """\
groups: {developers: [U1]}
rules:
  - {name: production, environments: [production], request: [developers], approve: [developers], required_checks: [unit]}
"""
TOOL = """\
#!/bin/sh
case "$1" in
current) echo '{"version": "v44", "commit": "aaaaaaa1"}' ;;
versions) echo '[{"version": "v44", "healthy": true}, {"version": "v43", "commit": "bbbbbbb1", "healthy": true}]' ;;
plan) printf 'image: v44 -> %s\\npassword=hunter2hunter2\\n' "$2" ;;
*) echo touched >> "$0.log" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tool = tmp_path / "tool"
    tool.write_text(TOOL)
    tool.chmod(0o755)
    for name, text in (("services.yaml", SERVICES), ("policies.yaml", POLICIES), ("routing.yaml", 'default: {channel: "#i"}\n')):
        (tmp_path / name).write_text(text)
    place = ["{service}", "{environment}"]
    more = {"start": ["{version}", "{key}"], "status": ["{key}"]}
    words = {verb: [str(tool), verb, *place, *more.get(verb, ())] for verb in ("current", "versions", "start", "status")}
    lists = "\n".join(f"{verb} = {json.dumps(one)}" for verb, one in words.items())
    rehearse = json.dumps([str(tool), "plan", "{version}", *place])
    (tmp_path / "tocsin.toml").write_text(
        f'data_dir = "{tmp_path}/data"\n[deployers.shop]\nkind = "command"\n{lists}\nplan = {rehearse}\n'
    )
    return tmp_path


def test_the_plan_of_a_rollback_is_told_whole_and_nothing_is_touched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(folder), "plan", "rollback", "checkout"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[:4] == [
        "rollback of checkout in production",
        "  v44 (aaaaaaa) -> v43 (bbbbbbb)",
        "  risk: low",
        "    v43 ran here before and was healthy",
    ]
    assert "    image: v44 -> v43" in lines
    assert "hunter2" not in said.out
    assert "no bot has run here yet" in said.err
    assert not (folder / "tool.log").exists()


def test_a_deploy_is_told_with_what_stands_in_its_way_and_what_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, stores = SqlDatabase(load_settings(folder).database), Stores()
    db.open()
    now = datetime.now(UTC)
    lock = Lock("checkout", "production", "U2", "moving the ledger", now, now + timedelta(days=2))
    db.write_now(lambda tx: stores.locks.put(tx, None, lock))
    db.write_now(lambda tx: stores.incidents.save(tx, an_incident(service="payments", members=())))
    db.close()
    assert main(["--config", str(folder), "plan", "deploy", "checkout", "v45", "production", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["service"], told["target_version"], told["risk"]) == ("checkout", "v45", "medium")
    assert told["barriers"][0].startswith("checkout is locked by U2: moving the ledger, until ")
    assert told["barriers"][1].startswith("Required checks are not green: unit is not known to have passed; developers may")
    assert told["nearby"] == ["INC-42 (SEV2) is open on payments, which checkout calls: payments answers with errors"]
    db = SqlDatabase(load_settings(folder).database)
    db.open(beside=True)
    assert db.read_now(stores.actions.unfinished) == ()
    assert db.read_now(lambda tx: stores.ledger.entries(tx)) == ()
    db.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy", "checkout"], "A good example: tocsin plan deploy checkout v45"),
        (["deploy", "checkout", "v1;rm"], "cannot be a version"),
        (["rollback", "checkout", "staging", "moon", "more"], "A good example"),
        (["deploy", "checkout", "v45", "moon"], "no environment 'moon'"),
        (["deploy", "chekout", "v45"], "checkout"),
        (["deploy", "checkout", "v44"], "runs in production already"),
    ],
)
def test_what_cannot_be_planned_is_said(folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(folder), "plan", *words]) == 2
    assert said in capsys.readouterr().err


def test_where_no_rule_speaks_the_plan_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(folder), "plan", "rollback", "checkout", "staging"]) == 0
    assert "stands in the way: No rule of policies.yaml allows staging rollbacks of checkout" in capsys.readouterr().out
