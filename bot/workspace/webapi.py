"""Slack's Web API over HTTP: reads a call in any of its encodings, checks the token, answers in Slack's words."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.workspace.dropping import DroppedConnection
from bot.workspace.errors import SlackError
from bot.workspace.site import Site
from bot.workspace.state import Channel, JsonObject, Message

MOST_BODY = 2_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method with its arguments; values may be strings where the app sent a form."""

    site: Site
    method: str
    args: Mapping[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.args.get(name)
        if value is None or value == "":
            if default is None:
                raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {name}"])
            return default
        return value if isinstance(value, str) else json.dumps(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.args.get(name)
        return default if value is None else value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, least: int = 1, most: int = 1000) -> int:
        try:
            return min(most, max(least, int(self.args.get(name) or default)))
        except (TypeError, ValueError):
            raise SlackError("invalid_arguments", [f"[ERROR] {name} must be a number"]) from None

    def structured(self, name: str, wrong: str) -> Any:
        """A JSON value that may come as a JSON string; None if it is absent. `wrong` is the error word."""
        value = self.args.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise SlackError(wrong, [f"[ERROR] {name} is not valid JSON"]) from None
        return value

    def blocks(self) -> list[JsonObject] | None:
        blocks = self.structured("blocks", "invalid_blocks_format")
        if blocks is not None and not (isinstance(blocks, list) and all(isinstance(b, dict) for b in blocks)):
            raise SlackError("invalid_blocks_format")
        return blocks

    def channel(self, name: str = "channel") -> Channel:
        channel = self.site.workspace.find_channel(self.text(name))
        if channel is None:
            raise SlackError("channel_not_found")
        return channel

    def joined_channel(self, name: str = "channel") -> Channel:
        channel = self.channel(name)
        if self.site.config.bot.user_id not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def message(self, channel: Channel, name: str = "ts", missing: str = "message_not_found") -> Message:
        message = channel.messages.get(self.text(name))
        if message is None or message.only_for is not None:
            raise SlackError(missing)
        return message


Handler = Callable[[Call], Awaitable[JsonObject]]


class WebApi:
    """The endpoint `/api/{method}`."""

    def __init__(self, site: Site, methods: Mapping[str, Handler]) -> None:
        self._site = site
        self._methods = methods

    async def __call__(self, request: Request) -> Response:
        method = request.path_params["method"]
        fault = self._site.faults.take(method)
        if fault:
            self._site.workspace.record("fault", method=method, fault=fault.kind)
            if fault.kind == "ratelimited":
                return rate_limited(fault.retry_after)
            if fault.kind == "error":
                return JSONResponse({"ok": False, "error": "internal_error"}, 500)
            if fault.kind == "drop_before":
                return DroppedConnection()
        try:
            args = await arguments(request)
            call = Call(self._site, method, args)
            answer = await self._answer(call, _token(request, args))
        except SlackError as refusal:
            self._site.workspace.record("refused", method=method, error=refusal.code, messages=list(refusal.messages) or None)
            return refused(refusal)
        if fault:
            return DroppedConnection()
        headers = {"x-oauth-scopes": ",".join(self._site.config.scopes)}
        return JSONResponse({"ok": True, **answer}, headers=headers)

    async def _answer(self, call: Call, token: str) -> JsonObject:
        handler = self._methods.get(call.method)
        if handler is None:
            raise SlackError("unknown_method")
        if call.method != "api.test":
            self._check_token(call.method, token)
        if self._site.config.enforce_rate and call.method in ("chat.postMessage", "chat.postEphemeral"):
            wait = self._site.pace.wait(call.text("channel", ""), self._site.workspace.clock())
            if wait:
                raise SlackError("ratelimited", [str(wait)], 429)
        return await handler(call)

    def _check_token(self, method: str, token: str) -> None:
        config = self._site.config
        wants_app_token = method == "apps.connections.open"
        if not token:
            raise SlackError("not_authed")
        if token not in (config.bot_token, config.app_token):
            raise SlackError("invalid_auth")
        if wants_app_token != (token == config.app_token):
            raise SlackError("not_allowed_token_type")


def refused(refusal: SlackError) -> Response:
    if refusal.code == "ratelimited":
        return rate_limited(int(refusal.messages[0]))
    body: JsonObject = {"ok": False, "error": refusal.code}
    if refusal.messages:
        body["response_metadata"] = {"messages": list(refusal.messages)}
        body["errors"] = [m.removeprefix("[ERROR] ") for m in refusal.messages]
    return JSONResponse(body, refusal.status)


def rate_limited(seconds: int) -> Response:
    return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(seconds)})


async def arguments(request: Request) -> dict[str, Any]:
    """The arguments of a call: query string, then form, multipart or JSON body."""
    args: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if int(request.headers.get("content-length") or 0) > MOST_BODY:
        raise SlackError("request_too_large", status=413)
    if kind == "application/json":
        raw = await request.body()
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        args.update(body)
    elif kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form: FormData = await request.form()
        args.update({k: v for k, v in form.items() if not isinstance(v, UploadFile)})
    return args


def _token(request: Request, args: Mapping[str, Any]) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else str(args.get("token") or "")
