"""A workspace on a free port, a client for its HTTP API, and an unmodified Bolt app."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace.server import WorkspaceConfig, serve

SCHEMA = Path(__file__).parents[3] / "shared" / "contracts" / "blockkit.schema.json"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Running:
    """A running workspace as its users see it: by HTTP only."""

    config: WorkspaceConfig
    http: httpx.AsyncClient

    @property
    def slack(self) -> AsyncWebClient:
        return AsyncWebClient(self.config.bot_token, base_url=f"{self.config.base_url}/api/")

    async def do(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/workspace/{path}", json=fields)
        body: dict[str, Any] = answer.json()
        return body

    async def see(self, path: str = "", **query: str) -> dict[str, Any]:
        answer = await self.http.get(f"/workspace/{path}".rstrip("/"), params=query)
        body: dict[str, Any] = answer.json()
        return body

    async def messages(self, channel: str = "C0INCIDENTS", user: str = "U0ONCALL", thread: str = "") -> list[Any]:
        query = {"channel": channel, "as": user, "thread_ts": thread}
        found: list[Any] = (await self.see("messages", **query))["messages"]
        return found

    async def until(self, true: Callable[[], Any], seconds: float = 30.0) -> Any:
        """The first truthy value of `true` (a coroutine function or not); an error after so many seconds."""
        async with asyncio.timeout(seconds):
            while True:
                value = true()
                value = await value if asyncio.iscoroutine(value) else value
                if value:
                    return value
                await asyncio.sleep(0.02)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Running]]


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Running]:
    settings.setdefault("port", 0)
    ready: asyncio.Future[WorkspaceConfig] = asyncio.get_running_loop().create_future()
    clock = settings.pop("clock", None)
    more = {"clock": clock} if clock else {}
    task = asyncio.create_task(serve(WorkspaceConfig(**settings), ready.set_result, **more))
    try:
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        config = ready.result()
        async with httpx.AsyncClient(base_url=config.base_url, trust_env=False, timeout=30) as http:
            yield Running(config, http)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def workspace(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """It waits as long for an acknowledgement as Slack does; the parameter is how many seconds instead."""
    async with running(ack_seconds=getattr(request, "param", 3.0), retry_delays=(0.0, 0.2)) as it:
        yield it


@contextlib.asynccontextmanager
async def connected(workspace: Running, app: AsyncApp | None = None) -> AsyncIterator[AsyncApp]:
    """The app, connected by Socket Mode as slack-bolt does it."""
    app = app or bolt(workspace)
    handler = AsyncSocketModeHandler(app, workspace.config.app_token, ping_interval=1)
    handler.client.ping_interval = 1
    await handler.connect_async()
    try:
        yield app
    finally:
        await handler.close_async()


def bolt(workspace: Running) -> AsyncApp:
    return AsyncApp(client=workspace.slack)


def block_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema
