"""The command deployer with a real program: no shell, no secrets, no endless waiting, and plain words when it goes wrong."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bot.errors import BadSettings, BotError, IllegalMove, Unavailable
from bot.ports import Deployer, Order, RunState
from connectors.command import CONNECTOR

VENDOR = str(Path(__file__).parents[1] / "actions" / "vendor.py")
ORDER = Order("payments", "production", "v42", "key-1")


def table(folder: Path, **more: object) -> dict[str, object]:
    program = [sys.executable, VENDOR, str(folder)]
    return {
        "kind": "command",
        "current": [*program, "current", "--service", "{service}", "--environment={environment}"],
        "versions": [*program, "versions", "--service", "{service}"],
        "start": [*program, "deploy", "--service", "{service}", "--version", "{version}", "--key", "{key}"],
        "status": [*program, "status", "--key", "{key}"],
        **more,
    }


def deployer(folder: Path, **more: object) -> Deployer:
    assert CONNECTOR.deployer is not None
    return CONNECTOR.deployer(table(folder, **more))


def behave(folder: Path, **behaviour: Any) -> None:
    (folder / "behaviour.json").write_text(json.dumps(behaviour))


def runs(folder: Path) -> list[str]:
    log = folder / "runs.log"
    return log.read_text().splitlines() if log.exists() else []


async def test_the_four_questions_are_answered(tmp_path: Path) -> None:
    shop = deployer(tmp_path)
    assert (await shop.current("payments", "production")).version == "v43"
    assert [v.version for v in await shop.versions("payments", "production")] == ["v43", "v42", "v41"]
    assert (await shop.status(ORDER)).state is RunState.UNKNOWN
    run = await shop.start(ORDER)
    assert (run.id, run.state, run.version) == ("run-1", RunState.SUCCEEDED, "v42")
    assert (await shop.status(ORDER)).id == "run-1"
    assert (await shop.current("payments", "production")).version == "v42"
    assert runs(tmp_path) == ["key-1 payments v42"]
    assert shop.how_to_ask(ORDER).endswith("status --key key-1`")


@pytest.mark.parametrize(
    "value",
    ["-rf", "--help", "v1; rm -rf /", "$(id)", "`id`", "a b", "v1\n", "", "x" * 129, "../../etc", "v1\0", "v{key}", "é"],
)
async def test_a_value_outside_the_alphabet_starts_nothing(tmp_path: Path, value: str) -> None:
    shop = deployer(tmp_path)
    with pytest.raises(BadSettings, match="cannot be handed to a deployer"):
        await shop.start(Order("payments", "production", value, "key-1"))
    with pytest.raises(BadSettings):
        await shop.current(value, "production")
    assert runs(tmp_path) == []


async def test_the_program_gets_no_environment_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-very-secret")
    behave(tmp_path, environment=True)
    await deployer(tmp_path, environment={"REGION": "eu"}).start(ORDER)
    seen = json.loads((tmp_path / "environment.json").read_text())
    assert seen["REGION"] == "eu"
    assert set(seen) <= {"PATH", "LANG", "REGION", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


async def test_a_program_that_fails_has_failed_and_its_last_lines_are_redacted(tmp_path: Path) -> None:
    behave(tmp_path, fail=["deploy"])
    run = await deployer(tmp_path).start(ORDER)
    assert run.state is RunState.FAILED
    assert "hunter2" not in " ".join(run.output)
    assert run.output[-2:] == (
        "cannot deploy payments",
        f"The deployer's program '{os.path.basename(sys.executable)}' ended with code 3",
    )


async def test_a_program_that_gives_up_after_its_order_arrived_has_not_failed(tmp_path: Path) -> None:
    behave(tmp_path, give_up=True, status="running")
    run = await deployer(tmp_path).start(ORDER)
    assert (run.id, run.state) == ("run-1", RunState.RUNNING)
    assert "ended with code 2" in run.output[-1]


async def test_after_an_error_nobody_can_ask_about_nothing_is_claimed(tmp_path: Path) -> None:
    behave(tmp_path, fail=["deploy", "status"])
    with pytest.raises(Unavailable):
        await deployer(tmp_path).start(ORDER)


async def test_a_question_that_fails_is_unavailable(tmp_path: Path) -> None:
    behave(tmp_path, fail=["status"])
    with pytest.raises(Unavailable, match="ended with code 3: cannot status"):
        await deployer(tmp_path).status(ORDER)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "printed something else than the JSON"),
        ("deployed!", "Invalid JSON"),
        ('{"run": "r1", "status": "maybe"}', "at status"),
        ("[]", "printed something else"),
    ],
)
async def test_what_cannot_be_understood_is_said_clearly(tmp_path: Path, said: str, why: str) -> None:
    behave(tmp_path, say=said)
    with pytest.raises(Unavailable, match=why):
        await deployer(tmp_path).start(ORDER)


async def test_a_run_is_stopped_where_the_settings_say_how(tmp_path: Path) -> None:
    behave(tmp_path, status="running")
    shop = deployer(tmp_path, cancel=[sys.executable, VENDOR, str(tmp_path), "cancel", "--key", "{key}"])
    assert shop.cancels
    await shop.start(ORDER)
    assert (await shop.cancel(ORDER)).state is RunState.CANCELLED
    assert (await shop.status(ORDER)).state is RunState.CANCELLED
    never = deployer(tmp_path)
    assert not never.cancels
    with pytest.raises(IllegalMove, match="no `cancel`"):
        await never.cancel(ORDER)


async def test_the_examination_runs_the_programs_own_and_starts_nothing(tmp_path: Path) -> None:
    own = [sys.executable, VENDOR, str(tmp_path), "check"]
    assert await deployer(tmp_path).check() == ()
    assert await deployer(tmp_path, check=own).check() == ()
    behave(tmp_path, fail=["check"])
    (said,) = await deployer(tmp_path, check=own).check()
    assert said.endswith("is not content: cannot check.")
    (gone,) = await deployer(tmp_path, start=["no-such-deployctl", "{service}", "{version}", "{key}"]).check()
    assert gone == "There is no program 'no-such-deployctl' that may be run."
    assert runs(tmp_path) == []


async def test_endless_output_is_cut_and_said(tmp_path: Path) -> None:
    behave(tmp_path, garbage=3_000_000)
    with pytest.raises(Unavailable, match="more than 1,000,000 bytes"):
        await deployer(tmp_path).start(ORDER)


async def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    behave(tmp_path, before=30, linger=True)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"did not end within 0\.6 s and was killed"):
        await deployer(tmp_path, timeout_seconds=0.6).start(ORDER)
    assert time.monotonic() - began < 15
    assert runs(tmp_path) == []


async def test_a_program_may_leave_a_child_behind(tmp_path: Path) -> None:
    behave(tmp_path, linger=True)
    began = time.monotonic()
    assert (await deployer(tmp_path).start(ORDER)).state is RunState.SUCCEEDED
    assert time.monotonic() - began < 15


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    shop = deployer(tmp_path, start=["no-such-deployctl", "{service}", "{version}", "{key}"])
    with pytest.raises(BadSettings, match="'no-such-deployctl' did not start: No such file"):
        await shop.start(ORDER)


async def test_an_order_that_cannot_be_asked_about_after_an_error_has_not_failed_for_certain(tmp_path: Path) -> None:
    shop = deployer(tmp_path, start=["false", "{service}", "{version}", "{key}"], status=["no-such-deployctl", "{key}"])
    with pytest.raises(Unavailable, match="'false' ended with code 1, and cannot be asked"):
        await shop.start(ORDER)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"start": "deploy {service} {version} {key}"}, "start"),
        ({"start": ["deploy", "{service}", "{version}"]}, "{key} must be among"),
        ({"start": ["deploy", "{service}", "{version}", "{key}", "{user}"]}, "{user} is not filled in"),
        ({"start": ["{service}", "{version}", "{key}"]}, "takes no placeholder"),
        ({"current": ["current", "{service}", "{key}"]}, "{key} is not filled in"),
        ({"status": []}, "status"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"shell": True}, "shell"),
    ],
)
def test_wrong_settings_are_refused_by_name(tmp_path: Path, wrong: dict[str, object], why: str) -> None:
    with pytest.raises(BotError) as refused:
        deployer(tmp_path, **wrong)
    assert isinstance(refused.value, BadSettings)
    assert why in str(refused.value)


def test_a_secret_in_the_settings_never_shows(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        deployer(tmp_path, environment={"TOKEN": ["very-secret"]})
    assert "very-secret" not in str(refused.value)
