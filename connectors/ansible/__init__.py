"""A deployer that plays a playbook of yours with ansible-runner, once per key.

The playbook runs in a process of its own (connectors/ansible/worker.py), which outlives the bot; what became of it is read from
the folder that it leaves behind. https://ansible.readthedocs.io/projects/runner/en/stable/intro/#artifactdir
"""

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bot.domain.change import Version
from bot.errors import BadSettings, Unavailable
from bot.ports import Connector, Deployer, Order, Run, RunState
from bot.redact import redact
from bot.wire.orders import checked, settings_of
from connectors.ansible import worker
from connectors.ansible.examine import amiss
from connectors.ansible.room import LOG, Room, lines_of, room_of, sweep
from connectors.ansible.settings import AnsibleSettings, Source
from connectors.ansible.shelf import versions_of

LOOK = 0.05  # seconds
MOST_DRY = 60  # lines of a dry run
GOOD = (
    'project = "/srv/ansible", state = "/var/lib/tocsin/ansible", playbook = "deploy.yml", '
    'inventory = "inventories/{environment}", current = { file = "/srv/versions/{service}" }, versions = { git = "v*" }'
)


class NoSettings(BaseModel):
    """Deployers are set up under [deployers.<name>], not under [connectors.ansible]."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnsibleDeployer:
    """ports.Deployer by playbooks. A key plays once, however many processes start it."""

    idempotent = True
    cancels = True

    def __init__(self, settings: AnsibleSettings) -> None:
        self._settings = settings

    async def current(self, service: str, environment: str) -> Version:
        """What runs now, as the settings say where to ask."""
        return (await self._known(self._settings.current, service, environment))[0]

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What ran before, newest first; with tags of a repository what exists."""
        return await self._known(self._settings.versions, service, environment)

    async def start(self, order: Order) -> Run:
        """Play it. The same key again, from whichever process, answers with the same run."""
        room = self._room(order)
        await asyncio.to_thread(self._prepare, room, order)
        if room.state() is RunState.UNKNOWN:
            await self._begin(room)
        return await asyncio.to_thread(room.run, order)

    async def status(self, order: Order) -> Run:
        """What became of it, read from what the run left behind."""
        return await asyncio.to_thread(self._room(order).run, order)

    async def cancel(self, order: Order) -> Run:
        """Kill the playbook where it stands. A key that never arrived is not played any more."""
        room = self._room(order)
        await asyncio.to_thread(room.cancel)
        for _ in range(int(10 / LOOK)):
            if room.state() is not RunState.RUNNING:
                break
            await asyncio.sleep(LOOK)
        return await asyncio.to_thread(room.run, order)

    async def check(self) -> tuple[str, ...]:
        """What is missing on this machine, the syntax of the playbook included; no host is reached."""
        return await amiss(self._settings, environment_of(self._settings))

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        """What `--check --diff` prints, redacted: hosts are reached, and modules that keep to check mode change nothing.

        Empty where the settings turn it off. Raises Unavailable where it does not end well.
        """
        if not self._settings.dry_run:
            return ()
        ident = f"dry-{secrets.token_hex(8)}"
        room = Room(self._settings.state.absolute() / "dry" / ident, ident)
        try:
            await asyncio.to_thread(room.claim, order, self._settings.play(order, ident, dry=True))
            process = await asyncio.to_thread(self._spawn, room.path)
            await asyncio.to_thread(process.wait)
            lines = lines_of(room.path / "artifacts" / ident / "stdout", MOST_DRY)
            if room.state() is not RunState.SUCCEEDED:
                last = (lines or room.said() or ("it said nothing",))[-1]
                raise Unavailable(f"The dry run of {self._settings.playbook} did not end well: {last}")
            return lines
        finally:  # also when nobody waits any more
            await asyncio.to_thread(_abandon, room)

    def how_to_ask(self, order: Order) -> str:
        """Where a person reads what became of it."""
        room = self._room(order)
        return f"read `{redact(str(room.path / 'artifacts' / room.ident / 'stdout'))}` on the machine that runs deployments"

    async def _known(self, source: Source, service: str, environment: str) -> tuple[Version, ...]:
        checked(service=service, environment=environment)
        return await versions_of(source, self._settings, {"service": service, "environment": environment})

    def _room(self, order: Order) -> Room:
        return room_of(self._settings.state.absolute(), order.key)

    def _prepare(self, room: Room, order: Order) -> None:
        play = self._settings.play(order, room.ident)
        try:
            sweep(self._settings.state.absolute(), self._settings.keep_days)
            room.claim(order, play)
        except OSError as error:
            raise BadSettings(
                f"{error.filename or room.path} cannot be written: {error.strerror}. Nothing was started."
            ) from error

    async def _begin(self, room: Room) -> None:
        """A worker is started, and it or another one has begun. Raises BadSettings where none can, Unavailable if unsure."""
        process = await asyncio.to_thread(self._spawn, room.path)
        for _ in range(int(self._settings.start_seconds / LOOK)):
            if room.state() is not RunState.UNKNOWN:
                return
            if process.poll() is not None and room.state() is RunState.UNKNOWN:
                if process.returncode == 0:  # somebody else's worker has it, and has not begun yet
                    break
                last = (lines_of(room.path / LOG) or (f"code {process.returncode}",))[-1]
                raise BadSettings(f"ansible-runner did not start: {last}. `tocsin doctor` says what is missing.")
            await asyncio.sleep(LOOK)
        raise Unavailable(f"The playbook did not begin within {self._settings.start_seconds:g} s; it may begin later.")

    def _spawn(self, room: Path) -> "subprocess.Popen[bytes]":
        """A worker in a session of its own; not asyncio's, whose end would kill it."""
        python = self._settings.interpreter
        environment = environment_of(self._settings) | {worker.MARK: str(room)}
        with (room / LOG).open("ab") as log:
            try:
                return subprocess.Popen(
                    [python, "-P", worker.__file__, str(room)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    cwd=room,
                    start_new_session=True,
                )
            except OSError as error:
                raise BadSettings(f"python: {python!r} cannot be run: {error.strerror}. Nothing was started.") from error


def environment_of(settings: AnsibleSettings) -> dict[str, str]:
    """All that a playbook gets of ours: where programs and the home folder are. Host keys are checked, unless settings say no."""
    own = {
        "PATH": f"{os.path.dirname(settings.interpreter)}:{os.defpath}",
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }
    return own | settings.environment


def _abandon(room: Room) -> None:
    if room.state() in (RunState.RUNNING, RunState.UNKNOWN):
        room.cancel()
        worker.stop(room.path)
    shutil.rmtree(room.path, ignore_errors=True)


def _deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings naming key and reason, never the value."""
    return AnsibleDeployer(settings_of(AnsibleSettings, table, f"{GOOD}; see docs/connectors/ansible.md."))


CONNECTOR = Connector(
    name="ansible",
    title="Ansible deployer",
    settings=NoSettings,
    help='No secret here. Deployers stand under [deployers.<name>] with kind = "ansible"; see docs/connectors/ansible.md.',
    deployer=_deployer,
)
