"""The Ansible deployer with real playbooks on this machine: once per key, whoever starts, whatever is killed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.errors import BadSettings, Unavailable
from bot.ports import Order, Run, RunState
from connectors.ansible import CONNECTOR, AnsibleDeployer, worker
from connectors.ansible.room import room_of

ORDER = Order("payments", "production", "v42", "key-1")
PLAYBOOK = """
- hosts: web
  gather_facts: false
  tasks:
    - name: count how often it ran
      ansible.builtin.shell: echo "{{ tocsin_key }}" >> {{ place }}/ran
    - name: wait where the test says so
      ansible.builtin.shell: "test ! -e {{ place }}/slow || { touch {{ place }}/waits; sleep 20; }"
    - name: say a secret
      ansible.builtin.debug: {msg: "token: {{ token }}"}
    - name: fail where the test says so
      ansible.builtin.fail: {msg: the disk is full}
      when: (place + '/bad') is exists
    - name: the version
      ansible.builtin.copy: {content: "{{ tocsin_version }}\\n", dest: "{{ place }}/{{ tocsin_service }}"}
"""
HOSTS = "[web]\nlocalhost ansible_connection=local ansible_python_interpreter={python}\n"
SECRET = "ghp_" + "a1B2c3D4" * 5
MEMBER = """
import asyncio, json, sys
from bot.ports import Order
from connectors.ansible import CONNECTOR
table, order = json.loads(sys.argv[1]), Order(*json.loads(sys.argv[2]))
print(asyncio.run(CONNECTOR.deployer(table).start(order)).state)
"""


def table(folder: Path, **more: object) -> dict[str, object]:
    project = folder / "project"
    if not project.exists():
        project.mkdir()
        (project / "deploy.yml").write_text(PLAYBOOK)
        (project / "production").write_text(HOSTS.format(python=sys.executable))
        (folder / "payments").write_text("v41 1111111 2026-01-01T10:00:00Z\nv43 2222222\n")
    return {
        "project": str(project),
        "state": str(folder / "state"),
        "playbook": "deploy.yml",
        "inventory": "{environment}",
        "current": {"file": str(folder / "{service}")},
        "versions": {"file": str(folder / "{service}")},
        "vars": {"place": str(folder), "token": SECRET},
        **more,
    }


def deployer(folder: Path, **more: object) -> AnsibleDeployer:
    assert CONNECTOR.deployer is not None
    made = CONNECTOR.deployer(table(folder, **more))
    assert isinstance(made, AnsibleDeployer)
    return made


async def ended(ask: Callable[[], Awaitable[Run]], seconds: float = 60) -> Run:
    until = time.monotonic() + seconds
    while (run := await ask()).state is RunState.RUNNING and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return run


async def reached(place: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not place.exists():
        assert time.monotonic() < until, place
        await asyncio.sleep(0.05)


async def left_alone(room: Path, seconds: float = 30) -> None:
    """The worker itself ends a moment after it said how the run ended."""
    until = time.monotonic() + seconds
    while left := worker.kin(room):
        assert time.monotonic() < until, left
        await asyncio.sleep(0.05)


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().split() if (folder / "ran").exists() else []


@pytest.mark.slow
async def test_a_playbook_deploys_and_leaves_no_secret_behind(tmp_path: Path) -> None:
    shop = deployer(tmp_path, environment={"DEPLOY_TOKEN": SECRET})
    assert await shop.check() == ()
    assert (await shop.current("payments", "production")).version == "v43"
    assert (await shop.status(ORDER)).state is RunState.UNKNOWN
    first = await shop.start(ORDER)
    assert (first.id, first.state) == ("key-1", RunState.RUNNING)
    run = await ended(lambda: shop.status(ORDER))
    assert run.state is RunState.SUCCEEDED, run.output
    assert any("PLAY RECAP" in line for line in run.output)
    assert (await shop.current("payments", "production")).version == "v42"
    assert (await shop.start(ORDER)).state is RunState.SUCCEEDED
    assert ran(tmp_path) == ["key-1"]
    assert SECRET not in " ".join(run.output)
    room = tmp_path / "state/runs/key-1"
    kept = {str(path.relative_to(room)) for path in room.rglob("*") if path.is_file()}
    assert {path for path in kept if SECRET.encode() in (room / path).read_bytes()} <= {"artifacts/key-1/stdout"}
    assert not (room / "env").exists()


@pytest.mark.slow
async def test_arguments_hold_no_secret_and_files_of_a_run_are_ours_alone(tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    shop = deployer(tmp_path)
    await shop.start(ORDER)
    await reached(tmp_path / "waits")
    room = room_of(tmp_path / "state", "key-1")
    told = [_words(pid) for pid in worker.kin(room.path)]
    assert told
    assert not any(SECRET.encode() in words for words in told)
    assert (room.path / "env/extravars").stat().st_mode & 0o777 == 0o600
    assert room.path.stat().st_mode & 0o777 == 0o700
    run = await shop.cancel(ORDER)
    assert run.state is RunState.CANCELLED
    assert run.output[-1] == "it was cancelled; what ran until then stays"
    await left_alone(room.path)
    assert (await shop.start(ORDER)).state is RunState.CANCELLED
    assert ran(tmp_path) == ["key-1"]


@pytest.mark.slow
async def test_a_failed_task_has_failed_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad").touch()
    shop = deployer(tmp_path)
    await shop.start(ORDER)
    run = await ended(lambda: shop.status(ORDER))
    assert run.state is RunState.FAILED
    assert any("the disk is full" in line for line in run.output)


@pytest.mark.slow
async def test_a_host_that_cannot_be_reached_is_a_failure_that_says_so(tmp_path: Path) -> None:
    shop = deployer(tmp_path, inventory="nowhere")
    (tmp_path / "project/nowhere").write_text("[web]\n127.0.0.1 ansible_port=1 ansible_connection=ssh\n")
    await shop.start(ORDER)
    run = await ended(lambda: shop.status(ORDER))
    assert run.state is RunState.FAILED
    assert any("unreachable=1" in line for line in run.output), run.output


@pytest.mark.slow
async def test_a_playbook_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    shop = deployer(tmp_path, timeout_seconds=3)
    await shop.start(ORDER)
    run = await ended(lambda: shop.status(ORDER))
    assert run.state is RunState.FAILED
    assert run.output[-1] == "it took too long and was killed; what ran until then stays"
    await left_alone(tmp_path / "state/runs/key-1")


@pytest.mark.slow
async def test_a_run_goes_on_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    member = subprocess.Popen([sys.executable, "-c", MEMBER, json.dumps(table(tmp_path)), json.dumps(_told(ORDER))])
    await reached(tmp_path / "waits")
    member.send_signal(signal.SIGKILL)
    member.wait()
    shop = deployer(tmp_path)
    assert (await shop.status(ORDER)).state is RunState.RUNNING
    assert (await shop.start(ORDER)).state is RunState.RUNNING
    await _sleeper(tmp_path)
    assert (await ended(lambda: shop.status(ORDER))).state is RunState.FAILED  # the sleep was killed, and nothing else
    assert ran(tmp_path) == ["key-1"]


@pytest.mark.slow
async def test_a_killed_worker_is_running_while_its_children_live_and_failed_afterwards(tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    shop = deployer(tmp_path)
    await shop.start(ORDER)
    await reached(tmp_path / "waits")
    room = tmp_path / "state/runs/key-1"
    leader = next(pid for pid in worker.kin(room) if worker.__file__.encode() in _words(pid))
    os.kill(leader, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert (await shop.status(ORDER)).state is RunState.RUNNING
    run = await shop.cancel(ORDER)
    assert run.state is RunState.FAILED
    assert run.output[-1] == "the run was cut off; what ran until then stays"
    assert (await shop.start(ORDER)).state is RunState.FAILED
    assert ran(tmp_path) == ["key-1"]


@pytest.mark.slow
async def test_one_key_started_by_many_at_once_plays_once(tmp_path: Path) -> None:
    words = [sys.executable, "-c", MEMBER, json.dumps(table(tmp_path)), json.dumps(_told(ORDER))]
    members = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    shop = deployer(tmp_path)
    own = await asyncio.gather(*(shop.start(ORDER) for _ in range(3)))
    said = [member.communicate(timeout=60)[0].strip() for member in members]
    assert {run.state for run in own} <= {RunState.RUNNING, RunState.SUCCEEDED}
    assert set(said) <= {"running", "succeeded"}
    assert (await ended(lambda: shop.status(ORDER))).state is RunState.SUCCEEDED
    assert ran(tmp_path) == ["key-1"]


@pytest.mark.slow
async def test_a_rehearsal_shows_the_difference_and_changes_nothing(tmp_path: Path) -> None:
    shop = deployer(tmp_path)
    lines = await shop.rehearse(ORDER)
    assert "+v42" in lines
    assert SECRET not in " ".join(lines)
    assert (await shop.current("payments", "production")).version == "v43"
    assert ran(tmp_path) == []
    assert list((tmp_path / "state/dry").iterdir()) == []


def _told(order: Order) -> list[str]:
    return [order.service, order.environment, order.version, order.key]


async def _sleeper(folder: Path) -> None:
    """The sleep is killed, which begins a moment after the playbook said that it waits."""
    async with asyncio.timeout(30):
        while not (found := [p for p in worker.kin(folder / "state/runs/key-1") if _words(p).startswith(b"sleep")]):
            await asyncio.sleep(0.02)
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def _words(pid: int) -> bytes:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


# What needs no playbook


async def test_lines_of_a_file_are_versions_the_newest_last(tmp_path: Path) -> None:
    shop = deployer(tmp_path)
    newest, oldest = await shop.versions("payments", "production")
    assert (newest.version, newest.commit, newest.deployed_at) == ("v43", "2222222", None)
    assert (oldest.version, oldest.commit) == ("v41", "1111111")
    assert oldest.deployed_at is not None
    assert oldest.deployed_at.isoformat() == "2026-01-01T10:00:00+00:00"
    with pytest.raises(Unavailable, match="cannot be read: No such file"):
        await shop.current("orders", "production")


async def test_a_program_and_the_tags_of_a_repository_tell_versions_too(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    for tag in ("v1", "v2", "other"):
        subprocess.run([*git, "tag", "-m", tag, tag], check=True)
    sha = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    shop = deployer(tmp_path, versions={"git": "v*", "repository": str(tmp_path)}, current={"command": ["echo", "{service}-7"]})
    assert [(v.version, v.commit) for v in await shop.versions("payments", "production")] == [("v2", sha), ("v1", sha)]
    assert (await shop.current("payments", "production")).version == "payments-7"
    with pytest.raises(Unavailable, match="ended with code 1"):
        await deployer(tmp_path, current={"command": ["false"]}).current("payments", "production")


@pytest.mark.parametrize("value", ["-rf", "{{ lookup('pipe', 'id') }}", "a b", "v1\n", "", "../up", "x" * 129])
async def test_a_value_that_could_be_a_template_or_an_option_plays_nothing(tmp_path: Path, value: str) -> None:
    shop = deployer(tmp_path)
    with pytest.raises(BadSettings, match="cannot be handed to a deployer"):
        await shop.start(Order("payments", "production", value, "key-1"))
    assert not (tmp_path / "state").exists()


async def test_a_key_stands_for_one_order(tmp_path: Path) -> None:
    shop = deployer(tmp_path)
    await shop.cancel(ORDER)
    room = room_of(tmp_path / "state", "key-1")
    room.claim(ORDER, {})
    with pytest.raises(BadSettings, match="stands for another order"):
        await shop.start(Order("payments", "production", "v7", "key-1"))


async def test_where_ansible_runner_is_missing_nothing_is_started_and_the_reason_is_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    python.chmod(0o755)
    shop = deployer(tmp_path, python=str(python))
    with pytest.raises(BadSettings, match="did not start: no such module"):
        await shop.start(ORDER)
    assert (await shop.status(ORDER)).state is RunState.UNKNOWN
    assert "has no ansible-core" in " ".join(await shop.check())
    with pytest.raises(BadSettings, match="cannot be run"):
        await deployer(tmp_path, python=str(tmp_path / "none")).start(ORDER)


async def test_what_is_missing_is_said_before_anybody_deploys(tmp_path: Path) -> None:
    shop = deployer(tmp_path, playbook="none.yml", inventory="none", vault_password_file="vault")
    said = " ".join(await shop.check())
    assert "none.yml" in said
    assert "vault cannot be read" in said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"playbook": "-i"}, "dash"),
        ({"inventory": "a,b"}, "an inventory is a path"),
        ({"current": {"git": "v*"}}, "a tag does not say what runs"),
        ({"versions": {}}, "one of command, file and git"),
        ({"names": {"environment": "environment"}}, "cannot be the name of a variable"),
        ({"limit": "{version}"}, "is not filled in here"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_good_example(tmp_path: Path, change: dict[str, object], why: str) -> None:
    with pytest.raises(BadSettings, match=why) as refused:
        deployer(tmp_path, **change)
    assert "A good one: project" in str(refused.value)
