"""Half an hour of the shop's metrics and log lines, scraped from its running processes; nothing is made up."""

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.demo.series import Counts, Key, Labels, Recorded, Window, grown, parse, recorded, total
from bot.demo.shop import PROVIDER, SERVICES, Instance, Running, Shop

KEEP_SECONDS = 30 * 60
KEEP_LOG_LINES = 40_000
_COUNTERS = ("_total", "_bucket")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a service's log. `at` is in nanoseconds since the epoch, `text` may span lines (a stack trace)."""

    at: int
    service: str
    instance: str
    level: str
    text: str


@dataclass(slots=True)
class Series:
    """One time series: times in seconds since the epoch, ascending, and their values."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at: float, value: float) -> None:
        self.times.append(at)
        self.values.append(value)
        if self.times[0] < at - KEEP_SECONDS - 60:
            cut = bisect_right(self.times, at - KEEP_SECONDS)
            del self.times[:cut], self.values[:cut]

    def last(self, at: float, within: float) -> float | None:
        """The newest value at or before `at`, unless it is older than `within` seconds."""
        index = bisect_right(self.times, at) - 1
        if index < 0 or self.times[index] < at - within:
            return None
        return self.values[index]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the rules of the prober look at: one instance or one whole service over the window."""

    service: str
    instance: str
    seconds: float
    growth: Counts
    up: bool


class Archive:
    """Metrics and log lines, as they are looked up."""

    def __init__(self) -> None:
        self.series: dict[Key, Series] = {}
        self.logs: deque[LogLine] = deque(maxlen=KEEP_LOG_LINES)

    def select(self, matches: Callable[[Labels], bool], name: str | None) -> Iterable[tuple[Key, Series]]:
        """The series with this metric name (any, if None) whose labels match."""
        return [(key, series) for key, series in sorted(self.series.items()) if name in (None, key[0]) and matches(key[1])]

    def value(self, metric: str, service: str, within: float = 10.0) -> float | None:
        """The newest value of a metric of a service that has no other labels."""
        series = self.series.get((metric, (("service", service),)))
        return series.last(time.time(), within) if series else None


class Telemetry(Archive):
    """Scrapes and keeps; `on_scrape` is called with the fresh readings after each round."""

    def __init__(self, shop: Shop, session: aiohttp.ClientSession, every: float, window: float) -> None:
        super().__init__()
        self.readings: list[Reading] = []
        self.on_scrape: Callable[[list[Reading], float], None] = lambda *_: None
        self._shop = shop
        self._session = session
        self._every = every
        self._window = window
        self._windows: dict[str, Window] = {}
        self._before: dict[Running, Counts] = {}
        self._scraped_at = 0.0

    def keep_log(self, entry: dict[str, Any]) -> None:
        """Take in one line that a process has written."""
        if entry["service"] != PROVIDER:
            at = int(entry["time"] * 1e9)
            text = str(entry["message"])
            self.logs.append(LogLine(at, entry["service"], entry["instance"], entry["level"], text))

    async def run(self) -> None:
        """Scrape until cancelled."""
        while True:
            started = time.monotonic()
            await self.scrape()
            await asyncio.sleep(max(0.05, self._every - (time.monotonic() - started)))

    async def scrape(self) -> None:
        """One round over all instances of the shop's services; the provider is not ours to look into."""
        instances = [one for one in self._shop.instances if one.service != PROVIDER]
        scraped = await asyncio.gather(*(self._scrape(one) for one in instances))
        at = time.time()
        span = min(at - self._scraped_at, 5 * self._every) if self._scraped_at else self._every
        self._scraped_at = at
        self._before = {one.running: counts for one, counts, _ in scraped if one.running and counts}
        self.readings = []
        for service in SERVICES:
            self._take_in(service, [row for row in scraped if row[0].service == service], at, span)
        self.on_scrape(self.readings, at)

    async def _scrape(self, instance: Instance) -> tuple[Instance, Counts | None, Counts]:
        running = instance.running
        if running is None:
            return instance, None, {}
        try:
            timeout = aiohttp.ClientTimeout(total=2.0)
            async with self._session.get(f"{running.admin}/metrics", timeout=timeout) as answer:
                counts = parse(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return instance, None, {}
        return instance, counts, _grown(self._before.get(running, {}), counts)

    def _take_in(self, service: str, scraped: list[tuple[Instance, Counts | None, Counts]], at: float, span: float) -> None:
        whole: Counts = {}
        for instance, counts, growth in scraped:
            for key, amount in growth.items():
                whole[key] = whole.get(key, 0.0) + amount
            labels = (("service", service), ("instance", instance.name))
            self._keep(Recorded("up", labels, 0.0 if counts is None else 1.0), at)
            if counts:
                memory = counts.get(("process_resident_memory_bytes", ()), 0.0)
                self._keep(Recorded("process_resident_memory_bytes", labels, memory), at)
            self._read(service, instance.name, at, span, growth, counts is not None)
        reading = self._read(service, "", at, span, whole, True)
        for row in recorded(service, reading.seconds, reading.growth):
            self._keep(row, at)
        size = sum(counts.get(("pool_size", ()), 0.0) for _, counts, _ in scraped if counts)
        if size and reading.seconds:
            busy = total(reading.growth, "pool_busy_seconds_total") / reading.seconds / size
            self._keep(Recorded("worker_pool_in_use_ratio", (("service", service),), min(busy, 1.0)), at)
            self._keep(Recorded("worker_pool_size", (("service", service),), size), at)

    def _read(self, service: str, instance: str, at: float, span: float, growth: Counts, up: bool) -> Reading:
        window = self._windows.setdefault(instance or service, Window(self._window))
        window.add(at, span, growth)
        seconds, in_window = window.growth()
        reading = Reading(service, instance, seconds, in_window, up)
        self.readings.append(reading)
        return reading

    def _keep(self, row: Recorded, at: float) -> None:
        self.series.setdefault((row.metric, row.labels), Series()).add(at, row.value)


def _grown(before: Counts, now: Counts) -> Counts:
    def counters(counts: Counts) -> Counts:
        return {key: value for key, value in counts.items() if key[0].endswith(_COUNTERS)}

    return grown(counters(before), counters(now))
