"""Plays a story on the grounds, and writes down what really shipped and when."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.demo.changes import Change
from bot.demo.grounds import Grounds
from bot.demo.repository import Release
from bot.demo.stories import SetLoad, SetProvider, Ship, Step, Story

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Shipped:
    """A change of the story as it happened. `deployed_at` is None for changes that are only pushed."""

    change: Change
    sha: str
    version: str | None
    deployed_at: datetime | None


@dataclass(slots=True)
class Performance:
    """A story being played, or played."""

    story: Story
    began: datetime
    shipped: list[Shipped] = field(default_factory=list)
    first_alert: datetime | None = None
    first_alert_service: str = ""
    finished: bool = False

    @property
    def guilty(self) -> Shipped | None:
        """The guilty change, once it has shipped."""
        return next((shipped for shipped in self.shipped if shipped.change is self.story.guilty), None)

    @property
    def to_take_back(self) -> list[Shipped]:
        """What a reset takes back: the changes that need the guilty one, then itself."""
        story = self.story
        return [s for s in reversed(self.shipped) if s.change is story.guilty or s.change in story.needing]


class Director:
    """Plays one story at a time; starting another, or resetting, ends the one before."""

    def __init__(self, grounds: Grounds) -> None:
        self.performance: Performance | None = None
        self._grounds = grounds
        self._task: asyncio.Task[None] | None = None
        self._step: asyncio.Task[None] | None = None
        self._good: dict[str, Release] = {}

    async def start(self, story: Story) -> Performance:
        """The shop is healthy again and the story has begun; it goes on by itself."""
        await self.reset()
        self.performance = Performance(story, datetime.now(UTC))
        self._task = asyncio.create_task(self._play(self.performance))
        return self.performance

    async def reset(self) -> None:
        """No story runs, load and provider are normal, the source is as at the start, no guilty version runs."""
        await self.stop()
        grounds = self._grounds
        grounds.set_load("quiet")
        await grounds.set_provider("ok")
        await grounds.restore_source()
        for shipped in self.performance.to_take_back if self.performance else ():
            service = shipped.change.service or ""
            current, good = grounds.deploys.current(service), self._good.get(service)
            if current and current.version == shipped.version and good:
                await grounds.deploys.deploy(good, shipped.change.author)

    async def stop(self) -> None:
        """No story runs; the step that it was at is done to its end, so that what shipped is known."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._step:
            await asyncio.gather(self._step, return_exceptions=True)
            self._step = None

    async def _play(self, performance: Performance) -> None:
        await self._grounds.warm.wait()
        watch = asyncio.create_task(self._watch(performance))
        try:
            steps = performance.story.steps
            await asyncio.gather(self._follow(performance, [step for step in steps if not step.on_alert]), watch)
            await self._follow(performance, [step for step in steps if step.on_alert])
            performance.finished = True
        finally:
            watch.cancel()

    async def _follow(self, performance: Performance, steps: list[Step]) -> None:
        for step in sorted(steps, key=lambda step: step.after):
            start = performance.first_alert if step.on_alert else performance.began
            due = (start or performance.began) + timedelta(seconds=step.after)
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            self._step = asyncio.create_task(self._do(performance, step))
            await asyncio.shield(self._step)

    async def _do(self, performance: Performance, step: Step) -> None:
        match step.deed:
            case SetLoad(level):
                self._grounds.set_load(level)
            case SetProvider(mode):
                await self._grounds.set_provider(mode)
            case Ship(change):
                if change.service and (change.guilty or change in performance.story.needing):
                    good = self._grounds.deploys.current(change.service)
                    if good:
                        self._good[change.service] = good
                commit, release = await self._grounds.ship(change)
                at = datetime.now(UTC) if release else None
                version = release.version if release else None
                performance.shipped.append(Shipped(change, commit.sha, version, at))

    async def _watch(self, performance: Performance) -> None:
        while performance.first_alert is None:
            for alert in self._grounds.alerts:
                if alert.starts_at >= performance.began and performance.first_alert is None:
                    performance.first_alert = alert.starts_at
                    performance.first_alert_service = alert.labels["service"]
            await asyncio.sleep(POLL_SECONDS)


def truth(performance: Performance) -> dict[str, Any]:
    """What really happened, for whoever compares it with what the bot said."""
    guilty = performance.guilty
    return {
        "story": performance.story.name,
        "title": performance.story.title,
        "began": performance.began.isoformat(),
        "finished": performance.finished,
        "guilty": None if performance.story.guilty is None else performance.story.guilty.key,
        "guilty_service": performance.story.guilty.service if performance.story.guilty else None,
        "guilty_sha": guilty.sha if guilty else None,
        "guilty_version": guilty.version if guilty else None,
        "first_alert": performance.first_alert.isoformat() if performance.first_alert else None,
        "first_alert_service": performance.first_alert_service,
        "shipped": [
            {
                "key": shipped.change.key,
                "service": shipped.change.service,
                "message": shipped.change.message,
                "sha": shipped.sha,
                "version": shipped.version,
                "deployed_at": shipped.deployed_at.isoformat() if shipped.deployed_at else None,
            }
            for shipped in performance.shipped
        ],
    }
