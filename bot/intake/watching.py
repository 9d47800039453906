"""What watchers see is kept in the inbox like a webhook's delivery, and waits for as long as the inbox is full or away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.intake.grouping import Full, Grouping
from bot.intake.meters import Meters
from bot.ports import Connector, Delivery, Watcher

log = logging.getLogger(__name__)
PAUSE = 1.0  # seconds until a full inbox is tried again
LONGEST = 30.0


class Watching:
    """Runs every watcher beside the drain; one that breaks is started again, the others do not notice."""

    def __init__(
        self,
        desk: Desk,
        watchers: Mapping[str, Watcher],
        readers: Mapping[str, Connector],
        meters: Meters,
        most_waiting: int,
        arrived: Callable[[int], None],
        *,
        pause: float = PAUSE,
    ) -> None:
        self._watchers = watchers
        self._broken: dict[str, str] = {}  # those that ended, until they are started again
        self._readers = readers
        self._meters = meters
        self._pause = pause
        self._grouping = Grouping(desk.db, desk.inbox, most_waiting, arrived)

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.gather(*(self._one(name, watcher) for name, watcher in self._watchers.items()))

    def probes(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """What the self-check asks: why a watcher does not see everything at the moment, "" while it does."""
        return {f"watch of {name}": partial(self._trouble, name) for name in self._watchers}

    async def _trouble(self, name: str) -> str:
        return self._broken.get(name) or self._watchers[name].trouble()

    async def keep(self, delivery: Delivery) -> None:
        """Returns once it is on disk; what is there already counts once."""
        reader = self._readers[delivery.connector].webhook
        id, pause = reader.delivery_id(delivery) if reader else "", self._pause
        while True:
            try:
                new = await self._grouping.keep(delivery, id)
            except (Full, Unavailable):  # the cluster does not send again: it is held here
                self._meters.watched.labels(delivery.connector, "inbox full").inc()
                await asyncio.sleep(pause)
                pause = min(LONGEST, 2 * pause)
                continue
            self._meters.watched.labels(delivery.connector, "accepted" if new else "duplicate").inc()
            return

    async def _one(self, name: str, watcher: Watcher) -> None:
        pause = self._pause
        while True:
            self._broken.pop(name, None)
            try:
                await watcher.watch(self.keep)
                self._broken[name] = "it ended by itself"
                log.error("the watcher %s ended by itself; it is started again", name)
            except Exception as error:  # the work loop: a vendor's bug must not end the bot
                self._broken[name] = f"it breaks off ({type(error).__name__}); see the log"
                log.exception("the watcher %s failed; it is started again in %.0f s", name, pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST, 2 * pause)
