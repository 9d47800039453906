"""What happens reaches the app: over a socket, or as a signed HTTP request, again if nobody acknowledged."""

import asyncio
import hashlib
import hmac
import json
import secrets
from typing import Any
from urllib.parse import urlencode

import httpx

from bot.workspace.socketmode import Ack, Sockets
from bot.workspace.state import JsonObject, Workspace


class Delivery:
    """Delivers events (with retries) and interactions (once, within the time to acknowledge)."""

    def __init__(self, workspace: Workspace, sockets: Sockets) -> None:
        self._workspace = workspace
        self._config = workspace.config
        self._sockets = sockets
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    def event(self, event: JsonObject) -> str | None:
        """Delivers this event in the background and gives its id; None if the app is not subscribed to it."""
        if event["type"] not in self._config.events:
            return None
        event_id = "Ev" + secrets.token_hex(5).upper()
        body = self._event_body(event, event_id)
        task = asyncio.create_task(self._until_acknowledged(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return event_id

    def _event_body(self, event: JsonObject, event_id: str) -> JsonObject:
        config = self._config
        return {
            "token": "verification-token-is-not-used",
            "team_id": config.team_id,
            "context_team_id": config.team_id,
            "context_enterprise_id": None,
            "api_app_id": config.bot.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": event_id,
            "event_time": int(self._workspace.clock().timestamp()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": config.team_id,
                    "user_id": config.bot.user_id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
            "event_context": f"4-{event_id}",
        }

    async def _until_acknowledged(self, body: JsonObject) -> None:
        ack = await self._attempt("events_api", body, 0, "")
        for number, delay in enumerate(self._config.retry_delays, start=1):
            if ack.ok:
                break
            await asyncio.sleep(delay)
            ack = await self._attempt("events_api", body, number, ack.reason)
        event = body["event"]
        self._workspace.record(
            "event_acked" if ack.ok else "event_lost",
            event_id=body["event_id"],
            type=event["type"],
            subtype=event.get("subtype"),
            reason=ack.reason or None,
        )

    async def _attempt(self, kind: str, body: JsonObject, number: int, reason: str) -> Ack:
        if number:
            self._workspace.record("redelivered", event_id=body["event_id"], attempt=number, reason=reason)
        if self._config.events_url:
            return await self._post(kind, body, number, reason)
        again = {"retry_attempt": number, "retry_reason": reason}
        return await self._sockets.send(kind, body, self._config.ack_seconds, again)

    async def interact(self, kind: str, payload: JsonObject) -> Ack:
        """Delivers an interaction (`interactive` or `slash_commands`) once; nobody hears of it again."""
        if self._config.events_url:
            return await self._post(kind, payload, 0, "")
        return await self._sockets.send(kind, payload, self._config.ack_seconds)

    async def _post(self, kind: str, payload: JsonObject, number: int, reason: str) -> Ack:
        content, content_type = _encoded(kind, payload)
        stamp = str(int(self._workspace.clock().timestamp()))
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (local workspace)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign(self._config.signing_secret, stamp, content),
        }
        if number:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        if self._http is None:
            self._http = httpx.AsyncClient(trust_env=False, timeout=self._config.ack_seconds)
        try:
            answer = await self._http.post(str(self._config.events_url), content=content, headers=headers)
        except httpx.TimeoutException:
            return Ack("http_timeout")
        except httpx.TransportError:
            return Ack("connection_failed")
        if answer.status_code != 200:
            return Ack("http_error")
        return Ack(payload=_decoded(answer))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()


def sign(secret: str, stamp: str, content: bytes) -> str:
    """Slack's v0 signature: HMAC-SHA256 of `v0:<timestamp>:<raw body>`."""
    base = b"v0:" + stamp.encode() + b":" + content
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def _encoded(kind: str, payload: JsonObject) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def _decoded(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    if answer.headers.get("content-type", "").startswith("application/json"):
        try:
            return answer.json()
        except ValueError:
            return None
    return {"text": answer.text}
