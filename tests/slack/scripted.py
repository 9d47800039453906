"""A tiny HTTP server that answers Slack's methods as it was told, and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

BREAK = "break"  # the connection is closed without an answer
HANG = "hang"  # no answer, ever
ME = {"ok": True, "user_id": "U0TOCSIN", "bot_id": "B0TOCSIN", "team": "T", "team_id": "T0"}


@dataclass
class Scripted:
    """`answers[method]` are given in turn, the last one for ever; an answer is a body, or (status, headers, body)."""

    url: str = ""
    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [method for method, _ in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any method."""
        method = request.path.removeprefix("/api/")
        body = await request.text()
        kind = request.headers.get("Content-Type", "")
        given = json.loads(body) if "json" in kind else _flat(body)
        self.asked.append((method, {**_flat(urlsplit(str(request.url)).query), **given}))
        waiting = self.answers.get(method, [ME if method == "auth.test" else {"ok": True}])
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if answer == HANG:
            await asyncio.sleep(30)
        if answer == BREAK:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(answer, tuple):
            status, headers, text = answer
            return web.Response(status=status, headers=headers, text=text)
        return web.json_response(answer)


def _flat(query: str) -> dict[str, Any]:
    return {k: v[0] for k, v in parse_qs(query).items()}


@asynccontextmanager
async def scripted(**answers: Any) -> AsyncIterator[Scripted]:
    """A running one; `chat_postMessage=[...]` are the answers of chat.postMessage."""
    server = Scripted(answers={k.replace("_", "."): list(v) for k, v in answers.items()})
    app = web.Application()
    app.router.add_route("*", "/api/{method}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/api/"
    try:
        yield server
    finally:
        await runner.cleanup()
