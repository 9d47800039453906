"""Web API: conversations.*"""

import base64
from collections.abc import Sequence
from typing import Any

from bot.workspace import messages
from bot.workspace.errors import SlackError
from bot.workspace.state import JsonObject, Message
from bot.workspace.webapi import Call, Handler


def page(call: Call, items: Sequence[Any], default: int = 100) -> tuple[list[Any], JsonObject]:
    """One page of a list, and what the answer says of the next one."""
    limit = call.number("limit", default)
    try:
        start = int(base64.b64decode(call.text("cursor", "") or "MA==", validate=True))
    except ValueError:
        raise SlackError("invalid_cursor") from None
    more = start + limit < len(items)
    following = base64.b64encode(str(start + limit).encode()).decode() if more else ""
    return list(items[start : start + limit]), {"response_metadata": {"next_cursor": following}}


async def list_(call: Call) -> JsonObject:
    types = call.text("types", "public_channel").split(",")
    wanted = [c for c in call.site.workspace.channels.values() if ("im" in types if c.is_im else "public_channel" in types)]
    some, rest = page(call, wanted)
    return {"channels": [messages.channel_json(call.site.workspace, c) for c in some], **rest}


async def info(call: Call) -> JsonObject:
    return {"channel": messages.channel_json(call.site.workspace, call.channel())}


async def join(call: Call) -> JsonObject:
    channel = call.channel()
    if channel.is_im:
        raise SlackError("method_not_supported_for_channel_type")
    bot = call.site.config.bot.user_id
    if bot not in channel.members:
        channel.members.append(bot)
        call.site.workspace.record("joined", channel=channel.id, user=bot)
        call.site.delivery.event(
            {
                "type": "member_joined_channel",
                "user": bot,
                "channel": channel.id,
                "channel_type": "C",
                "team": call.site.config.team_id,
                "event_ts": call.site.workspace.next_ts(),
            }
        )
    return {"channel": messages.channel_json(call.site.workspace, channel)}


async def open_(call: Call) -> JsonObject:
    ident = call.text("channel", "")
    users = [u for u in call.text("users", "").split(",") if u]
    if ident:
        channel = call.channel()
    elif len(users) == 1:
        found = call.site.workspace.direct(users[0])
        if found is None:
            raise SlackError("user_not_found")
        channel = found
    else:
        raise SlackError("users_list_not_supplied" if not users else "not_enough_users")
    full = call.flag("return_im")
    body = messages.channel_json(call.site.workspace, channel) if full else {"id": channel.id}
    return {"no_op": True, "already_open": True, "channel": body}


def _between(call: Call, found: list[Message]) -> list[Message]:
    oldest, latest = call.text("oldest", "0"), call.text("latest", "9" * 12)
    inclusive = call.flag("inclusive")
    return [m for m in found if _time(oldest) < _time(m.ts) < _time(latest) or (inclusive and m.ts in (oldest, latest))]


def _time(ts: str) -> tuple[int, int]:
    seconds, _, micros = ts.partition(".")
    try:
        return int(seconds), int((micros or "0").ljust(6, "0"))
    except ValueError:
        raise SlackError("invalid_ts_latest") from None


def _shown(call: Call, found: list[Message]) -> list[JsonObject]:
    shown = [messages.message_json(call.site.workspace, m) for m in found]
    if not call.flag("include_all_metadata"):
        for body in shown:
            if "metadata" in body:
                body["metadata"] = {"event_type": body["metadata"]["event_type"]}
    return shown


async def history(call: Call) -> JsonObject:
    channel = call.joined_channel()
    top = [m for m in channel.top() if m.only_for is None]
    found = sorted(_between(call, top), key=lambda m: m.ts, reverse=True)
    some, rest = page(call, found)
    more = bool(rest["response_metadata"]["next_cursor"])
    pins = sum(m.pinned for m in channel.messages.values())
    return {"messages": _shown(call, some), "has_more": more, "pin_count": pins, **rest}


async def replies(call: Call) -> JsonObject:
    channel = call.joined_channel()
    asked = call.message(channel, missing="thread_not_found")
    parent_ts = asked.thread_ts if asked.is_reply else asked.ts
    parent = channel.messages.get(str(parent_ts))
    thread = [m for m in channel.replies(str(parent_ts)) if m.only_for is None]
    found = ([parent] if parent else []) + _between(call, thread)
    some, rest = page(call, found, 1000)
    return {"messages": _shown(call, some), "has_more": bool(rest["response_metadata"]["next_cursor"]), **rest}


async def members(call: Call) -> JsonObject:
    some, rest = page(call, call.channel().members)
    return {"members": some, **rest}


METHODS: dict[str, Handler] = {
    "conversations.list": list_,
    "conversations.info": info,
    "conversations.join": join,
    "conversations.open": open_,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.members": members,
}
