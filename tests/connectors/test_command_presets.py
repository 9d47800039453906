"""Helm and Terraform through the presets of `command`, with stub executables: the argument lists, what is read, once per key."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import BadSettings, NotFound, Unavailable
from bot.ports import Deployer, Order, Rehearsal, RunState
from connectors.command import CONNECTOR
from connectors.command.presets import PRESETS, with_preset

STUB = Path(__file__).parent / "stub_tool.py"
CHART = Order("payments", "production", "1.5.0", "key-1")
TAG = Order("payments", "production", "payments-v42", "key-1")
FILL = {"helm": {"chart": "oci://registry.example/charts/{service}"}, "terraform": {"folder": "/srv/{environment}/{service}"}}


def deployer(folder: Path, preset: str, **more: object) -> Deployer:
    program = folder / preset
    words = shlex.join([sys.executable, "-S", str(STUB), preset, str(folder)])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    assert CONNECTOR.deployer is not None
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    return CONNECTOR.deployer({"preset": preset, "fill": FILL[preset], "environment": path, **more})


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def test_helm_tells_what_runs_and_what_ran(tmp_path: Path) -> None:
    shop = deployer(tmp_path, "helm")
    now = await shop.current("payments", "production")
    assert (now.version, now.healthy) == ("1.4.1", True)
    told = await shop.versions("payments", "production")
    assert [(v.version, v.healthy) for v in told] == [("1.4.1", True), ("1.5.0-rc.1", False), ("1.4.0", None)]
    assert lines(tmp_path / "calls.log")[0] == "history payments --namespace production --max 50 --output json"
    assert await shop.check() == ()


async def test_helm_upgrades_once_per_key_and_the_label_tells_what_became_of_it(tmp_path: Path) -> None:
    shop = deployer(tmp_path, "helm")
    assert (await shop.status(CHART)).state is RunState.UNKNOWN
    assert (await shop.start(CHART)).state is RunState.SUCCEEDED
    assert (await shop.status(CHART)).id == "revision 4"
    assert (await shop.start(CHART)).state is RunState.SUCCEEDED
    assert (await shop.current("payments", "production")).version == "1.5.0"
    assert lines(tmp_path / "runs.log") == ["tocsin-key=key-1"]
    upgrade = next(line for line in lines(tmp_path / "calls.log") if line.startswith("upgrade"))
    assert upgrade == (
        "upgrade payments oci://registry.example/charts/payments --namespace production --version 1.5.0 "
        "--labels tocsin-key=key-1 --reset-then-reuse-values --wait --timeout 8m"
    )


async def test_a_failed_upgrade_has_failed_and_the_release_before_it_is_what_runs(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    shop = deployer(tmp_path, "helm")
    run = await shop.start(CHART)
    assert (run.state, run.id) == (RunState.FAILED, "revision 4")
    assert "timed out waiting" in " ".join(run.output)
    assert (await shop.start(CHART)).state is RunState.FAILED
    assert len(lines(tmp_path / "runs.log")) == 1
    assert (await shop.current("payments", "production")).version == "1.4.1"


async def test_the_plan_of_helm_is_shown_redacted_and_changes_nothing(tmp_path: Path) -> None:
    shop = deployer(tmp_path, "helm")
    assert isinstance(shop, Rehearsal)
    told = await shop.rehearse(CHART)
    assert "+   image: payments:1.5.0" in told
    assert "hunter2" not in " ".join(told)
    assert lines(tmp_path / "runs.log") == []


async def test_terraform_applies_a_tag_once_per_key_and_its_outputs_tell(tmp_path: Path) -> None:
    shop = deployer(tmp_path, "terraform")
    assert (await shop.current("payments", "production")).version == "payments-v41"
    assert (await shop.start(TAG)).state is RunState.SUCCEEDED
    assert (await shop.status(TAG)).state is RunState.SUCCEEDED
    assert (await shop.start(TAG)).state is RunState.SUCCEEDED
    assert (await shop.current("payments", "production")).version == "payments-v42"
    assert lines(tmp_path / "runs.log") == ["key-1"]
    assert any(
        line.startswith("-chdir=/srv/production/payments apply -input=false -no-color -auto-approve")
        for line in lines(tmp_path / "calls.log")
    )


async def test_a_failed_apply_has_failed_with_the_words_of_terraform(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    run = await deployer(tmp_path, "terraform").start(TAG)
    assert run.state is RunState.FAILED
    assert "quota exceeded" in run.output[0]


async def test_a_long_plan_keeps_its_beginning_and_its_sum(tmp_path: Path) -> None:
    shop = deployer(tmp_path, "terraform")
    assert isinstance(shop, Rehearsal)
    told = await shop.rehearse(TAG)
    assert (len(told), told[40], told[-1]) == (61, "… 31 lines more …", "Plan: 0 to add, 90 to change, 0 to destroy.")
    assert lines(tmp_path / "runs.log") == []


async def test_terraform_versions_are_tags_the_newest_first(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    for number in (1, 2):
        at = {"GIT_COMMITTER_DATE": f"2026-03-0{number}T10:00:00Z", "PATH": "/usr/bin:/bin"}
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True, env=at)
        subprocess.run([*git, "tag", f"payments-v{number}"], check=True)
    place = tmp_path / "payments"
    place.mkdir()
    shop = deployer(tmp_path, "terraform", fill={"folder": f"{tmp_path}/{{service}}"})
    assert [v.version for v in await shop.versions("payments", "production")] == ["payments-v2", "payments-v1"]


@pytest.mark.parametrize("said", ["", "[", '{"a": 1}', '[{"chart": "payments"}]'])
async def test_what_a_tool_prints_and_cannot_be_understood_is_unavailable(tmp_path: Path, said: str) -> None:
    shop = deployer(tmp_path, "helm", current=["echo", said, "{service}"])
    with pytest.raises(Unavailable, match="printed something else"):
        await shop.current("payments", "production")


async def test_where_nothing_runs_yet_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "releases.json").write_text('[{"revision": 1, "status": "failed", "chart": "payments-1.0.0"}]')
    with pytest.raises(NotFound, match="no revision"):
        await deployer(tmp_path, "helm").current("payments", "production")
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(NotFound, match="no output tocsin_version"):
        await deployer(tmp_path, "terraform").current("payments", "production")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_complete_once_it_is_filled_in(preset: str) -> None:
    table = with_preset({"preset": preset, "fill": FILL[preset], "timeout_seconds": 5})
    assert table["timeout_seconds"] == 5
    assert CONNECTOR.deployer is not None
    assert CONNECTOR.deployer({"preset": preset, "fill": FILL[preset]}).how_to_ask(CHART).startswith("run `")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"preset": "puppet"}, "preset: there are helm, terraform"),
        ({"preset": "helm"}, "fill.chart: the preset helm needs it"),
        ({"preset": "helm", "fill": {"chart": "--post-renderer"}}, "not as an option"),
        ({"preset": "helm", "fill": {"chart": "a", "surprise": "b"}}, "fill.surprise: the preset helm knows chart"),
        ({"preset": "helm", "fill": "chart"}, "a table of texts"),
        ({"fill": {"chart": "a"}}, "no preset"),
        ({"preset": "terraform", "fill": {"folder": "/srv/all"}}, "{service} must be among the words"),
    ],
)
def test_a_preset_that_cannot_work_is_refused_with_the_reason(table: dict[str, object], why: str) -> None:
    assert CONNECTOR.deployer is not None
    with pytest.raises(BadSettings, match=why):
        CONNECTOR.deployer(table)
