"""Web API: chat.* except streaming."""

from bot.workspace import messages
from bot.workspace.errors import SlackError
from bot.workspace.state import Channel, JsonObject, Message
from bot.workspace.webapi import Call, Handler


def _content(call: Call) -> tuple[str, list[JsonObject] | None, JsonObject | None]:
    """Text, blocks (None if not given) and metadata, checked."""
    text = call.text("text", "")
    blocks = call.blocks()
    markdown = call.text("markdown_text", "")
    if markdown:
        if blocks or text:
            raise SlackError("markdown_text_conflict")
        blocks, text = [{"type": "markdown", "text": markdown}], markdown
    metadata = call.structured("metadata", "invalid_metadata_format")
    call.site.check_message(text, blocks or [], metadata)
    return text, blocks, metadata


def _thread(call: Call, channel: Channel) -> str | None:
    """The thread to answer in: the parent's ts, also if a reply was named."""
    thread_ts = call.text("thread_ts", "")
    if not thread_ts:
        return None
    parent = channel.messages.get(thread_ts)
    if parent is None:
        raise SlackError("thread_not_found")
    return parent.thread_ts if parent.is_reply else thread_ts


def _own(call: Call, channel: Channel, wrong: str) -> Message:
    message = call.message(channel)
    if not message.by_app:
        raise SlackError(wrong)
    return message


async def post_message(call: Call) -> JsonObject:
    channel = call.joined_channel()
    text, blocks, metadata = _content(call)
    attachments = call.structured("attachments", "invalid_attachments") or []
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    message = messages.post_as_app(
        call.site,
        channel,
        text,
        blocks or [],
        thread_ts=_thread(call, channel),
        metadata=metadata,
        attachments=attachments,
        broadcast=call.flag("reply_broadcast"),
        username=call.text("username", ""),
    )
    body = messages.message_json(call.site.workspace, message)
    answer: JsonObject = {"channel": channel.id, "ts": message.ts, "message": body}
    if not blocks and not text:
        return answer
    if blocks and not text:
        answer["warning"] = "missing_text_in_message"
        answer["response_metadata"] = {"warnings": ["missing_text_in_message"]}
    return answer


async def post_ephemeral(call: Call) -> JsonObject:
    channel = call.joined_channel()
    user = call.text("user")
    if user not in call.site.workspace.people or user not in channel.members:
        raise SlackError("user_not_in_channel")
    text, blocks, _ = _content(call)
    if not text and not blocks:
        raise SlackError("no_text")
    thread_ts = _thread(call, channel)
    message = messages.post_as_app(call.site, channel, text, blocks or [], only_for=user, thread_ts=thread_ts)
    return {"message_ts": message.ts}


async def update(call: Call) -> JsonObject:
    channel = call.joined_channel()
    message = _own(call, channel, "cant_update_message")
    if message.stream is not None:
        raise SlackError("streaming_state_conflict")
    text, blocks, metadata = _content(call)
    given = call.args.get("text") is not None or call.text("markdown_text", "")
    if not given and blocks is None and metadata is None and "attachments" not in call.args:
        raise SlackError("no_text")
    messages.edit(
        call.site,
        message,
        text=text if given else None,
        blocks=blocks,
        metadata=metadata,
        attachments=call.structured("attachments", "invalid_attachments"),
    )
    body = messages.message_json(call.site.workspace, message)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": body}


async def delete(call: Call) -> JsonObject:
    channel = call.joined_channel()
    message = _own(call, channel, "cant_delete_message")
    messages.delete(call.site, message)
    return {"channel": channel.id, "ts": message.ts}


async def get_permalink(call: Call) -> JsonObject:
    channel = call.channel()
    message = call.message(channel, "message_ts")
    return {"channel": channel.id, "permalink": permalink(call.site.config.base_url, message)}


def permalink(base_url: str, message: Message) -> str:
    """The page opened at this message."""
    link = f"{base_url}/?channel={message.channel}"
    if message.is_reply:
        return f"{link}&thread={message.thread_ts}&message={message.ts}"
    return f"{link}&message={message.ts}"


METHODS: dict[str, Handler] = {
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
}
