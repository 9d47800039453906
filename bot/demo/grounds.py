"""The grounds of the estate: the shop's processes, its customers, the telemetry, and the webhooks about them."""

import asyncio
import secrets
import shutil
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bot.demo.alertmanager import Alertmanager, Timing
from bot.demo.changes import INES, Change
from bot.demo.deploys import Deploys
from bot.demo.github import GitHub
from bot.demo.levers import Lever
from bot.demo.load import LEVELS, Load
from bot.demo.prober import Alert, Prober, WarmUp
from bot.demo.repository import Commit, Release, Repository
from bot.demo.sender import Sender
from bot.demo.shop import PROVIDER, SERVICES, Shop
from bot.demo.telemetry import Reading, Telemetry


@dataclass(frozen=True, slots=True)
class EstateConfig:
    """Where the estate keeps its files, whom it tells, and how fast its clockwork runs (seconds).

    `folder` is made anew: an existing estate in it is removed, anything else is refused.
    """

    folder: Path
    tocsin_url: str
    alertmanager_token: str = field(repr=False)
    github_secret: str = field(repr=False)
    deploy_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    environment: str = "production"
    scrape_every: float = 0.5
    window: float = 3.0
    alertmanager: Timing = field(default_factory=Timing)
    seed: int = 1


class Grounds:
    """The moving parts, and what a story may do with them. `start` and `stop` belong to `start_estate`."""

    def __init__(self, config: EstateConfig, session: aiohttp.ClientSession) -> None:
        self.config = config
        self.repository = Repository(config.folder / "shop", config.folder / "releases")
        self.telemetry: Telemetry
        self.shop = Shop(session, lambda entry: self.telemetry.keep_log(entry), config.folder / "logs")
        self.telemetry = Telemetry(self.shop, session, config.scrape_every, config.window)
        self.prober = Prober(config.environment)
        self.warm = asyncio.Event()  # the shop has started, alerting has begun
        self._warm_up = WarmUp()
        self.alertmanager = Alertmanager(config.tocsin_url, config.alertmanager_token, config.alertmanager)
        self.github = GitHub(config.tocsin_url, config.github_secret)
        self.to_alertmanager_door = Sender(session)
        self.to_github_door = Sender(session)
        self.deploys = Deploys(self.shop, self.repository, self.github, self.to_github_door.send, config.environment)
        storefront = [instance.address for instance in self.shop.of("storefront")]
        self.load = Load(session, storefront, config.seed)
        self.alerts: list[Alert] = []
        self.levers: dict[str, Lever] = {}
        self.provider_mode = "ok"
        self.started_at = datetime.now(UTC)
        self._baseline = ""
        self._session = session
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Everything runs: repository, provider, the five services under load, telemetry, alerting."""
        _make_anew(self.config.folder)
        (self.config.folder / "logs").mkdir()
        await self.repository.create(self.started_at)
        self._baseline = self.repository.commits[-1].sha
        self._run(self.to_alertmanager_door.run())
        self._run(self.to_github_door.run())
        self.to_github_door.send(self.github.push(self.repository.commits))
        await asyncio.gather(self.shop.start_provider(), *(self._first(service) for service in SERVICES))
        self.telemetry.on_scrape = self._on_scrape
        self._run(self.load.run())
        self._run(self.telemetry.run())
        self._run(self._alert())

    async def stop(self) -> None:
        """Every process and task of the estate has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.deploys.finish()
        await self.shop.stop()

    async def ship(self, change: Change, deploy: bool = True) -> tuple[Commit, Release | None]:
        """Commit a change, tell GitHub's webhook, and deploy the service that it belongs to."""
        commit, release = await self.repository.commit(change, datetime.now(UTC))
        self.to_github_door.send(self.github.push([commit]))
        if release and deploy:
            await self.deploys.deploy(release, change.author)
        return commit, release

    def set_load(self, level: str) -> None:
        """Customers come at this level: quiet or busy."""
        self.load.level = LEVELS[level]

    async def set_provider(self, mode: str) -> None:
        """The outside provider behaves like this: ok, slow or down."""
        address = self.shop.of(PROVIDER)[0].address
        async with self._session.post(f"http://{address}/mode", json={"mode": mode}) as answer:
            answer.raise_for_status()
        self.provider_mode = mode

    async def restore_source(self) -> Commit | None:
        """The main branch holds the source of the demo's start again, by one honest commit."""
        message = "Revert today's changes"
        commit = await self.repository.restore(self._baseline, INES, message, datetime.now(UTC))
        if commit:
            self.to_github_door.send(self.github.push([commit]))
        return commit

    async def _first(self, service: str) -> None:
        release = self.repository.released[service][-1]
        await self.deploys.deploy(release, release.commit.author)

    def _on_scrape(self, readings: list[Reading], at: float) -> None:
        if not self.warm.is_set():
            if self._warm_up.over(readings, at):
                self.warm.set()
            return
        changed = self.prober.evaluate(readings, at)
        self.alerts += [alert for alert in changed if alert.ends_at is None]
        self.alertmanager.take_in(changed, at)

    async def _alert(self) -> None:
        while True:
            for delivery in self.alertmanager.due(time.time()):
                self.to_alertmanager_door.send(delivery)
            await asyncio.sleep(0.25)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


class FolderInUse(Exception):
    """The folder holds something that is not an estate, so it is left alone."""


def _make_anew(folder: Path) -> None:
    mark = folder / ".estate"
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise FolderInUse(f"{folder} holds files that are not an estate's; choose an empty folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("made by the demo; removed at its next start\n")
