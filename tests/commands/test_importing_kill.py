"""kill -9 amid `tocsin incidents import`: the same command goes on, nothing is missing, nothing is there twice."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.past import PastIncident
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.connectors.vendor import a_vendor

pytestmark = [pytest.mark.slow, pytest.mark.promise]

ROOT = Path(__file__).parents[2]
# The real command, which is killed in its third transaction: the rows are written, the commit never comes.
MORTAL = """
import os, signal, sys
from bot.cli import main
from bot.storage.past import SqlPastStore

real, calls = SqlPastStore.keep, []

def keep(self, tx, incidents, at):
    real(self, tx, incidents, at)
    calls.append(len(incidents))
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

SqlPastStore.keep = keep
sys.exit(main(sys.argv[1:]))
"""


def killed(folder: Path, *words: str) -> bool:
    """Whether the command ended as it is meant to."""
    command = [sys.executable, "-c", MORTAL, "--config", str(folder), "incidents", "import", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False).returncode == -signal.SIGKILL


def again(folder: Path, *words: str) -> int:
    return main(["--config", str(folder), "incidents", "import", *words])


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOCSIN_DATABASE_URL", "TOCSIN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def kept(folder: Path) -> list[PastIncident]:
    db = SqlDatabase(f"sqlite:///{folder}/.tocsin/tocsin.db")
    db.open(beside=True)
    found = list(db.read_now(Stores().past.known))
    db.close()
    return found


def test_a_table_is_whole_after_the_second_try(tmp_path: Path) -> None:
    rows = [{"id": f"P-{n:03}", "title": f"Incident {n}", "cause": f"cause {n}"} for n in range(180)]
    (tmp_path / "all.json").write_text(json.dumps(rows))
    assert killed(tmp_path, str(tmp_path / "all.json"))
    assert [p.ref for p in kept(tmp_path)] == [f"P-{n:03}" for n in range(100)]
    assert again(tmp_path, str(tmp_path / "all.json")) == 0
    assert [(p.ref, p.cause) for p in kept(tmp_path)] == [(f"P-{n:03}", f"cause {n}") for n in range(180)]


def test_a_tool_is_read_on_from_the_last_incident_that_was_kept(tmp_path: Path) -> None:
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=300)
    issues = [
        {"number": n, "title": f"Incident {n}", "created_at": (began + timedelta(days=n)).isoformat(), "body": "## Cause\nA lock"}
        for n in range(180)
    ]
    with a_vendor() as vendor:
        toml = f'[connectors.github]\napi_url = "{vendor.url}"\ntoken = "t"\ntickets = "acme/ops"\n'
        (tmp_path / "tocsin.toml").write_text(toml)
        for page in (issues[:100], issues[100:], issues[99:]):
            vendor.says("GET /repos/acme/ops/issues", page)
        assert killed(tmp_path, "--from", "github")
        there = len(kept(tmp_path))
        assert there == 100
        assert again(tmp_path, "--from", "github") == 0
        resumed = vendor.asked[-1].query
    assert (resumed["since"], resumed["page"]) == ([issues[there - 1]["created_at"]], ["1"])
    assert sorted(p.ref for p in kept(tmp_path)) == sorted(f"acme/ops#{n}" for n in range(180))
