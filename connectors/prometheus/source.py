"""Numbers of services as evidence, read-only."""

import asyncio
from collections.abc import Sequence

import httpx

from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.errors import BotError
from connectors.prometheus.api import PrometheusApi, quoted, series_of, step_seconds
from connectors.prometheus.settings import PrometheusSettings

NAME = "prometheus"


class Prometheus:
    """Series per service over a window, at most 720 points each; counters become rates per second."""

    name = NAME

    def __init__(self, settings: PrometheusSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._api = PrometheusApi(settings, transport)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        return tuple(await asyncio.gather(*(self._service(s, window) for s in services)))

    async def _service(self, service: str, window: Window) -> Readings:
        query = self._settings.selector.format(service=quoted(service))
        try:
            answer = await self._api.range(query, window, step_seconds(window), self._settings.max_series)
            series = series_of(answer, service)[: self._settings.max_series]
        except BotError as error:
            return Readings(NAME, query, window, SourceStatus.FAILED, str(error).removeprefix("$: "))
        status = SourceStatus.OK if series else SourceStatus.NO_DATA
        link = self._api.page(query, window)
        return Readings(NAME, query, window, status, "" if series else "no series match", link, series=series)
