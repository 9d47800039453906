"""Messages as Slack shows them to an app, and the events that tell of them."""

import secrets
from collections.abc import Iterable
from typing import Any

from bot.workspace.site import Site
from bot.workspace.state import SLACKBOT, Channel, JsonObject, Message, Workspace

_HOLDERS = ("elements", "child_blocks")


def with_ids(blocks: Iterable[Any], old: Iterable[JsonObject] = ()) -> list[JsonObject]:
    """The same blocks with a block_id and, on everything interactive, an action_id; `old` keeps the ids it had."""
    before = [b.get("block_id") for b in old]
    named: list[JsonObject] = []
    for number, block in enumerate(blocks):
        known = before[number] if number < len(before) else None
        copy = {**block, "block_id": block.get("block_id") or known or secrets.token_urlsafe(4)}
        for key in _HOLDERS:
            if isinstance(copy.get(key), list) and copy["type"] in ("actions", "context_actions"):
                copy[key] = [_with_action_id(e) for e in copy[key]]
        for key in ("accessory", "element"):
            if isinstance(copy.get(key), dict):
                copy[key] = _with_action_id(copy[key])
        named.append(copy)
    return named


def _with_action_id(element: Any) -> Any:
    if not isinstance(element, dict) or element.get("type") == "image" or element.get("action_id"):
        return element
    return {**element, "action_id": secrets.token_urlsafe(4)}


