"""The response URL: the app answers where something happened, five times within thirty minutes."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.workspace import interactions, messages
from bot.workspace.errors import SlackError
from bot.workspace.exchange import ResponseUrl
from bot.workspace.site import Site
from bot.workspace.webapi import arguments, refused


async def respond(site: Site, request: Request) -> Response:
    """`POST /response/{team}/{token}` with text, blocks, response_type, replace_original, delete_original."""
    try:
        body = await arguments(request)
        _carry_out(site, site.exchange.use(request.path_params["token"]), body)
    except SlackError as refusal:
        site.workspace.record("refused", method="response_url", error=refusal.code, messages=list(refusal.messages))
        return refused(refusal if refusal.status != 200 else SlackError(refusal.code, refusal.messages, 400))
    return JSONResponse({"ok": True})


def _carry_out(site: Site, url: ResponseUrl, body: dict[str, Any]) -> None:
    channel = site.workspace.channels[url.channel]
    original = channel.messages.get(url.ts or "")
    if _yes(body.get("delete_original")):
        if original is None:
            raise SlackError("message_not_found", status=404)
        messages.delete(site, original)
        return
    if _yes(body.get("replace_original")):
        if original is None:
            raise SlackError("message_not_found", status=404)
        text, blocks = str(body.get("text") or ""), list(body.get("blocks") or [])
        if not text and not blocks:
            raise SlackError("no_text", status=400)
        site.check_message(text, blocks)
        messages.edit(site, original, text=text, blocks=blocks)
        return
    thread_ts = body.get("thread_ts") or url.thread_ts
    interactions.answer(site, url.user, channel, body, thread_ts)


def _yes(value: Any) -> bool:
    return value in (True, "true", 1, "1")
