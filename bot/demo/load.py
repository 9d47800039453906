"""Customers: an open stream of requests to the storefront, which keeps coming whether the shop answers or not."""

import asyncio
import itertools
import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import aiohttp

PRODUCTS = 24
PATIENCE_SECONDS = 8.0
MOST_IN_FLIGHT = 300


@dataclass(frozen=True, slots=True)
class Level:
    """Visits and orders per second, in all."""

    browse: float
    orders: float


QUIET = Level(browse=9.0, orders=4.0)
BUSY = Level(browse=14.0, orders=10.0)
LEVELS = {"quiet": QUIET, "busy": BUSY}


class Load:
    """The stream of customers; `level` may change at any time."""

    def __init__(self, session: aiohttp.ClientSession, addresses: list[str], seed: int) -> None:
        self.level = QUIET
        self.results: deque[bool] = deque(maxlen=200)
        self._session = session
        self._addresses = itertools.cycle(addresses)
        self._chance = random.Random(seed)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            await asyncio.gather(self._stream("browse"), self._stream("orders"))
        finally:
            for task in self._in_flight:
                task.cancel()

    async def _stream(self, kind: str) -> None:
        while True:
            rate: float = getattr(self.level, kind)
            await asyncio.sleep(self._chance.uniform(0.6, 1.4) / rate)
            if len(self._in_flight) < MOST_IN_FLIGHT:
                task = asyncio.create_task(self._order() if kind == "orders" else self._browse())
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)

    async def _browse(self) -> None:
        if self._chance.random() < 0.4:
            await self._send("GET", "/")
        else:
            await self._send("GET", f"/product?sku=sku-{self._chance.randint(1, PRODUCTS - 2)}")

    async def _order(self) -> None:
        number = next(self._numbers)
        lines = [
            {"sku": f"sku-{self._chance.randint(1, PRODUCTS - 2)}", "quantity": self._chance.randint(1, 3)}
            for _ in range(self._chance.randint(1, 3))
        ]
        order: dict[str, Any] = {"customer": f"c-{number}", "lines": lines}
        if self._chance.random() < 0.4:
            order["coupon"] = {"code": "AUTUMN", "percent": 10}
        if self._chance.random() < 0.6:
            order["currency"] = self._chance.choice(["EUR", "EUR", "SEK", "GBP"])
        if self._chance.random() < 0.3:
            order["gift"] = {"greeting": "Many happy returns!"}
        await self._send("POST", "/orders", order)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        url = f"http://{next(self._addresses)}{path}"
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        try:
            async with self._session.request(method, url, json=body, timeout=timeout) as answer:
                await answer.read()
                self.results.append(answer.status < 500)
        except (aiohttp.ClientError, TimeoutError):
            self.results.append(False)
