"""Rate limits, lost connections, late acknowledgements: what Slack does to apps happens here on demand."""

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler

from bot.workspace.server import PortBusy
from tests.workspace.conftest import Running, bolt, connected, running


async def test_a_429_is_waited_out_by_the_sdk(workspace: Running) -> None:
    client = workspace.slack
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    await workspace.do("faults", method="chat.postMessage", kind="ratelimited", times=1, retry_after=1)
    started = asyncio.get_running_loop().time()
    await client.chat_postMessage(channel="C0ALERTS", text="after a while")
    assert asyncio.get_running_loop().time() - started >= 1
    assert [m["text"] for m in await workspace.messages("C0ALERTS")] == ["after a while"]


async def test_a_429_without_a_handler_carries_retry_after(workspace: Running) -> None:
    await workspace.do("faults", kind="ratelimited", retry_after=7)
    with pytest.raises(SlackApiError) as refusal:
        await workspace.slack.chat_postMessage(channel="C0ALERTS", text="x")
    assert refusal.value.response.status_code == 429
    assert refusal.value.response.headers["Retry-After"] == "7"


async def test_a_dropped_connection_may_have_posted(workspace: Running) -> None:
    await workspace.do("faults", method="chat.postMessage", kind="drop")
    client = workspace.slack
    client.retry_handlers.clear()
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C0ALERTS", text="posted all the same")
    assert [m["text"] for m in await workspace.messages("C0ALERTS")] == ["posted all the same"]
    await workspace.do("faults", method="chat.postMessage", kind="drop_before")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C0ALERTS", text="never posted")
    assert len(await workspace.messages("C0ALERTS")) == 1


async def test_a_server_error_is_an_error_once(workspace: Running) -> None:
    await workspace.do("faults", method="auth.test", kind="error")
    with pytest.raises(SlackApiError) as refusal:
        await workspace.slack.auth_test()
    assert refusal.value.response.status_code == 500
    assert (await workspace.slack.auth_test())["bot_id"] == "B0TOCSIN"


async def test_the_app_comes_back_after_a_disconnect(workspace: Running) -> None:
    app = bolt(workspace)
    heard: list[str] = []

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        heard.append(event["text"])

    async with connected(workspace, app):
        assert (await workspace.do("sockets/disconnect"))["disconnected"] == 1
        await workspace.until(lambda: _sockets(workspace))
        await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="still there?")
        await workspace.until(lambda: heard)
        await workspace.do("sockets/disconnect", abrupt=True)
        await workspace.until(lambda: _sockets(workspace), 10)
        await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="and now?")
        await workspace.until(lambda: len(heard) > 1)
    assert heard == ["still there?", "and now?"]


async def _sockets(workspace: Running) -> int:
    count: int = (await workspace.see())["connected_sockets"]
    return count


async def test_sockets_can_be_refused_for_a_while(workspace: Running) -> None:
    await workspace.do("sockets/refuse", seconds=30)
    with pytest.raises(SlackApiError):
        await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
    await workspace.do("sockets/refuse", seconds=0)
    await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)


@pytest.mark.parametrize("workspace", [1.0], indirect=True)
async def test_what_nobody_acknowledged_comes_again_with_the_same_event_id(workspace: Running) -> None:
    async with aiohttp.ClientSession() as session:
        opened = await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
        async with session.ws_connect(opened["url"]) as socket:
            assert (await socket.receive_json())["type"] == "hello"
            await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="hello?")
            seen = [await socket.receive_json(timeout=30) for _ in range(2)]
            await socket.send_json({"envelope_id": seen[1]["envelope_id"]})
            entries = await workspace.until(lambda: _entries(workspace, "event_acked"))
    assert [e["retry_attempt"] for e in seen] == [0, 1]
    assert seen[1]["retry_reason"] == "timeout"
    assert len({e["payload"]["event_id"] for e in seen}) == 1
    assert len({e["envelope_id"] for e in seen}) == 2
    assert entries[0]["event_id"] == seen[0]["payload"]["event_id"]


async def _entries(workspace: Running, kind: str) -> list[Any]:
    entries = (await workspace.see("transcript"))["entries"]
    return [e for e in entries if e["kind"] == kind]


async def test_a_lost_socket_hands_its_event_to_the_next_one(workspace: Running) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = []
        for _ in range(2):
            opened = await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
            sockets.append(await session.ws_connect(opened["url"]))
            await sockets[-1].receive_json()
        await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="hello?")
        first = await sockets[0].receive_json(timeout=30)
        await sockets[0].close()
        again = await sockets[1].receive_json(timeout=30)
        await sockets[1].close()
    assert again["payload"]["event_id"] == first["payload"]["event_id"]
    assert again["retry_reason"] == "connection_closed"


async def test_each_envelope_goes_to_one_socket(workspace: Running) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = []
        for _ in range(2):
            opened = await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
            sockets.append(await session.ws_connect(opened["url"]))
            await sockets[-1].receive_json()
        for text in ("one", "two"):
            await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text=text)
        seen = [await s.receive_json(timeout=30) for s in sockets]
        for socket in sockets:
            await socket.close()
    assert {e["payload"]["event"]["text"] for e in seen} == {"one", "two"}


async def test_an_address_for_a_socket_works_once(workspace: Running) -> None:
    opened = await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(opened["url"]):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(opened["url"])


async def test_a_busy_port_is_said_plainly(workspace: Running) -> None:
    with pytest.raises(PortBusy, match=rf"Port {workspace.config.port} .* --port"):
        async with running(port=workspace.config.port):
            pass


async def test_posting_faster_than_slack_allows_is_refused_where_that_is_enforced() -> None:
    async with running(enforce_rate=True) as workspace:
        with pytest.raises(SlackApiError) as refusal:
            for number in range(8):
                await workspace.slack.chat_postMessage(channel="C0ALERTS", text=str(number))
        await workspace.slack.chat_postMessage(channel="C0PAYMENTS", text="another channel")
    assert refusal.value.response["error"] == "ratelimited"
    assert int(refusal.value.response.headers["Retry-After"]) >= 1
