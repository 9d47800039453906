"""`tocsin delivery`: the figures in the terminal, as JSON, and as pictures."""

import json
from pathlib import Path

import pytest

from bot.cli import main
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.incidents.delivery.events import shipped


@pytest.fixture(autouse=True)
def _no_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with six deployments of payments, the last two of which are one of cart too."""
    (tmp_path / ".tocsin").mkdir()
    (tmp_path / "services.yaml").write_text("services:\n  - {name: payments}\n  - {name: cart}\n", encoding="utf-8")
    database = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db")
    database.open()
    both = ("payments", "cart")
    told = [shipped(f"v{n}", n, services=both if n > 4 else ("payments",)) for n in range(1, 7)]
    database.write_now(lambda tx: Stores().changes.save(tx, told))
    database.close()
    return tmp_path


def delivery(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), "delivery", "--since", "2026-11-01", "--until", "2026-11-29", *words])


def test_the_figures_are_said_by_service(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert delivery(folder) == 0
    said = capsys.readouterr().out
    assert said.startswith("2026-11-01 to 2026-11-29\nDeployment frequency: 1.5 a week (6 in 28 days)\n")
    assert "payments: 1.5 a week (6 in 28 days)" in said
    assert "cart: 2 in 28 days, too few to say" in said
    assert "Pages: nobody was paged" in said
    assert delivery(folder, "--service", "cart") == 0
    said = capsys.readouterr().out
    assert "2 in 28 days, too few to say" in said
    assert "payments" not in said


def test_the_figures_are_one_json_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert delivery(folder, "--json", "--no-commits") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total"]["deployments"] == 6
    assert [one["service"] for one in found["services"]] == ["payments", "cart"]
    assert found["total"]["lead"] == {"count": 0, "median": None}


def test_a_service_or_a_span_that_is_none_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert delivery(folder, "--service", "paymnets") == 2
    assert "There is no service 'paymnets'; did you mean payments?" in capsys.readouterr().err
    assert main(["--config", str(folder), "delivery", "--since", "2026-11-02", "--until", "2026-11-01"]) == 2


def test_the_pictures_are_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert delivery(folder, "--chart", str(folder / "charts")) == 0
    assert sorted(p.name for p in (folder / "charts").iterdir()) == ["delivery-history.png", "delivery-services.png"]
