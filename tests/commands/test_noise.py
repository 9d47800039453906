"""tocsin noise works beside a running bot."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.alert import Severity
from bot.domain.noise import Decision, Kind
from bot.storage.database import SqlDatabase
from bot.storage.noise import SqlNoiseStore

MARK = "00ff00ff00ff00ff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configured folder whose database knows one decision."""
    (tmp_path / "tocsin.toml").write_text("")
    database = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db")
    database.open()
    at = datetime.now(UTC) - timedelta(hours=1)
    made = Decision(
        "d1",
        at,
        MARK,
        "DiskSlow",
        "blog",
        "production",
        "team-web",
        Severity.SEV3,
        Kind.TRANSIENTS,
        acted=False,
        reason="it clears",
    )
    database.write_now(lambda tx: SqlNoiseStore().decide(tx, [made]))
    database.close()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    """What the command printed, or its complaint."""
    main(["--config", str(folder), "noise", *words])
    out, err = capsys.readouterr()
    return out or err


def test_what_was_decided_is_listed_searched_and_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"{MARK} DiskSlow on blog (production, SEV3): would have held, transients: it clears"
    assert line in said(capsys, folder, "list")
    assert line in said(capsys, folder, "explain", MARK)
    assert said(capsys, folder, "list", "--search", "payments") == "Nothing was held, and nothing would have been.\n"
    assert said(capsys, folder, "list", "--since", "30m") == "Nothing was held, and nothing would have been.\n"
    assert "is not a span of time" in said(capsys, folder, "list", "--since", "soon")
    assert "No problem with 'x' as an alert has been seen yet" in said(capsys, folder, "explain", "x")


def test_a_kind_is_armed_for_a_team_and_the_status_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "team-web: transients (in shadow): would have held 1" in said(capsys, folder, "status")
    assert said(capsys, folder, "arm", "transients", "--team", "team-web") == "transients act for team-web from now on.\n"
    assert "team-web: transients (armed)" in said(capsys, folder, "status")
    said(capsys, folder, "arm", "storms", "--team", "all")
    assert "armed for every team: storms" in said(capsys, folder, "status")
    assert "only tell" in said(capsys, folder, "disarm", "transients", "--team", "team-web")
    assert "cannot be armed" in said(capsys, folder, "arm", "silence", "--team", "all")


def test_a_silence_is_made_listed_and_ended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = said(capsys, folder, "silence", "service=blog", "pod=~web-.*", "--for", "2h", "--reason", "moving disks")
    assert made.startswith('SIL-1 silence service="blog", pod=~"web-.*" for 2 h more, by ')
    assert "moving disks (critical alerts still come through)" in made
    assert "SIL-1" in said(capsys, folder, "silences")
    assert said(capsys, folder, "unsilence", "SIL-1") == "SIL-1 has ended.\n"
    assert said(capsys, folder, "silences") == "Nothing is silenced by matchers.\n"
    assert "no silence SIL-1 in force" in said(capsys, folder, "unsilence", "SIL-1")


def test_what_was_learned_is_forgotten_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, folder, "reset") == "Forgot what was learned of 0 problems.\n"