def message_json(workspace: Workspace, message: Message) -> JsonObject:
    """The message object of Slack's Web API and events."""
    config = workspace.config
    body: JsonObject = {
        "type": "message",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": config.team_id,
    }
    if message.by_app:
        bot = config.bot
        body["bot_id"] = bot.bot_id
        body["app_id"] = bot.app_id
        body["bot_profile"] = {"id": bot.bot_id, "app_id": bot.app_id, "name": bot.name, "team_id": config.team_id}
    if message.other_app:
        body |= _other_app(message, config.team_id)
    for key in ("blocks", "attachments", "files", "metadata"):
        if getattr(message, key):
            body[key] = getattr(message, key)
    if message.edited_ts:
        body["edited"] = {"user": config.bot.bot_id if message.by_app else message.user, "ts": message.edited_ts}
    if message.reactions:
        body["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ]
    if message.broadcast:
        body["subtype"] = "thread_broadcast"
    if message.only_for:
        body["is_ephemeral"] = True
    if message.stream is not None:
        body["streaming_state"] = "in_progress"
    if message.username:
        body["username"] = message.username
    body.update(_thread_json(workspace.channels[message.channel], message))
    return body


def _other_app(message: Message, team: str) -> JsonObject:
    """What tells that another app wrote it."""
    word = "".join(c for c in message.other_app.upper() if c.isalnum())
    profile = {"id": f"B0{word}", "app_id": f"A0{word}", "name": message.other_app, "team_id": team}
    return {"bot_id": profile["id"], "app_id": profile["app_id"], "bot_profile": profile}


def _thread_json(channel: Channel, message: Message) -> JsonObject:
    if message.is_reply:
        parent = channel.messages.get(str(message.thread_ts))
        return {"thread_ts": message.thread_ts, **({"parent_user_id": parent.user} if parent else {})}
    replies = [m for m in channel.replies(message.ts) if m.only_for is None]
    if not replies:
        return {"thread_ts": message.thread_ts} if message.thread_ts else {}
    people = list(dict.fromkeys(m.user for m in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(people),
        "reply_users": people[:5],
        "latest_reply": replies[-1].ts,
    }


def channel_json(workspace: Workspace, channel: Channel) -> JsonObject:
    """The conversation object of Slack's Web API."""
    bot = workspace.config.bot.user_id
    body: JsonObject = {
        "id": channel.id,
        "created": channel.created,
        "is_im": channel.is_im,
        "is_channel": not channel.is_im,
        "is_group": False,
        "is_mpim": False,
        "is_private": channel.is_im,
        "is_archived": False,
        "is_member": bot in channel.members,
        "context_team_id": workspace.config.team_id,
    }
    if channel.is_im:
        return {**body, "user": channel.im_with, "is_org_shared": False}
    return {
        **body,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_general": False,
        "creator": workspace.config.personas[0].id if workspace.config.personas else SLACKBOT,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.topic, "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


def channel_type(channel: Channel) -> str:
    return "im" if channel.is_im else "channel"


def heard_by_app(site: Site, channel: Channel) -> bool:
    return site.config.bot.user_id in channel.members


def tell_posted(site: Site, message: Message) -> None:
    """A new message becomes a `message` event and, if it mentions the app in a channel, an `app_mention` too."""
    channel = site.workspace.channels[message.channel]
    if message.only_for is not None:
        return
    event = {
        **message_json(site.workspace, message),
        "channel": channel.id,
        "channel_type": channel_type(channel),
        "event_ts": message.ts,
    }
    mention = f"<@{site.config.bot.user_id}>" in message.text
    if mention and not channel.is_im and not message.by_app:
        site.delivery.event({**event, "type": "app_mention"})
    if heard_by_app(site, channel):
        site.delivery.event(event)


def tell_changed(site: Site, message: Message, previous: JsonObject) -> None:
    """An edit becomes a `message_changed` event."""
    channel = site.workspace.channels[message.channel]
    if message.only_for is None and heard_by_app(site, channel):
        site.delivery.event(
            {
                "type": "message",
                "subtype": "message_changed",
                "hidden": True,
                "channel": channel.id,
                "channel_type": channel_type(channel),
                "ts": site.workspace.next_ts(),
                "event_ts": message.edited_ts or message.ts,
                "message": message_json(site.workspace, message),
                "previous_message": previous,
            }
        )


def delete(site: Site, message: Message) -> None:
    """Takes a message away and tells everybody, the app included."""
    channel = site.workspace.channels[message.channel]
    previous = message_json(site.workspace, message)
    channel.messages.pop(message.ts, None)
    site.workspace.changed(message, "deleted")
    if message.only_for is None and heard_by_app(site, channel):
        now = site.workspace.next_ts()
        site.delivery.event(
            {
                "type": "message",
                "subtype": "message_deleted",
                "hidden": True,
                "channel": channel.id,
                "channel_type": channel_type(channel),
                "ts": now,
                "event_ts": now,
                "deleted_ts": message.ts,
                "previous_message": previous,
            }
        )


def edit(
    site: Site,
    message: Message,
    text: str | None = None,
    blocks: list[JsonObject] | None = None,
    metadata: JsonObject | None = None,
    attachments: list[JsonObject] | None = None,
) -> None:
    """Changes what is given and leaves the rest; an empty list of blocks removes them."""
    previous = message_json(site.workspace, message)
    if text is not None:
        message.text = text
    if blocks is not None:
        message.blocks = with_ids(blocks, message.blocks)
        message.choices.clear()
    if metadata is not None:
        message.metadata = metadata
    if attachments is not None:
        message.attachments = attachments
    message.edited_ts = site.workspace.next_ts()
    site.workspace.changed(message, "edited")
    tell_changed(site, message, previous)


def post_as_app(site: Site, channel: Channel, text: str, blocks: list[JsonObject], **details: Any) -> Message:
    """The app says something; `details` are fields of `Message`."""
    message = Message(
        channel.id,
        site.workspace.next_ts(),
        site.config.bot.user_id,
        text,
        with_ids(blocks),
        by_app=True,
        **details,
    )
    site.workspace.clear_status(channel.id, message.thread_ts or "")
    site.workspace.add(message)
    tell_posted(site, message)
    return message


def post_as_slackbot(site: Site, channel: str, user: str, text: str, thread_ts: str | None = None) -> Message:
    """A line that only this person sees, from the workspace itself."""
    message = Message(channel, site.workspace.next_ts(), SLACKBOT, text, only_for=user, thread_ts=thread_ts)
    return site.workspace.add(message)


def post_as_other(site: Site, channel: Channel, app: str, text: str, blocks: list[JsonObject], **details: Any) -> Message:
    """Another app says something, as monitors do; it need not be installed."""
    word = "".join(c for c in app.upper() if c.isalnum())
    message = Message(channel.id, site.workspace.next_ts(), f"U0{word}", text, with_ids(blocks), other_app=app, **details)
    site.workspace.add(message)
    tell_posted(site, message)
    return message
