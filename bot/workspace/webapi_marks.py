"""Web API: reactions.* and pins.*"""

from bot.workspace import messages
from bot.workspace.emoji import is_emoji_name
from bot.workspace.errors import SlackError
from bot.workspace.site import Site
from bot.workspace.state import Channel, JsonObject, Message
from bot.workspace.webapi import Call, Handler


def react(site: Site, message: Message, user: str, name: str) -> None:
    """A reaction of this person, and its event."""
    if not is_emoji_name(name):
        raise SlackError("invalid_name")
    users = message.reactions.setdefault(name, [])
    if user in users:
        raise SlackError("already_reacted")
    users.append(user)
    _tell(site, message, user, name, "reaction_added")


def unreact(site: Site, message: Message, user: str, name: str) -> None:
    users = message.reactions.get(name, [])
    if user not in users:
        raise SlackError("no_reaction")
    users.remove(user)
    if not users:
        del message.reactions[name]
    _tell(site, message, user, name, "reaction_removed")


def _tell(site: Site, message: Message, user: str, name: str, what: str) -> None:
    site.workspace.changed(message, "reacted", by=user, reaction=name, mark=what)
    if not messages.heard_by_app(site, site.workspace.channels[message.channel]):
        return
    site.delivery.event(
        {
            "type": what,
            "user": user,
            "reaction": name,
            "item_user": message.user,
            "item": {"type": "message", "channel": message.channel, "ts": message.ts},
            "event_ts": site.workspace.next_ts(),
        }
    )


def _target(call: Call) -> Message:
    channel = call.joined_channel()
    return call.message(channel, "timestamp")


async def reactions_add(call: Call) -> JsonObject:
    react(call.site, _target(call), call.site.config.bot.user_id, call.text("name").strip(":"))
    return {}


async def reactions_remove(call: Call) -> JsonObject:
    unreact(call.site, _target(call), call.site.config.bot.user_id, call.text("name").strip(":"))
    return {}


async def reactions_get(call: Call) -> JsonObject:
    message = _target(call)
    body = messages.message_json(call.site.workspace, message)
    return {"type": "message", "channel": message.channel, "message": body}


async def pins_add(call: Call) -> JsonObject:
    message = _target(call)
    if message.pinned:
        raise SlackError("already_pinned")
    message.pinned = True
    call.site.workspace.changed(message, "pinned")
    return {}


async def pins_remove(call: Call) -> JsonObject:
    message = _target(call)
    if not message.pinned:
        raise SlackError("no_pin")
    message.pinned = False
    call.site.workspace.changed(message, "pinned")
    return {}


async def pins_list(call: Call) -> JsonObject:
    channel: Channel = call.joined_channel()
    pinned = [m for m in channel.messages.values() if m.pinned]
    workspace = call.site.workspace
    items = [{"type": "message", "channel": channel.id, "message": messages.message_json(workspace, m)} for m in pinned]
    return {"items": items}


METHODS: dict[str, Handler] = {
    "reactions.add": reactions_add,
    "reactions.remove": reactions_remove,
    "reactions.get": reactions_get,
    "pins.add": pins_add,
    "pins.remove": pins_remove,
    "pins.list": pins_list,
}
