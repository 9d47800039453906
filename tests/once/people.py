"""What people do, as Slack sends it: signed requests, the same one again where it is wanted."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from bot.domain.request import Deed
from bot.workspace.delivery import sign

TEAM = "T0TOCSIN"


def command(user: str, channel: str, text: str, mark: str, name: str = "/rollback") -> bytes:
    """`/rollback ...` as a form; the same mark is the same request."""
    fields = {
        "team_id": TEAM,
        "channel_id": channel,
        "channel_name": "trial",
        "user_id": user,
        "user_name": user.lower(),
        "command": name,
        "text": text,
        "api_app_id": "A0TOCSIN",
        "trigger_id": f"13.37.{mark}",
    }
    return urlencode(fields).encode()


def press(user: str, channel: str, deed: Deed, value: str, mark: str) -> bytes:
    """A button that was pressed; the same mark is the same press."""
    action = {"type": "button", "action_id": deed.value, "block_id": "b", "value": value, "action_ts": f"17.{mark}"}
    payload: Mapping[str, Any] = {
        "type": "block_actions",
        "api_app_id": "A0TOCSIN",
        "team": {"id": TEAM, "domain": "workspace"},
        "user": {"id": user, "username": user.lower(), "name": user.lower(), "team_id": TEAM},
        "container": {"type": "message", "message_ts": "1.1", "channel_id": channel, "is_ephemeral": False},
        "trigger_id": f"13.37.{mark}",
        "channel": {"id": channel, "name": "trial"},
        "state": {"values": {}},
        "actions": [action],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


async def send(http: httpx.AsyncClient, door: Callable[[], int | None], secret: str, body: bytes, seconds: float = 8.0) -> bool:
    """Whether the bot acknowledged it; what it did not is delivered again, as Slack does. `door`: its port now."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        port, stamp = door(), str(int(time.time()))
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": sign(secret, stamp, body),
            **({"x-slack-retry-num": str(number), "x-slack-retry-reason": "http_timeout"} if number else {}),
        }
        try:
            if port is not None:
                url = f"http://127.0.0.1:{port}/slack/events"
                if (await http.post(url, content=body, headers=headers, timeout=3)).status_code == 200:
                    return True
        except httpx.HTTPError:
            number += 1
        await asyncio.sleep(0.1)
    return False
