"""Deployments: each really switches the running version, once per idempotency key, and is announced by webhook."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.demo.changes import DEPLOYER, Author
from bot.demo.github import GitHub
from bot.demo.repository import Release, Repository
from bot.demo.sender import Delivery
from bot.demo.shop import DidNotStart, Shop


@dataclass(slots=True)
class Run:
    """One deployment. `status` is running, succeeded or failed."""

    id: str
    release: Release
    environment: str
    creator: Author
    began: datetime
    asked_through_the_api: bool
    status: str = "running"
    ended: datetime | None = None
    error: str = ""


class CannotDeploy(Exception):
    """The request names something that does not exist; nothing was started."""


class Deploys:
    """The deployment history of the shop, newest last, and the only way to change what runs."""

    def __init__(
        self,
        shop: Shop,
        repository: Repository,
        github: GitHub,
        send: Callable[[Delivery], None],
        environment: str,
    ) -> None:
        self.runs: list[Run] = []
        self._shop = shop
        self._repository = repository
        self._github = github
        self._send = send
        self._environment = environment
        self._by_key: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._numbers = itertools.count(1)
        self._asked = asyncio.Event()

    @property
    def vendor_runs(self) -> int:
        """How many deployments were asked for through the control API and really run."""
        return sum(run.asked_through_the_api for run in self.runs)

    @property
    def running(self) -> bool:
        """Whether a deployment that was asked for through the control API is under way."""
        return any(run.asked_through_the_api and run.status == "running" for run in self.runs)

    async def next_vendor_run(self) -> None:
        """Returns once a deployment that was asked for through the control API is under way."""
        while not self.running:
            self._asked.clear()
            await self._asked.wait()

    async def deploy(self, release: Release, creator: Author) -> Run:
        """Ship a release as one of the shop's own people; returns when it is done."""
        run = self._start(release, self._environment, creator, asked=False)
        await self._tasks[run.id]
        return run

    def request(self, service: str, version: str, environment: str, key: str) -> Run:
        """The run that belongs to this idempotency key; it is started only if the key is new.

        Raises CannotDeploy for an unknown service, version or environment, or a key used for something else.
        """
        if environment != self._environment:
            raise CannotDeploy(f"there is no environment {environment!r}; the shop runs in {self._environment}")
        release = self._repository.release(service, version)
        if release is None:
            raise CannotDeploy(f"there is no {service} {version}")
        if key in self._by_key:
            run = self._by_key[key]
            if run.release != release:
                raise CannotDeploy(f"this key already started {run.release.service} {run.release.version}")
            return run
        run = self._by_key[key] = self._start(release, environment, DEPLOYER, asked=True)
        return run

    def find(self, run_id: str = "", key: str = "") -> Run | None:
        """The run with this id or idempotency key."""
        if key:
            return self._by_key.get(key)
        return next((run for run in self.runs if run.id == run_id), None)

    def current(self, service: str) -> Release | None:
        """What the service runs now."""
        return next((run.release for run in reversed(self._of(service)) if run.status == "succeeded"), None)

    def history(self, service: str) -> list[dict[str, Any]]:
        """What was deployed, newest first; healthy means that it came up and took over."""
        return [
            {
                "version": run.release.version,
                "commit": run.release.commit.sha,
                "deployed_at": (run.ended or run.began).isoformat(),
                "healthy": run.status == "succeeded",
            }
            for run in reversed(self._of(service))
            if run.status != "running"
        ]

    async def finish(self) -> None:
        """Every running deployment has ended."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _of(self, service: str) -> list[Run]:
        return sorted(
            (run for run in self.runs if run.release.service == service),
            key=lambda run: run.ended or run.began,
        )

    def _start(self, release: Release, environment: str, creator: Author, asked: bool) -> Run:
        run_id = f"run-{next(self._numbers)}"
        run = Run(run_id, release, environment, creator, datetime.now(UTC), asked)
        self.runs.append(run)
        if asked:
            self._asked.set()
        task = self._tasks[run.id] = asyncio.create_task(self._execute(run))
        task.add_done_callback(lambda _: self._tasks.pop(run.id, None))
        return run

    async def _execute(self, run: Run) -> None:
        async with self._locks.setdefault(run.release.service, asyncio.Lock()):
            self._announce(run, "in_progress")
            try:
                folder = await self._repository.export(run.release)
                await self._shop.switch(run.release.service, run.release.version, folder)
            except DidNotStart as error:
                run.error, run.status = str(error), "failed"
            else:
                run.status = "succeeded"
            run.ended = datetime.now(UTC)
            self._announce(run, "success" if run.status == "succeeded" else "failure")

    def _announce(self, run: Run, state: str) -> None:
        at = datetime.now(UTC)
        self._send(self._github.deployment_status(run.release, run.id, run.environment, state, run.creator, run.began, at))
