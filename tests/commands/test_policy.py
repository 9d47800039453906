"""tocsin policy explain: the rules as a person reads them, with and without a database."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.lock import Lock
from bot.settings import load_settings
from bot.storage.database import SqlDatabase
from bot.storage.locks import SqlLockStore
from tests.fakes import NOON

SERVICES = "services:\n  - {name: checkout, tier: 1, deployer: shop, environments: [production, staging]}\n"
POLICIES = """\
groups: {developers: [U1], approvers: [U2, "@crew"]}
rules:
  - {name: playground, environments: [staging], request: [anyone], approve: [anyone]}
  - {name: production, environments: [production], request: [developers], approve: [approvers], approvals_by_risk: {high: 2}}
freezes:
  - {name: weekend, weekly: ["fri 16:00 - mon 08:00"], environments: [production]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("services.yaml", SERVICES), ("policies.yaml", POLICIES), ("routing.yaml", 'default: {channel: "#i"}\n')):
        (tmp_path / name).write_text(text)
    (tmp_path / "tocsin.toml").write_text(f'data_dir = "{tmp_path}/data"\n')
    return tmp_path


def explain(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), "policy", "explain", "--service", "checkout", *words])


def test_every_rule_is_told_with_why_it_decides_or_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(folder, "--who", "U1", "--do", "deploy", "--at", "2026-11-18T12:00:00Z") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[:3] == [
        "deploy of checkout in production, at 2026-11-18 12:00 UTC",
        "1. playground: no, it is about staging",
        "2. production: decides",
    ]
    assert "   may approve: approvers (U2, @crew)" in lines
    assert "   approvals: 1 (high risk: 2); whoever asked may not approve" in lines
    assert "freeze weekend: no, it is not on now" in lines
    assert 'U1 asks: yes, developers may ask for production deploys (rule "production").' in lines
    assert "no database" in said.err


def test_a_freeze_a_user_group_and_a_lock_are_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = SqlDatabase(load_settings(folder).database)
    db.open()
    lock = Lock("checkout", "production", "U2", "moving", NOON, NOON + timedelta(days=2))
    db.write_now(lambda tx: SqlLockStore().put(tx, None, lock))
    db.close()
    assert explain(folder, "--who", "U9", "--do", "deploy", "--at", f"{NOON:%Y-%m-%dT%H:%M:%SZ}", "--groups", "@crew") == 0
    out = capsys.readouterr().out
    assert "lock of checkout: checkout is locked by U2: moving: stands until" in out
    assert "freeze weekend: Production deploys are frozen: stands until 2026-11-23 08:00 UTC; nobody may override it" in out
    assert "U9 asks: no, Only developers may ask for production deploys" in out
    assert "U9 approves what another asked for: no, checkout is locked by U2: moving" in out


@pytest.mark.parametrize(
    ("words", "told"), [(("--at", "noon"), "is no ISO time"), (("--service", "chekout"), "did you mean checkout")]
)
def test_what_cannot_be_read_is_said(folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    assert explain(folder, "--who", "U1", "--do", "deploy", *words) == 2
    assert told in capsys.readouterr().err
