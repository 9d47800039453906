"""tocsin diagnose: the kept diagnosis beside a running bot, and the weights that were learned."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.learning import Learned, Weights
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.commands.test_incidents import DIAGNOSIS
from tests.fakes import NOON, an_incident


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An installation with an incident that was looked into, one that was not, and one attempt to learn."""
    path = tmp_path_factory.mktemp("installed")
    (path / ".tocsin").mkdir()
    db, stores = SqlDatabase(f"sqlite:///{path}/.tocsin/tocsin.db"), Stores()
    db.open()

    def fill(tx: Transaction) -> None:
        stores.incidents.save(tx, an_incident(version=0, id="i1", number=42))
        stores.incidents.save(tx, an_incident(version=0, id="i2", number=43))
        stores.diagnoses.save(tx, "i1", DIAGNOSIS)
        stores.weights.keep(tx, Learned(1, NOON, Weights("w1", {"cache": 0.5}), 40, True, "gains 15"))

    db.write_now(fill)
    db.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TOCSIN_DATABASE_URL", raising=False)
        patch.delenv("TOCSIN_DATA_DIR", raising=False)
        yield path


def tocsin(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), *words])


@pytest.mark.parametrize("name", ["inc-42", "INC-42", "i1"])
def test_one_diagnosis_is_told_by_its_key_or_id(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert tocsin(folder, "diagnose", name) == 0
    said = capsys.readouterr().out
    assert "convicted, strong" in said
    assert "retries 2 → 10 [E2]" in said


def test_explain_shows_every_score_and_json_is_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "diagnose", "INC-42", "--explain") == 0
    said = capsys.readouterr().out
    assert "no path to payments" in said
    assert "\x1b" not in said
    assert tocsin(folder, "diagnose", "INC-42", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["incident"]["key"], told["diagnosis"]["verdict"]) == ("INC-42", "convicted")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["INC-43"], "was not looked into yet"),
        (["INC-99"], "There is no INC-99"),
        (["INC-42", "--reset"], "go with `tocsin diagnose weights`"),
        (["weights", "--use", "w9"], "There is no version w9"),
        (["weights", "--use", "best"], "no version of weights"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], what: str
) -> None:
    assert tocsin(folder, "diagnose", *words) == 2
    assert what in capsys.readouterr().err


def test_weights_are_shown_reset_and_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin(folder, "diagnose", "weights") == 0
    assert "in force: w1" in capsys.readouterr().out
    assert tocsin(folder, "diagnose", "weights", "--reset") == 0
    assert "as shipped. 0 confirmed" in capsys.readouterr().out
    assert tocsin(folder, "diagnose", "weights", "--use", "w1") == 0
    assert "w1" in (said := capsys.readouterr().out)
    assert "chosen by a person" in said
    assert tocsin(folder, "diagnose", "weights", "--history") == 0
    assert "gains 15" in capsys.readouterr().out
    assert tocsin(folder, "diagnose", "weights", "--json") == 0
    assert json.loads(capsys.readouterr().out)["current"]["pinned"] is True
