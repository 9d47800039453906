"""The Ansible deployer with real playbooks on this machine, which wait until the test says how they end."""

import shutil
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import httpx

from bot.ports import Order, Run, RunState
from connectors.ansible import CONNECTOR, AnsibleDeployer, worker
from connectors.ansible.room import room_of
from tests.connectors.stages import Play, Promise, Stage, Theatre, Trouble

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: deploy, and end as the test says
      ansible.builtin.raw: >-
        echo {{ tocsin_key }} >> {{ place }}/started;
        while test ! -e {{ place }}/end-{{ tocsin_key }}; do sleep 0.05; done;
        grep -q succeeded {{ place }}/end-{{ tocsin_key }}
"""
HOSTS = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
NEVER = "#!/bin/sh\nexec sleep 20\n"  # a Python that begins nothing


class PlaybookTheatre(Theatre):
    """A project with one playbook. What was ordered and what it said is in the deployer's own folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-stage-"))
        (self.folder / "deploy.yml").write_text(PLAYBOOK)
        (self.folder / "hosts").write_text(HOSTS)
        (self.folder / "never").write_text(NEVER)
        (self.folder / "never").chmod(0o755)
        super().__init__()

    async def __aexit__(self, *_: object) -> None:
        for room in (self.folder / "state/runs").glob("*"):
            worker.stop(room)
        ran = (self.folder / "started").read_text().split() if (self.folder / "started").exists() else []
        shutil.rmtree(self.folder)
        assert len(ran) == len(set(ran)), "a playbook was played twice for a key"

    def starts(self, request: httpx.Request) -> bool:
        raise AssertionError("nothing of it is asked by HTTP")

    def answer(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing of it is asked by HTTP")

    @property
    def started(self) -> list[str]:
        """The keys of the playbooks that began."""
        began = {place.parent.name for place in (self.folder / "state/runs").glob(f"*/{worker.BEGAN}")}
        return sorted({*began, *self._started})

    @property
    def weak(self) -> bool:
        """Whether the inventory is gone."""
        return not (self.folder / "hosts").exists()

    @weak.setter
    def weak(self, told: bool) -> None:
        if told:
            (self.folder / "hosts").unlink()

    @property
    def only_asked(self) -> bool:
        return self.untouched

    @property
    def untouched(self) -> bool:
        return not (self.folder / "state/runs").exists()

    def remember(self, order: Order, state: RunState, ago: timedelta = timedelta()) -> Play:
        """A line of the log that playbooks write when they went well, the newest last."""
        play = super().remember(order, state, ago)
        if state is RunState.SUCCEEDED:
            with (self.folder / f"{order.service}-{order.environment}").open("a") as log:
                log.write(f"{order.version} {play.at.isoformat()}\n")
        return play

    def finish(self, key: str, state: RunState) -> None:
        """It ends like that; returns when it has."""
        room = room_of(self.folder / "state", key)
        if state is RunState.CANCELLED:
            room.cancel()
        else:
            (self.folder / f"end-{key}").write_text(state.value)
        wait_for(room.path / worker.ENDED)

    def forget(self, key: str) -> None:
        """Somebody cleared the folder away."""
        room = room_of(self.folder / "state", key)
        worker.stop(room.path)
        shutil.rmtree(room.path)
        self._started.append(key)

    def made(self, **more: object) -> AnsibleDeployer:
        """A deployer of this project."""
        table = {
            "project": str(self.folder),
            "state": str(self.folder / "state"),
            "playbook": "deploy.yml",
            "inventory": "hosts",
            "current": {"file": "{service}-{environment}"},
            "versions": {"file": "{service}-{environment}"},
            "vars": {"place": str(self.folder)},
            **more,
        }
        assert CONNECTOR.deployer is not None
        deployer = CONNECTOR.deployer(table)
        assert isinstance(deployer, AnsibleDeployer)
        return deployer


class Unlucky(AnsibleDeployer):
    """The deployer itself, but for the start that a trouble befalls."""

    def __init__(self, theatre: PlaybookTheatre) -> None:
        self._theatre, self._lucky = theatre, theatre.made()
        super().__init__(self._lucky._settings)

    async def start(self, order: Order) -> Run:
        trouble, self._theatre.trouble = self._theatre.trouble, None
        if trouble is Trouble.LOST_BEFORE:
            return await self._theatre.made(start_seconds=0.3, python=str(self._theatre.folder / "never")).start(order)
        if trouble is Trouble.LOST_AFTER:
            try:
                return await self._theatre.made(start_seconds=0.01).start(order)
            finally:
                wait_for(self._room(order).path / worker.BEGAN)
        return await super().start(order)


def wait_for(place: Path, seconds: float = 30) -> None:
    """Returns once the file is there."""
    until = time.monotonic() + seconds
    while not place.exists():
        assert time.monotonic() < until, place
        time.sleep(0.02)


def ansible(theatre: Theatre) -> AnsibleDeployer:
    assert isinstance(theatre, PlaybookTheatre)
    return Unlucky(theatre)


STAGES = (
    Stage(
        "ansible",
        PlaybookTheatre,
        ansible,
        ran=(("v43", None), ("v42", None)),  # a playbook that failed writes no line
        lacks={
            Promise.NOTHING: "a file that is not there may have any reason, so that nothing is concluded from it",
            Promise.LINK: "a playbook has no page; where its output lies is said",
            Promise.STATUSES: "there is no HTTP between the deployer and its playbook; test_ansible.py tries what can be missing",
            Promise.UNREACHABLE: "a Python that is not there is a setting that is wrong; test_ansible.py tries it",
            Promise.CUT_ANSWER: "an answer is a file that is whole or not there",
        },
        troubles=(Trouble.LOST_BEFORE, Trouble.LOST_AFTER),
        slow=True,
    ),
)
