"""One process of a trial, life after life."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.once.house import House, Life
from tests.once.living import EXECUTOR
from tests.once.plan import Blow, Plan
from tests.once.steps import FREEZE


class Replica:
    """One bot, or one executor, which is started anew whenever it was killed. `spread`: a blow befalls all processes."""

    def __init__(
        self, house: House, folder: Path, name: str, role: str, url: str, door: str, plan: Plan, spread: Callable[[], None]
    ) -> None:
        self._house, self._folder, self._name, self._url, self._role = house, folder, name, url, role
        self._door, self._plan, self._spread = door, plan, spread
        self._blows = plan.blows
        self._life: Life | None = None
        self.lives = 0
        self._closing = False

    @property
    def port(self) -> int | None:
        """Where it is reached; None while it is not up."""
        life = self._life
        return life.port.result() if life and life.port.done() and not life.ended.done() else None

    def steps(self) -> list[str]:
        """Every step of all its lives."""
        files = sorted(self._folder.glob(f"steps-{self._name}-*"))
        return [line for file in files for line in file.read_text().splitlines()]

    async def tend(self) -> None:
        """Life after life, until it is closed."""
        if self._role == EXECUTOR:
            await asyncio.sleep(self._plan.late)
        while not self._closing:
            blow = next((b for b in self._blows if not self._mark(b).exists()), None)
            await self._start(blow)
            assert self._life is not None
            standing = asyncio.create_task(self._stand_still(blow)) if blow and blow.how == FREEZE else None
            status = await self._life.ended
            if standing is not None:
                standing.cancel()
            if self._closing:
                return
            if status != -signal.SIGKILL:
                log = (self._folder / f"{self._name}.log").read_text()
                raise AssertionError(f"{self._name} ended by itself: {log[-3000:]}")
            mine = blow is not None and self._fell(blow)
            if blow is not None and mine and blow.wide:
                self._spread()
            await asyncio.sleep(blow.again if blow is not None and mine else 0.2)

    def _fell(self, blow: Blow) -> bool:
        """It was this life that the blow befell."""
        file = self._folder / f"steps-{self._name}-{self.lives:03}"
        return file.exists() and file.read_text().endswith(f"! {blow.how} {blow.step}\n")

    def kill(self) -> None:
        """It is gone at once; its life after that begins soon."""
        if self._life is not None and not self._life.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._life.pid, signal.SIGKILL)

    def _mark(self, blow: Blow) -> Path:
        """The file that is there once the blow fell."""
        return self._folder / f"blow-{self._blows.index(blow)}"

    async def _start(self, blow: Blow | None) -> None:
        self.lives += 1
        folder, name = self._folder, self._name
        data = folder / f".{name}" if self._url.startswith("postgresql") or self._role == EXECUTOR else folder / ".tocsin"
        environment = self._house.environment(folder, self._url, self._role, self._plan.lane.apart, self._door)
        self._life = await self._house.nursery.bear(
            {
                "role": self._role,
                "folder": str(folder / "executor" if self._role == EXECUTOR else folder),
                "log": str(folder / f"{name}.log"),
                "steps": str(folder / f"steps-{name}-{self.lives:03}"),
                "environment": {**environment, "TOCSIN_DATA_DIR": str(data)},
                "fatal": [blow.step, blow.nth, blow.how, str(self._mark(blow))] if blow else None,
            }
        )

    async def _stand_still(self, blow: Blow) -> None:
        assert self._life is not None
        file = self._folder / f"steps-{self._name}-{self.lives:03}"
        while not self._life.ended.done():
            if file.exists() and "\n! " in file.read_text():
                await asyncio.sleep(blow.again)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._life.pid, signal.SIGCONT)
                return
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """It is gone for good."""
        self._closing = True
        self.kill()
        if self._life is not None:
            await self._life.ended
