"""The reading half of the HTTP API, and its switches for trouble."""

from starlette.routing import Route

from bot.workspace import messages, views
from bot.workspace.errors import PersonaError
from bot.workspace.faults import KINDS, Fault
from bot.workspace.persona_api import Ask, endpoint
from bot.workspace.site import Site
from bot.workspace.state import JsonObject, Workspace


async def overview(ask: Ask) -> JsonObject:
    config = ask.site.config
    return {
        "team": {"id": config.team_id, "name": config.team_name},
        "bot": {"user_id": config.bot.user_id, "bot_id": config.bot.bot_id, "name": config.bot.name},
        "personas": [{"id": p.id, "name": p.name, "real_name": p.real_name, "title": p.title} for p in config.personas],
        "channels": [{"id": c.id, "name": c.name, "im_with": c.im_with} for c in ask.site.workspace.channels.values()],
        "commands": [{"name": c.name, "description": c.description, "usage": c.usage} for c in config.commands],
        "shortcuts": [{"callback_id": s.callback_id, "name": s.name, "kind": s.kind} for s in config.shortcuts],
        "connected_sockets": ask.site.sockets.connected,
        "mode": "http" if config.events_url else "socket",
    }


async def channels(ask: Ask) -> JsonObject:
    user = ask.user
    return {
        "channels": [
            {**messages.channel_json(ask.site.workspace, c), "unread": c.unread(user)}
            for c in ask.site.workspace.channels.values()
            if c.visible_to(user)
        ]
    }


async def read_messages(ask: Ask) -> JsonObject:
    """Oldest first, as this persona sees them; with `thread_ts` the thread with its parent."""
    channel, user = ask.channel, ask.user
    thread_ts = ask.text("thread_ts", "")
    if thread_ts:
        parent = channel.messages.get(thread_ts)
        found = ([parent] if parent else []) + channel.replies(thread_ts)
    else:
        found = list(channel.top())
    shown = [messages.message_json(ask.site.workspace, m) for m in found if m.visible_to(user)]
    return {"channel": channel.id, "messages": shown}


async def ephemerals(ask: Ask) -> JsonObject:
    user = ask.user
    found = [
        {"channel": c.id, **messages.message_json(ask.site.workspace, m)}
        for c in ask.site.workspace.channels.values()
        for m in c.messages.values()
        if m.only_for == user
    ]
    wanted = ask.text("channel", "")
    return {"messages": [m for m in found if not wanted or m["channel"] == wanted]}


async def modals(ask: Ask) -> JsonObject:
    """The persona's open modals; the last one is on top."""
    stack = ask.site.workspace.modals[ask.user]
    return {"modals": [{**views.view_json(ask.site, v), "errors": v.errors} for v in stack]}


async def home(ask: Ask) -> JsonObject:
    view = ask.site.workspace.homes.get(ask.user)
    return {"view": views.view_json(ask.site, view) if view else None}


async def suggestions(ask: Ask) -> JsonObject:
    """What the app suggests this persona to ask, in their direct message."""
    direct = ask.site.workspace.direct(ask.user)
    return {"suggestions": suggestions_json(ask.site.workspace, direct.id) if direct else None}


def suggestions_json(workspace: Workspace, channel: str) -> JsonObject | None:
    found = workspace.suggestions.get(channel)
    if found is None:
        return None
    return {"title": found.title, "prompts": [{"title": title, "message": message} for title, message in found.prompts]}


async def transcript(ask: Ask) -> JsonObject:
    """Everything that happened, oldest first; with `after` only the entries from that number on."""
    try:
        after = int(ask.text("after", "0"))
    except ValueError:
        raise PersonaError("'after' must be a number.") from None
    log = ask.site.workspace.log
    return {"entries": log[after:], "next": len(log)}


async def add_fault(ask: Ask) -> JsonObject:
    kind = ask.text("kind")
    if kind not in KINDS:
        raise PersonaError(f"There is no fault {kind!r}. The faults are: {', '.join(KINDS)}.")
    numbers = {key: ask.fields.get(key, 1) for key in ("times", "retry_after")}
    if not all(isinstance(n, int) and 1 <= n <= 10_000 for n in numbers.values()):
        raise PersonaError("'times' and 'retry_after' must be whole numbers from 1 to 10000.")
    ask.site.faults.add(Fault(ask.text("method", "*"), kind, **numbers))
    return await list_faults(ask)


async def list_faults(ask: Ask) -> JsonObject:
    return {
        "waiting": [
            {"method": f.method, "kind": f.kind, "times": f.times, "retry_after": f.retry_after} for f in ask.site.faults.waiting
        ]
    }


async def clear_faults(ask: Ask) -> JsonObject:
    ask.site.faults.clear()
    return {"waiting": []}


async def disconnect(ask: Ask) -> JsonObject:
    count = await ask.site.sockets.disconnect(ask.text("reason", "refresh_requested"), abrupt=bool(ask.fields.get("abrupt")))
    return {"disconnected": count}


async def refuse(ask: Ask) -> JsonObject:
    seconds = ask.fields.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
        raise PersonaError("'seconds' must be a number from 0 to 3600.")
    ask.site.sockets.refuse(float(seconds))
    return {"seconds": seconds}


def routes(site: Site) -> list[Route]:
    reading = {
        "/workspace": overview,
        "/workspace/channels": channels,
        "/workspace/messages": read_messages,
        "/workspace/ephemerals": ephemerals,
        "/workspace/modals": modals,
        "/workspace/home": home,
        "/workspace/suggestions": suggestions,
        "/workspace/transcript": transcript,
        "/workspace/faults": list_faults,
    }
    switches = {
        "/workspace/faults": add_fault,
        "/workspace/faults/clear": clear_faults,
        "/workspace/sockets/disconnect": disconnect,
        "/workspace/sockets/refuse": refuse,
    }
    return [
        *(Route(path, endpoint(site, action), methods=["GET"]) for path, action in reading.items()),
        *(Route(path, endpoint(site, action), methods=["POST"]) for path, action in switches.items()),
    ]
