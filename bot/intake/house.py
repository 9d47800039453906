"""The bot's own pages: whether it lives, whether every part works, what was counted."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.intake.meters import Meters

PROBE = 3.0  # seconds that the database has to answer


def create_house(desk: Desk, meters: Meters, probes: Mapping[str, Callable[[], bool]]) -> Starlette:
    """GET /healthz, /readyz and /metrics; `probes` by name say whether a part of the bot works."""
    house = _House(desk, meters, dict(probes))
    return Starlette(
        routes=[
            Route("/healthz", house.healthz, methods=["GET"]),
            Route("/readyz", house.readyz, methods=["GET"]),
            Route("/metrics", house.metrics, methods=["GET"]),
        ]
    )


class _House:
    def __init__(self, desk: Desk, meters: Meters, probes: Mapping[str, Callable[[], bool]]) -> None:
        self._desk = desk
        self._meters = meters
        self._probes = probes

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Every part works, or which do not."""
        failing = [name for name, works in self._probes.items() if not works()]
        try:
            await self._count()
        except (Unavailable, TimeoutError):
            failing.append("database")
        if failing:
            return JSONResponse({"status": "not ready", "failing": sorted(failing)}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(self, _request: Request) -> Response:
        """Counters in the text format of Prometheus."""
        with contextlib.suppress(Unavailable, TimeoutError):  # the last number stands; /readyz says what is wrong
            await self._count()
        return Response(self._meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _count(self) -> None:
        async with asyncio.timeout(PROBE):
            self._meters.waiting.set(await self._desk.db.read(self._desk.inbox.waiting))
