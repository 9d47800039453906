"""An evidence source that speaks Prometheus' range query API on loopback, as slowly as a test wants."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.commands.loopback import free_port

MATRIX = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})


@dataclass
class SlowPrometheus:
    """`asked` counts the queries; each is answered after `seconds`."""

    seconds: float
    port: int
    asked: int = 0
    first: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def toml(self) -> str:
        """The lines that connect the bot to it, patient enough to wait longer than the gather deadline."""
        return f'[connectors.prometheus]\nurl = "http://127.0.0.1:{self.port}"\ntimeout_seconds = 60'

    async def answer(self, _request: Request) -> Response:
        """Nothing is known, after a while."""
        self.asked += 1
        self.first.set()
        await asyncio.sleep(self.seconds)
        return Response(MATRIX, media_type="application/json")


@contextlib.asynccontextmanager
async def slow_prometheus(seconds: float) -> AsyncIterator[SlowPrometheus]:
    """It listens while this is entered."""
    source = SlowPrometheus(seconds, free_port())
    pages = Starlette(routes=[Route("/{path:path}", source.answer, methods=["GET", "POST"])])
    config = uvicorn.Config(pages, port=source.port, log_level="error", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # pytest keeps its handlers
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield source
    finally:
        server.should_exit = server.force_exit = True
        await task
