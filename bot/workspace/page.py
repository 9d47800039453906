"""The page: its files, the HTML of what a persona sees, and the live feed of changes."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bot.workspace import readings, render
from bot.workspace.persona_api import Ask, endpoint
from bot.workspace.site import Site
from bot.workspace.state import Channel, JsonObject, Message

HERE = Path(__file__).parent
HEARTBEAT_SECONDS = 15.0
MOST_SHOWN = 300


async def index(site: Site, _: Request) -> Response:
    config = site.config
    return HTMLResponse(render.page_html(config.team_name, config.panel_url, config.panel_title))


async def api_doc(_: Request) -> Response:
    return PlainTextResponse((HERE / "README.md").read_text(encoding="utf-8"))


async def state(ask: Ask) -> JsonObject:
    """What is around the messages: channels, people, commands, and whether the app is connected."""
    site, user = ask.site, ask.user
    config, workspace = site.config, site.workspace
    return {
        "team_id": config.team_id,
        "personas": [{**render.face(workspace, p.id), "title": p.title, "handle": p.name} for p in config.personas],
        "bot": {**render.face(workspace, config.bot.user_id), "handle": config.bot.name},
        "channels": [
            {"id": c.id, "name": c.name, "im": c.is_im, "topic": c.topic, "unread": c.unread(user)}
            for c in workspace.channels.values()
            if c.visible_to(user)
        ],
        "groups": [{"handle": g.handle, "name": g.name} for g in config.groups],
        "commands": [{"name": c.name, "description": c.description, "usage": c.usage} for c in config.commands],
        "shortcuts": [{"id": s.callback_id, "name": s.name} for s in config.shortcuts if s.kind == "global"],
        "connected": 1 if config.events_url else site.sockets.connected,
    }


async def shown(ask: Ask) -> JsonObject:
    """The HTML of a channel's messages, or of a thread, oldest first."""
    channel, user, thread_ts = ask.channel, ask.user, ask.text("thread_ts", "")
    workspace = ask.site.workspace
    if thread_ts:
        parent = channel.messages.get(thread_ts)
        found = ([parent] if parent else []) + channel.replies(thread_ts)
    else:
        found = list(channel.top())
    found = [m for m in found if m.visible_to(user)][-MOST_SHOWN:]
    return {
        "messages": [{"ts": m.ts, "html": render.message_html(workspace, m, user)} for m in found],
        "status": workspace.status(channel.id, thread_ts),
        "title": workspace.titles.get((channel.id, thread_ts), ""),
        "suggestions": None if thread_ts else readings.suggestions_json(workspace, channel.id),
    }


async def home(ask: Ask) -> JsonObject:
    view = ask.site.workspace.homes.get(ask.user)
    return {"html": render.view_html(ask.site.workspace, view) if view else ""}


async def modal(ask: Ask) -> JsonObject:
    """The HTML of the modal on top of this persona's screen."""
    stack = ask.site.workspace.modals[ask.user]
    return {"html": render.view_html(ask.site.workspace, stack[-1]) if stack else ""}


async def events(site: Site, request: Request) -> Response:
    """`GET /page/events?as=U…`: server-sent events with what this persona may see."""
    user = request.query_params.get("as", "")
    if user not in site.workspace.people:
        return PlainTextResponse("There is no such persona.\n", 404)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_feed(site, user), media_type="text/event-stream", headers=headers)


async def _feed(site: Site, user: str) -> AsyncIterator[str]:
    feed = site.workspace.subscribe()
    try:
        yield _line({"kind": "hello", "connected": site.sockets.connected})
        while True:
            try:
                notice = await asyncio.wait_for(feed.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if notice["kind"] in ("closed", "reload"):
                yield _line(notice)
                return
            for seen in _for(site, user, notice):
                yield _line(seen)
    finally:
        site.workspace.unsubscribe(feed)


def _line(notice: JsonObject) -> str:
    return f"data: {json.dumps(notice)}\n\n"


def _for(site: Site, user: str, notice: JsonObject) -> list[JsonObject]:
    """The notice as this persona may see it; a reply also changes how its parent looks."""
    only_for = notice.get("only_for")
    channel = site.workspace.channels.get(notice.get("channel", ""))
    if (only_for and only_for != user) or (channel is not None and not channel.visible_to(user)):
        return []
    if notice["kind"] not in ("message", "deleted") or channel is None:
        return [notice]
    parent = channel.messages.get(str(notice.get("thread_ts")))
    seen = [_message_notice(site, user, channel, channel.messages.get(notice["ts"]), notice)]
    if parent is not None and parent.ts != notice["ts"]:
        seen.append(_message_notice(site, user, channel, parent, {"ts": parent.ts}))
    return seen


def _message_notice(site: Site, user: str, channel: Channel, message: Message | None, notice: JsonObject) -> JsonObject:
    about = {"channel": channel.id, "ts": notice["ts"], "unread": channel.unread(user)}
    if message is None:
        return {**about, "kind": "deleted"}
    return {
        **about,
        "kind": "message",
        "thread_ts": message.thread_ts,
        "top": not message.is_reply or message.broadcast,
        "user": message.user,
        "html": render.message_html(site.workspace, message, user),
    }


def routes(site: Site) -> list[BaseRoute]:
    return [
        Route("/", functools.partial(index, site)),
        Route("/api-doc", api_doc),
        Route("/page/events", functools.partial(events, site)),
        Route("/page/state", endpoint(site, state)),
        Route("/page/messages", endpoint(site, shown)),
        Route("/page/home", endpoint(site, home)),
        Route("/page/modal", endpoint(site, modal)),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
