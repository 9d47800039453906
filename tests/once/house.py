"""What many trials share: the nursery, the vendor's process, a workspace with a channel for each trial, databases to copy."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

from bot.commands.staging import clean_environment
from bot.domain.action import Action, ActionKind, ActionStatus, Decision
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Remedy, Verdict, named_cause
from bot.domain.incident import Status
from bot.domain.suggestion import reference
from bot.durable.work import DurableWork
from bot.executor.keys import new_pair
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from bot.wiring import Stores, utc_now
from bot.workspace.config import ChannelSpec
from tests.fakes import an_incident
from tests.flows.automating import estate
from tests.once import nursery, vendor
from tests.once.living import EXECUTOR
from tests.once.plan import DOOR, Plan
from tests.once.vendor import Script
from tests.postgres import Postgres
from tests.workspace.conftest import Running, running

REPOSITORY = Path(__file__).parents[2]
INCIDENTS = ("", "quiet", "firing", "known")
EXECUTOR_KEY = "k" * 40  # of executors that come to the door
PAST = "past"  # what happened before a trial has ids that begin so
INCIDENT = an_incident().id


@dataclass
class Life:
    """A process of a bot, from the fork to its end."""

    pid: int
    port: asyncio.Future[int]
    ended: asyncio.Future[int]


@dataclass
class Helper:
    """A process of ours beside the trials, with a pipe to it and one from it; it ends when nobody writes to it any more."""

    pid: int
    heard: asyncio.StreamReader
    to: int

    def say(self, line: str) -> None:
        """It reads this line."""
        os.write(self.to, f"{line}\n".encode())

    async def end(self) -> None:
        """It is gone."""
        os.close(self.to)
        await asyncio.to_thread(os.waitpid, self.pid, 0)


async def helper(module: ModuleType, fork: bool) -> Helper:
    """`module.main` in a process of its own: a fresh one, or a fork of this one, which has imported everything already."""
    (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
    if fork:
        pid = os.fork()
        if pid == 0:
            _become(module, theirs_in, theirs_out, (ours_in, ours_out))
    else:
        environment = {**clean_environment(), "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", module.__name__],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)],
        )
    os.close(theirs_in)
    os.close(theirs_out)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(ours_in, "rb", 0))
    return Helper(pid, reader, ours_out)


def _become(module: ModuleType, stdin: int, stdout: int, ours: tuple[int, ...]) -> None:
    try:
        for number in ours:
            os.close(number)
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        module.main()
    finally:
        os._exit(0)


@dataclass
class Nursery:
    """The process that forks bots."""

    process: Helper
    lives: dict[int, Life] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)  # seconds of each child that is gone
    _births: dict[str, asyncio.Future[Life]] = field(default_factory=dict)
    _names: "itertools.count[int]" = field(default_factory=itertools.count)

    async def bear(self, wanted: Mapping[str, Any]) -> Life:
        """A new process; it is not up yet."""
        name = str(next(self._names))
        born = self._births[name] = asyncio.get_running_loop().create_future()
        self.process.say(json.dumps({"fork": {**wanted, "name": name}}))
        life: Life = await born
        return life

    async def listen(self) -> None:
        """Hear what becomes of the children."""
        loop = asyncio.get_running_loop()
        async for line in self.process.heard:
            said = json.loads(line)
            if "born" in said:
                life = self.lives[said["born"]] = Life(said["born"], loop.create_future(), loop.create_future())
                self._births.pop(said["name"]).set_result(life)
            elif "up" in said:
                self.lives[said["up"]].port.set_result(said["port"])
            elif "ended" in said:
                life = self.lives.pop(said["ended"])
                self.cpu.append(said["cpu"])
                life.ended.set_result(said["status"])

    def kill_all(self) -> None:
        """Nobody is left."""
        for pid in list(self.lives):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class House:
    """The shared parts."""

    folder: Path
    nursery: Nursery
    workspace: Running
    vendor: str  # the address of the vendors' process
    http: httpx.AsyncClient
    postgres: Postgres | None
    templates: Mapping[str, Path] = field(default_factory=dict)
    keys: tuple[str, str] = field(default_factory=new_pair)

    def channel(self, number: int) -> str:
        """The channel of a trial."""
        return self.workspace.config.channels[number + 1].id

    async def script(self, trial: str, script: Script) -> None:
        """The vendor of this trial is there and behaves like that."""
        (await self.http.post(f"{self.vendor}/control/{trial}", json=asdict(script))).raise_for_status()

    async def counted(self, trial: str) -> dict[str, Any]:
        """What the vendor of this trial counted."""
        answer: dict[str, Any] = (await self.http.get(f"{self.vendor}/control/{trial}")).json()
        return answer

    async def heal(self, trial: str) -> None:
        """The vendor is well again; what it forgot stays forgotten."""
        (await self.http.delete(f"{self.vendor}/control/{trial}")).raise_for_status()

    @asynccontextmanager
    async def database(self, folder: Path, plan: Plan) -> AsyncIterator[str]:
        """A database of its own with the plan's incident in it; its URL."""
        if not plan.lane.postgres:
            data = folder / ".tocsin"
            shutil.copytree(self.templates[plan.incident], data)
            yield f"sqlite:///{data}/tocsin.db"
            return
        assert self.postgres is not None
        fresh = self.postgres.a_database()
        url = await asyncio.to_thread(fresh.__enter__)
        try:
            await asyncio.to_thread(seed, url, plan.incident, migrate=False)
            yield url
        finally:
            await asyncio.to_thread(fresh.__exit__, None, None, None)

    def environment(self, folder: Path, url: str, role: str, apart: str, door: str) -> dict[str, str]:
        """What a process of a trial is given beside its folder."""
        by_door = {"TOCSIN_EXECUTOR_KEY": EXECUTOR_KEY} if apart == DOOR else {}
        if role == EXECUTOR:
            errands = by_door | {"TOCSIN_EXECUTOR_URL": door} if by_door else {"TOCSIN_DATABASE_URL": url}
            return errands | {"TOCSIN_EXECUTOR_PUBLIC_KEY_FILE": str(folder / "keys" / "public")}
        signing = {"TOCSIN_EXECUTOR_MODE": "apart", "TOCSIN_EXECUTOR_SIGNING_KEY_FILE": str(folder / "keys" / "private")}
        seconds = {"TOCSIN_EXECUTOR_ANSWER_SECONDS": "3", "TOCSIN_EXECUTOR_START_SECONDS": "2"}
        config = self.workspace.config
        return {
            **(signing | seconds | by_door | {"TOCSIN_EXECUTOR_WARRANT_SECONDS": "10"} if apart else {}),
            "TOCSIN_DATABASE_URL": url,
            "SLACK_BOT_TOKEN": config.bot_token,
            "SLACK_SIGNING_SECRET": config.signing_secret,
            "TOCSIN_SLACK_API_URL": f"{config.base_url}/api/",
        }


