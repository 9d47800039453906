"""Questions to a Prometheus whose answers are readings, and what it has of services, remembered for some minutes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from bot.domain.service import Service
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.errors import BotError
from connectors.prometheus import golden
from connectors.prometheus.api import Points, PrometheusApi, rows_of
from connectors.prometheus.settings import PrometheusSettings

NAME = "prometheus"
AT_ONCE = 8  # questions that wait for answers
LOOK_AGAIN = 300.0  # seconds after which it is asked anew which metrics there are
LOOK_BACK = timedelta(hours=1)  # how far metrics are looked for
MOST_KEPT = 50  # sets of services whose metrics are remembered
MOST_ALIASES = 3  # of one service
T = TypeVar("T")
Rows = list[tuple[dict[str, str], Points]]


class Asking:
    """Range queries over one window."""

    def __init__(self, api: PrometheusApi, window: Window, step: float, most: int) -> None:
        self._api = api
        self._window = window
        self._step = step
        self._most = most

    async def ask(self, query: str, made: Callable[[Rows], Sequence[Series]]) -> Readings:
        """What a query answers, as the series that are made of it; a failure is a reading too."""
        try:
            answer = await self._api.range(query, self._window, self._step, self._most)
            series = tuple(made(rows_of(answer)))[: self._most]
        except BotError as error:
            return failed(query, self._window, error)
        status, reason = (SourceStatus.OK, "") if series else (SourceStatus.NO_DATA, "no series match")
        return Readings(NAME, query, self._window, status, reason, self._api.page(query, self._window), series=series)


@dataclass(frozen=True, slots=True)
class Known:
    """What there is of some services, until when that is believed, or why it is not known."""

    until: float
    found: golden.There
    failure: BotError | None = None


class Finder:
    """Which of the known metrics a Prometheus has of services."""

    def __init__(self, api: PrometheusApi, settings: PrometheusSettings, ticks: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._settings = settings
        self._ticks = ticks
        self._known: dict[tuple[tuple[str, ...], ...], Known] = {}
        self._looking = asyncio.Lock()

    async def there(self, said: Mapping[str, Service], window: Window) -> Known:
        """What there is of these services about the end of a window."""
        if not self._settings.golden:
            return Known(0.0, {})
        key = tuple(sorted((name, one.metrics.selector, *one.aliases) for name, one in said.items()))
        async with self._looking:  # two windows are read at the same time, of the same services
            known = self._known.get(key)
            if known is None or known.until <= self._ticks():
                if len(self._known) >= MOST_KEPT:
                    self._known.clear()
                known = self._known[key] = await self._look(said, window)
        return known

    async def _look(self, said: Mapping[str, Service], window: Window) -> Known:
        back = Window(min(window.start, window.end - LOOK_BACK), window.end)
        names, labels = tuple(spellings(said)), self._settings.labels
        own = [(name, bare(one.metrics.selector)) for name, one in said.items() if one.metrics.selector]
        try:
            rows = await self._api.series(golden.selectors(names, labels), back)
            theirs = await some_at_once([self._api.series([golden.described(matchers)], back) for _, matchers in own])
        except BotError as error:
            return Known(self._ticks() + self._settings.timeout_seconds, {}, error)
        found = dict(golden.there(rows, names, labels))
        for (name, _), rows in zip(own, theirs, strict=True):
            found |= golden.there_of(rows, name)
        return Known(self._ticks() + LOOK_AGAIN, found)


def spellings(said: Mapping[str, Service]) -> dict[str, str]:
    """The names that services may be found by, each with the service that is meant."""
    return {alias: name for name, one in said.items() for alias in one.aliases[:MOST_ALIASES]} | {name: name for name in said}


def bare(selector: str) -> str:
    """The matchers of a selector without its braces."""
    return selector.strip("{} \n").rstrip(", ")


def failed(query: str, window: Window, error: BotError, before: str = "") -> Readings:
    """A question that was not answered."""
    return Readings(NAME, query, window, SourceStatus.FAILED, f"{before}{error}".replace("$: ", "")[:300])


async def some_at_once(asked: Sequence[Awaitable[T]]) -> list[T]:
    """All answers in order; only some questions are open at the same time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(question: Awaitable[T]) -> T:
        async with turn:
            return await question

    return list(await asyncio.gather(*(one(question) for question in asked)))
