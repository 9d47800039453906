"""The two doors that Slack's requests come through: signed HTTP, and a socket that outlives Slack's absence."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette

from bot.errors import BadSettings
from bot.flows.desk import Desk
from bot.slack.app import build_app, http_route
from bot.slack.socket import SocketMode, without_secrets
from tests.fakes import FakeChannel
from tests.slack.scripted import Scripted, scripted
from tests.slack.test_app import OnlyAChannel, Remembering
from tests.workspace.conftest import running

SECRET = "the signing secret"
BODY = "command=%2Fincident&text=list&user_id=U1&channel_id=C1&team_id=T1&trigger_id=1.2&user_name=o"


@asynccontextmanager
async def door(server: Scripted, flows: Remembering) -> AsyncIterator[httpx.AsyncClient]:
    desk = cast(Desk, OnlyAChannel(FakeChannel()))
    app = build_app(desk, flows.stories, bot_token="xoxb-1", signing_secret=SECRET, api_url=server.url)
    transport = httpx.ASGITransport(Starlette(routes=[http_route(app, SECRET)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        yield client


def headers(body: str, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    moment = str(int(at or time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=moment, body=body)
    kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
    return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": signature or "", "Content-Type": kind}


async def test_a_signed_command_is_acknowledged_and_reaches_its_flow() -> None:
    flows = Remembering()
    async with scripted() as server, door(server, flows) as client:
        answer = await client.post("/slack/events", content=BODY, headers=headers(BODY))
        assert (answer.status_code, answer.text) == (200, "")
        async with asyncio.timeout(30):
            while not flows.asked:
                await asyncio.sleep(0.01)
    assert flows.asked[0][1].words == ("list",)


def interaction(kind: str, **fields: Any) -> str:
    person = {"user": {"id": "U1", "username": "o", "team_id": "T1"}, "team": {"id": "T1"}, "token": "x"}
    return urlencode({"payload": json.dumps({"type": kind, "trigger_id": "1.2", **person, **fields})})


ORDER = json.dumps({"channel": "C1", "kind": "rollback"})
VALUES = {"service": {"form_service": {"selected_option": {"value": "payments"}}}, "version:payments": {"text": {"value": "v42"}}}
FORM = {"id": "V1", "type": "modal", "callback_id": "tocsin_rollback", "private_metadata": ORDER, "state": {"values": VALUES}}
BLOCKS = [{"block_id": "version:payments"}]
SPOKEN = {"message": {"ts": "5.1", "text": "down", "user": "U2"}, "channel": {"id": "C1"}, "message_ts": "5.1"}
ITEM = {"type": "message", "channel": "C1", "ts": "5.1"}
REACTION = {"type": "reaction_added", "user": "U1", "reaction": "pushpin", "item": ITEM, "event_ts": "6.1"}


@pytest.mark.parametrize(
    ("body", "flow"),
    [
        (interaction("view_submission", view={**FORM, "blocks": BLOCKS}), "order"),
        (interaction("message_action", callback_id="tocsin_pin_message", action_ts="7.1", **SPOKEN), "pin"),
        (json.dumps({"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": REACTION}), "pin"),
    ],
    ids=["a form", "a shortcut", "a reaction"],
)
async def test_forms_shortcuts_and_reactions_come_by_signed_http_too(body: str, flow: str) -> None:
    flows = Remembering()
    async with scripted() as server, door(server, flows) as client:
        assert (await client.post("/slack/events", content=body, headers=headers(body, "another"))).status_code == 401
        answer = await client.post("/slack/events", content=body, headers=headers(body))
        assert (answer.status_code, answer.text) == (200, "")
        async with asyncio.timeout(30):
            while not flows.asked:
                await asyncio.sleep(0.01)
    assert [name for name, _ in flows.asked] == [flow]


async def test_by_http_too_a_wrong_form_is_told_under_its_field_and_services_are_suggested() -> None:
    values = {**VALUES, "version:payments": {"text": {"value": "wrong"}}}
    form = {**FORM, "blocks": BLOCKS, "state": {"values": values}}
    sent = interaction("view_submission", view=form)
    typed = interaction("block_suggestion", action_id="form_service", block_id="service", value="check", view=FORM)
    async with scripted() as server, door(server, Remembering()) as client:
        wrong = await client.post("/slack/events", content=sent, headers=headers(sent))
        found = await client.post("/slack/events", content=typed, headers=headers(typed))
    assert wrong.json() == {"response_action": "errors", "errors": {"version:payments": "There is no such version."}}
    assert [o["value"] for o in found.json()["options"]] == ["checkout"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        headers(BODY, "another secret"),
        headers(BODY, at=time.time() - 3600),
        {**headers(BODY), "X-Slack-Signature": "v0=00"},
    ],
    ids=["unsigned", "another secret", "an hour old", "a made-up signature"],
)
async def test_a_request_that_proves_nothing_is_refused(given: dict[str, str]) -> None:
    flows = Remembering()
    async with scripted() as server, door(server, flows) as client:
        answer = await client.post("/slack/events", content=BODY, headers=given)
    assert answer.status_code == 401
    assert flows.asked == []


async def test_slack_may_ask_whether_the_address_is_ours() -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c0"})
    async with scripted() as server, door(server, Remembering()) as client:
        answer = await client.post("/slack/events", content=body, headers=headers(body))
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c0"})


async def test_a_body_too_large_or_no_text_is_refused() -> None:
    async with scripted() as server, door(server, Remembering()) as client:
        large = await client.post("/slack/events", content=b"x" * 1_000_001)
        binary = await client.post("/slack/events", content=b"\xff\xfe")
    assert (large.status_code, binary.status_code) == (413, 400)


async def test_http_without_a_signing_secret_is_not_opened() -> None:
    async with scripted() as server:
        app = build_app(cast(Desk, OnlyAChannel(FakeChannel())), Remembering().stories, bot_token="x", api_url=server.url)
        with pytest.raises(BadSettings, match="SLACK_SIGNING_SECRET"):
            http_route(app, "")
        with pytest.raises(BadSettings, match="SLACK_APP_TOKEN"):
            SocketMode(app, "xoxb-1", server.url)


async def test_a_bot_that_starts_while_slack_is_down_connects_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as workspace:
        api = f"{workspace.config.base_url}/api/"
        fault: dict[str, Any] = {"kind": "error", "method": "apps.connections.open", "times": 1}
        await workspace.do("faults", **fault)
        token = workspace.config.bot_token
        desk = cast(Desk, OnlyAChannel(FakeChannel()))
        app = build_app(desk, Remembering().stories, bot_token=token, api_url=api)
        socket = SocketMode(app, workspace.config.app_token, api)
        try:
            await socket.start()
            await workspace.until(lambda: socket.connected(), seconds=10)
        finally:
            await socket.stop()
    assert "slack socket mode not connected" in caplog.text
    assert workspace.config.app_token not in caplog.text


def test_the_sdks_log_lines_lose_their_secrets() -> None:
    try:
        raise OSError("wss://host/?ticket=abc-1&x=1")
    except OSError as error:
        record = logging.LogRecord("sdk", 40, "", 0, "Failed (%s) xapp-1-A-b", (error,), (OSError, error, None))
    assert without_secrets(record)
    assert record.getMessage() == "Failed (wss://host/?ticket=[secret]&x=1) [secret] (OSError)"
    assert record.exc_info is None
