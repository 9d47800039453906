"""Everything that the bot calls, behind one door on loopback that can hang: Slack's API handed on, vendors, a model.

While it hangs, a request is read and never answered, as by a machine whose network is gone in one direction.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.commands.loopback import free_port

WELL = {
    "prometheus": {"status": "success", "data": {"resultType": "matrix", "result": []}},
    "loki": {"status": "success", "data": {"resultType": "streams", "result": []}},
    "alertmanager": [],
    "pagerduty": {"status": "success", "dedup_key": "x", "oncalls": []},
    "opsgenie": {"result": "Request will be processed", "data": {}},
    "github": {"message": "Not Found"},
}
_NOT_HANDED_ON = ("host", "content-length", "transfer-encoding", "connection", "content-encoding", "date", "server")


@dataclass
class Outside:
    """The door. `asked` counts what came, by the first word of the path; `slack_hangs`, `vendors_hang`: no answer from now on."""

    port: int
    slack_url: str
    http: httpx.AsyncClient
    asked: Counter[str] = field(default_factory=Counter)
    slack_hangs: bool = False
    vendors_hang: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its address; a vendor is the first word of the path."""
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: Request) -> Response:
        """One request of the bot's."""
        who = request.url.path.split("/")[1]
        self.asked[who] += 1
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        if self.slack_hangs if who == "slack" else self.vendors_hang:
            await self.gone.wait()
            return Response(status_code=504)  # nobody listens any more
        if who == "slack":
            return await self._handed_on(request, body)
        if who in WELL:
            return Response(json.dumps(WELL[who]), 404 if who == "github" else 200, media_type="application/json")
        return Response(status_code=503)

    async def _handed_on(self, request: Request, body: bytes) -> Response:
        headers = {k: v for k, v in request.headers.items() if k not in _NOT_HANDED_ON}
        url = f"{self.slack_url}{request.url.path.removeprefix('/slack')}"
        try:
            answer = await self.http.request(request.method, url, params=request.query_params, content=body, headers=headers)
        except httpx.HTTPError:
            return Response(status_code=502)
        kept = {k: v for k, v in answer.headers.items() if k not in _NOT_HANDED_ON}
        return Response(answer.content, answer.status_code, kept)


@contextlib.asynccontextmanager
async def outside(slack_url: str) -> AsyncIterator[Outside]:
    """It listens while this is entered."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        door = Outside(free_port(), slack_url, http)
        pages = Starlette(routes=[Route("/{path:path}", door.answer, methods=["GET", "POST", "PUT", "DELETE"])])
        config = uvicorn.Config(pages, port=door.port, log_level="error", lifespan="off", timeout_graceful_shutdown=0)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # pytest keeps its handlers
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield door
        finally:
            door.gone.set()
            server.should_exit = server.force_exit = True
            await task
