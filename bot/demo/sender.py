"""Webhooks on their way: sent in order, tried again while the receiver is away or busy, never holding anyone up."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

import aiohttp

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 4.0
GIVE_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook: where to, what, with which headers."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Sender:
    """One destination's queue. `statuses` counts the answers; `refused` keeps the last words of refusals."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.statuses: Counter[int] = Counter()
        self.refused: deque[str] = deque(maxlen=20)
        self._session = session
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()

    def send(self, delivery: Delivery) -> None:
        """Queue a delivery; returns at once."""
        self._queue.put_nowait(delivery)

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._deliver(await self._queue.get())
            self._queue.task_done()

    async def drained(self) -> None:
        """Returns when everything that was queued has been delivered or given up."""
        await self._queue.join()

    async def _deliver(self, delivery: Delivery) -> None:
        pause, spent = FIRST_PAUSE_SECONDS, 0.0
        while spent < GIVE_UP_SECONDS:
            status, words = await self._attempt(delivery)
            self.statuses[status] += 1
            if status and status < 500 and status != 429:
                if status >= 300:
                    self.refused.append(f"{status} {words}")
                return
            await asyncio.sleep(pause)
            spent += pause
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self.refused.append(f"given up after {GIVE_UP_SECONDS:.0f} s: {delivery.url}")

    async def _attempt(self, delivery: Delivery) -> tuple[int, str]:
        timeout = aiohttp.ClientTimeout(total=10)
        headers = {"Content-Type": "application/json", **delivery.headers}
        try:
            async with self._session.post(delivery.url, data=delivery.body, headers=headers, timeout=timeout) as answer:
                return answer.status, (await answer.text())[:200]
        except (aiohttp.ClientError, TimeoutError):
            return 0, "no answer"