def seed(url: str, incident: str, *, migrate: bool = True) -> None:
    """A database with an incident of payments whose cause is v43; "quiet": its alerts have cleared.

    "known" is quiet, and its diagnosis was just told; people confirmed the step that fits before, so it is automatic.
    """
    database, stores = SqlDatabase(url), Stores()
    database.open(migrate=migrate)
    try:
        if not incident:
            return
        now = utc_now()
        one = an_incident(on_call=("U0ONCALL",), opened_at=now, updated_at=now)
        members = tuple(replace(m, joined_at=now, firing=1 if incident == "firing" else 0) for m in one.members)
        cause = Candidate("c1", "payments", "raise retries", version="v43", commit="3" * 40, shipped_at=now)
        found = Diagnosis(
            Verdict.CONVICTED, Confidence.STRONG, "payments v43 did it [E1]", now, cause=cause, remedy=Remedy.ROLLBACK
        )

        def go(tx: Transaction) -> None:
            kept = stores.incidents.save(tx, replace(one, members=members, channel=""))
            stores.diagnoses.save(tx, kept.id, found)
            if incident == "known":
                _confirm(tx, found, now, stores)
                for again in range(2):  # the second is the same, delivered again
                    args = {"incident_id": kept.id, "step": reference(estate.the_step().id)}
                    DurableWork().start(tx, "actions", "automate", f"automate:{again}", args, partition=f"{kept.id}:{again}")

        database.write_now(go)
    finally:
        database.close()


def _confirm(tx: Transaction, found: Diagnosis, now: datetime, stores: Stores) -> None:
    """Three incidents of the days before: people approved the step, it helped, and somebody agreed that this was the cause."""
    for days in (1, 2, 3):
        at, id = now - timedelta(days=days), f"{PAST}-{days}"
        over = an_incident(id=id, number=days, status=Status.RESOLVED, opened_at=at, updated_at=at, resolved_at=at, members=())
        agreed = replace(over, resolved_by="U0ONCALL", confirmed_by="U0ONCALL", confirmed_cause=named_cause(found))
        stores.incidents.save(tx, agreed)
        stores.diagnoses.save(tx, id, found)
        done = Action(id, ActionKind.ROLLBACK, "payments", "production", "v42", ActionStatus.SUCCEEDED, "U0ONCALL", at, at)
        people = (Decision("U0APPROVER", True, at),)
        stores.actions.add(tx, replace(done, incident_id=id, decisions=people, step=estate.the_step().id, run="run-0"))


def _templates(folder: Path, incidents: Sequence[str]) -> dict[str, Path]:
    """A folder with a SQLite database for each; the schema is made once."""
    made = {incident: folder / f"template-{incident}" for incident in incidents}
    bare = folder / "template"
    bare.mkdir(parents=True)
    seed(f"sqlite:///{bare}/tocsin.db", "")
    for incident, data in made.items():
        shutil.copytree(bare, data)
        seed(f"sqlite:///{data}/tocsin.db", incident, migrate=False)
    return made


@asynccontextmanager
async def a_house(
    folder: Path, trials: int, postgres: Postgres | None, *, fork: bool = False, incidents: Sequence[str] = INCIDENTS
) -> AsyncIterator[House]:
    """Everything that trials share, for trials of the numbers -1 to `trials`. `fork`: quicker, from a process that is ready."""
    channels = tuple(ChannelSpec(f"C0T{n:05}", f"trial-{n}") for n in range(trials + 2))
    async with contextlib.AsyncExitStack() as end:
        forks = await helper(nursery, fork)
        end.push_async_callback(forks.end)
        vendors = await helper(vendor, fork)
        end.push_async_callback(vendors.end)
        workspace = await end.enter_async_context(running(channels=channels))
        http = await end.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        templates = await asyncio.to_thread(_templates, folder, incidents)
        if postgres is not None:
            with postgres.a_database():  # its template is made, before many want a copy at once
                pass
        port = (await vendors.heard.readline()).decode().strip()
        assert json.loads(await forks.heard.readline()) == {"ready": True}
        children = Nursery(forks)
        hearing = asyncio.create_task(children.listen())
        end.callback(hearing.cancel)
        end.callback(children.kill_all)
        yield House(folder, children, workspace, f"http://127.0.0.1:{port}", http, postgres, templates)
