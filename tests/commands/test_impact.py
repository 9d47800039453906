"""tocsin topology and tocsin impact, on a folder with a catalogue, a runbook, a database and a clone."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.cli import main
from bot.commands.topology import findings, line
from bot.domain.past import PastIncident
from bot.domain.service import Catalogue, Service
from bot.domain.topology import EdgeOrigin, KnownCall, SeenCall
from bot.settings import Settings, TopologySettings
from bot.storage.database import SqlDatabase
from bot.storage.past import SqlPastStore
from bot.storage.topology import SqlTopologyStore

SERVICES = """
services:
  - {name: web, tier: 1, depends_on: [checkout]}
  - {name: checkout, tier: 2}
  - {name: payments, repository: acme/shop, paths: [payments]}
"""


def git(folder: Path, *words: str) -> None:
    own = ("-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *own, "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """services.yaml, settings without vectors, and a database in which checkout was seen calling payments."""
    (tmp_path / "services.yaml").write_text(SERVICES)
    (tmp_path / "tocsin.toml").write_text('[knowledge]\nembedder = "none"\nrunbooks = []\n')
    (tmp_path / ".tocsin").mkdir()
    db = SqlDatabase(f"sqlite:///{tmp_path / '.tocsin' / 'tocsin.db'}")
    db.open()
    now = datetime.now(UTC)
    seen = [
        SeenCall("checkout", "payments", 4.0, 1.0, 20.0),
        SeenCall("payments", "bank.example", 1.0, external=True),
        SeenCall("app", "web"),
    ]
    db.write_now(lambda tx: SqlTopologyStore().saw(tx, "otlp", seen, now))
    past = PastIncident(
        "OPS-7", "Provider overloaded", "jira", services=("payments",), cause="max_retries in client.yaml was far too high"
    )
    db.write_now(lambda tx: SqlPastStore().keep(tx, [past], now))
    db.close()
    return tmp_path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose last commit raises the retries of payments."""
    folder = tmp_path / "shop"
    (folder / "payments").mkdir(parents=True)
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", "https://github.com/acme/shop.git")
    for retries in (2, 8):
        (folder / "payments" / "client.yaml").write_text(f"provider:\n  max_retries: {retries}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"{retries} retries")
    return folder


def test_the_graph_is_shown_with_who_says_so(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", str(installation)]
    assert main([*config, "topology", "show"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "app → web  -  otlp 0 min ago",
        "checkout → payments  4/s, 25% errors, 20 ms  otlp 0 min ago",
        "payments → bank.example (outside)  1/s  otlp 0 min ago",
        "web → checkout  -  catalogue, never seen",
    ]
    assert main([*config, "topology", "show", "Checkout", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["learned"] == "diagnosis"
    assert [(e["caller"], e["callee"]) for e in told["edges"]] == [("checkout", "payments"), ("web", "checkout")]
    assert main([*config, "topology", "show", "nobody"]) == 2
    assert "`tocsin topology show` lists" in capsys.readouterr().err
    assert main([*config, "topology", "unknown"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "app  calls web  otlp 0 min ago",
        "bank.example (outside)  called by payments  otlp 0 min ago",
    ]


def test_the_impact_of_a_range_is_told_with_callers_the_same_knob_and_missing_runbooks(
    installation: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(installation), "impact", "--repo", str(clone), "--range", "HEAD~1..HEAD"]
    assert main(words) == 0
    head, *rest = capsys.readouterr().out.splitlines()
    assert head.startswith("same knob as jira:OPS-7; 2 services within two hops, 1 of tier 1; no runbook for payments ")
    assert "  1 hop away: checkout (tier 2, seen only)" in rest
    assert "  2 hops away: web (tier 1, seen only)" in rest
    assert any("max_retries 2 → 8" in line for line in rest)
    assert main([*words, "--json", "--hops", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["services"] == ["payments"]
    assert [d["name"] for d in told["reach"]["dependants"]] == ["checkout"]
    assert told["same"][0]["incident"] == "jira:OPS-7"


@pytest.mark.parametrize(
    ("given", "said"), [("HEAD", "is no range"), ("nowhere..HEAD", "knows no commit 'nowhere'"), ("--x..HEAD", "")]
)
def test_a_range_that_is_none_is_said(
    given: str, said: str, installation: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(installation), "impact", "--repo", str(clone), f"--range={given}"]) == 2
    assert said in capsys.readouterr().err


def test_doctor_says_how_the_graph_is_known_and_who_is_missing_from_the_catalogue() -> None:
    catalogue, now = Catalogue({"web": Service("web", depends_on=("cart",)), "cart": Service("cart")}), datetime.now(UTC)
    known = [KnownCall("app", "web", "otlp", now, now), KnownCall("web", "pg", "otlp", now, now, external=True)]
    settings = Settings(topology=TopologySettings(otlp_port=4318))
    graph, strangers, spans = findings(settings, catalogue, known, 0)
    assert graph.text == "3 edges: 1 declared, 2 seen; those nobody declared are used for: diagnosis"
    assert (strangers.ok, strangers.text) == (
        False, "seen and not in services.yaml: app; see `tocsin topology unknown`",
    )  # fmt: skip
    assert (spans.ok, "TOCSIN_TOPOLOGY_OTLP_TOKEN" in spans.text) == (False, True)
    (silent,) = findings(Settings(), catalogue, (), 0)
    assert silent.text.endswith("nothing tells who calls whom: configure Prometheus, Jaeger, Kubernetes or [topology] otlp_port")


def test_names_that_were_seen_do_no_harm_to_a_terminal() -> None:
    edge = EdgeOrigin("evil\x1b[2J\u202e", "payments", {"otlp": datetime.now(UTC)}, external=False)
    assert line(edge, datetime.now(UTC)).startswith("evil[2J → payments  ")
