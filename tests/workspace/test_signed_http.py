"""With an events URL the workspace speaks signed HTTP, and slack-bolt's own verification agrees."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.workspace.conftest import Running, running

SECRET = "the-secret-of-this-test"


@contextlib.asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """The app on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/slack/events"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def app_over_http(secret: str) -> AsyncIterator[tuple[AsyncApp, Running]]:
    holder: dict[str, Any] = {}

    async def events(request: Request) -> Response:
        answer: Response = await AsyncSlackRequestHandler(holder["app"]).handle(request)
        return answer

    site = Starlette(routes=[Route("/slack/events", events, methods=["POST"])])
    async with listening(site) as url:
        async with running(events_url=url, signing_secret=SECRET, ack_seconds=1.0, retry_delays=(0.0,)) as workspace:
            client = AsyncWebClient(workspace.config.bot_token, base_url=f"{workspace.config.base_url}/api/")
            holder["app"] = app = AsyncApp(client=client, signing_secret=secret)
            yield app, workspace


async def test_events_commands_and_buttons_arrive_signed() -> None:
    async with app_over_http(SECRET) as (app, workspace):
        heard: list[str] = []

        @app.event("message")
        async def message(event: dict[str, Any]) -> None:
            heard.append(event["text"])

        @app.command("/incident")
        async def incident(ack: Any, command: dict[str, Any]) -> None:
            await ack(f"Looking for {command['text']}")

        @app.action("go")
        async def go(ack: Any, respond: Any) -> None:
            await ack()
            await respond(text="gone", replace_original=True)

        await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="hello & goodbye")
        await workspace.until(lambda: heard)
        done = await workspace.do("commands", **{"as": "U0ONCALL"}, channel="C0ALERTS", command="/incident", text="ü 1")
        assert done["acked"]
        [answer] = (await workspace.see("ephemerals", **{"as": "U0ONCALL"}))["messages"]
        assert answer["text"] == "Looking for ü 1"
        button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        blocks = [{"type": "actions", "elements": [button]}]
        posted = await app.client.chat_postMessage(channel="C0PAYMENTS", text="Go?", blocks=blocks)
        where = {"as": "U0APPROVER", "channel": "C0PAYMENTS", "ts": posted["ts"]}
        assert (await workspace.do("actions", **where, action_id="go"))["acked"]
        [message_now] = await workspace.messages("C0PAYMENTS")
        assert message_now["text"] == "gone"
    assert heard[0] == "hello &amp; goodbye"


async def test_a_wrong_secret_is_refused_by_bolt_and_the_event_is_lost() -> None:
    async with app_over_http("another-secret") as (_, workspace):
        await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="hello")

        async def lost() -> list[Any]:
            entries = (await workspace.see("transcript"))["entries"]
            return [e for e in entries if e["kind"] == "event_lost"]

        [entry] = await workspace.until(lost)
        assert entry["reason"] == "http_error"
