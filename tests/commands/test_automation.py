"""tocsin automation explain and what the doctor says of typed steps, on a folder with a page and a database."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli import main
from bot.commands.automation import findings
from bot.commands.examination import Finding
from bot.ports import Transaction
from bot.settings import load_settings
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.actions.estate import RULES
from tests.fakes import an_incident
from tests.flows.automating.estate import AUTOMATIC, LABEL, PAGE, convicted, page, rules

SERVICES = "services:\n  - {name: payments, tier: 1, deployer: shop}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runbooks" / "payments").mkdir(parents=True)
    (tmp_path / "runbooks" / "payments" / "errors.md").write_text(PAGE)
    for name, text in (("services", SERVICES), ("policies", RULES + AUTOMATIC), ("routing", 'default: {channel: "#i"}\n')):
        (tmp_path / f"{name}.yaml").write_text(text)
    settings = f'data_dir = "{tmp_path}/data"\n[knowledge]\nembedder = "none"\nrunbooks = ["runbooks"]\n'
    (tmp_path / "tocsin.toml").write_text(settings)
    return tmp_path


def explain(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), "automation", "explain", *words])


def with_an_incident(folder: Path) -> None:
    db = SqlDatabase(load_settings(folder).database)
    db.open()

    def keep(tx: Transaction) -> None:
        stores = Stores()
        stores.incidents.save(tx, an_incident())
        stores.diagnoses.save(tx, an_incident().id, convicted())

    db.write_now(keep)
    db.close()


def test_each_condition_that_is_missing_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_an_incident(folder)
    assert explain(folder, "--incident", "INC-42", "--step", LABEL) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{LABEL}: rollback of the convicted service to previous, when HighErrorRate",
        f"INC-42, {LABEL}: roll back payments to the version before, page found: same alert name",
        '   wanted: automatic (entry "by itself" of automation.degrees); holds: suggest',
        '   not one click: one press: rule "production" has neither one_click nor self_approval',
        "   not automatic: confirmed: confirmed by 0 of 3 incidents on payments",
    ]


def test_what_does_not_fit_says_why_and_an_unknown_step_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_an_incident(folder)
    other = PAGE.replace("service: the convicted service", "service: checkout")
    (folder / "runbooks" / "payments" / "errors.md").write_text(other)
    assert explain(folder, "--incident", "inc-42") == 0
    assert f"INC-42, {LABEL}: does not fit, it is about checkout, which INC-42 does not concern" in capsys.readouterr().out
    shutil.rmtree(folder / "runbooks" / "payments")
    assert explain(folder) == 0
    assert capsys.readouterr().out == "No trusted runbook has a typed step; see docs/automation.md.\n"
    assert explain(folder, "--step", LABEL) != 0
    assert "No trusted runbook has the step" in capsys.readouterr().err


def test_the_doctor_tells_what_counts_for_nothing_and_what_policies_name_in_vain() -> None:
    policies = rules()
    assert list(findings([page()], policies)) == [Finding("automation", True, "1 typed step in trusted runbooks")]
    wrong = page(PAGE.replace("kind: rollback", "kind: restart"))
    told = list(findings([wrong, replace(page(), id="w", source="wiki")], policies))
    assert [f.ok for f in told] == [False, False, False]
    assert told[0].text.startswith("actions that count for nothing: runbooks/payments/errors.md:7: actions[0].kind")
    assert told[1].text.endswith("automation.sources of policies.yaml does not name the source wiki")
    assert told[2].text == f"policies.yaml names the step {LABEL}, which no trusted runbook has"
