"""A small server that stands where the bot's intake would be, and remembers what arrives."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.raw))


@dataclass(slots=True)
class Receiver:
    """`busy` answers 503 so many times before it takes anything."""

    url: str = ""
    busy: int = 0
    got: list[Received] = field(default_factory=list)

    def of(self, event: str) -> list[Received]:
        return [one for one in self.got if one.headers.get("X-GitHub-Event") == event]

    async def until(self, count: int, path: str = "") -> list[Received]:
        async with asyncio.timeout(60):
            while len(found := [one for one in self.got if one.path.endswith(path)]) < count:
                await asyncio.sleep(0.05)
        return found


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()

    async def take(request: web.Request) -> web.Response:
        if receiver.busy:
            receiver.busy -= 1
            return web.Response(status=503, headers={"Retry-After": "1"})
        receiver.got.append(Received(request.path, dict(request.headers), await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/webhooks/{connector}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.5)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
