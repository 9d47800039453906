"""A cache whose entries live for a fixed time; one caller refreshes while the others wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from lib.metrics import Metrics


class Cache:
    def __init__(self, name: str, seconds: float, metrics: Metrics) -> None:
        self._name = name
        self._seconds = seconds
        self._metrics = metrics
        self._entries: dict[str, tuple[float, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, fetch: Callable[[], Awaitable[Any]]) -> Any:
        """The cached value of `key`, fetched when it is missing or too old."""
        if (found := self._fresh(key)) is not None:
            self._metrics.add("cache_hits_total", cache=self._name)
            return found
        if self._seconds <= 0:
            self._metrics.add("cache_misses_total", cache=self._name)
            return await fetch()
        async with self._locks.setdefault(key, asyncio.Lock()):
            if (found := self._fresh(key)) is not None:
                self._metrics.add("cache_hits_total", cache=self._name)
                return found
            self._metrics.add("cache_misses_total", cache=self._name)
            value = await fetch()
            self._entries[key] = (time.monotonic() + self._seconds, value)
            return value

    def forget(self, key: str) -> None:
        self._entries.pop(key, None)

    def _fresh(self, key: str) -> Any:
        until, value = self._entries.get(key, (0.0, None))
        return value if time.monotonic() < until else None
