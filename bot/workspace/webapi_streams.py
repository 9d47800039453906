"""Web API: chat.startStream, appendStream and stopStream."""

from datetime import timedelta
from typing import Any

from bot.workspace import messages
from bot.workspace.errors import SlackError
from bot.workspace.sizes import MARKDOWN_TOGETHER
from bot.workspace.state import JsonObject, Message, Stream
from bot.workspace.webapi import Call, Handler

STREAM_LIFE = timedelta(minutes=5)
STATUSES = ("pending", "in_progress", "complete", "error")


async def start(call: Call) -> JsonObject:
    channel = call.joined_channel()
    thread_ts = call.text("thread_ts", "")
    if not thread_ts:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: thread_ts"])
    if thread_ts not in channel.messages:
        raise SlackError("thread_not_found")
    if not channel.is_im:
        _check_recipient(call)
    stream = Stream(call.site.workspace.clock(), call.text("task_display_mode", "timeline"))
    _write(call, stream)
    message = messages.post_as_app(call.site, channel, stream.markdown, _blocks(stream), thread_ts=thread_ts)
    message.stream = stream
    call.site.workspace.changed(message, "streamed")
    return {"channel": channel.id, "ts": message.ts}


def _check_recipient(call: Call) -> None:
    if not call.text("recipient_team_id", ""):
        raise SlackError("missing_recipient_team_id")
    user = call.text("recipient_user_id", "")
    if not user:
        raise SlackError("missing_recipient_user_id")
    if user not in call.site.workspace.people:
        raise SlackError("user_not_found")


async def append(call: Call) -> JsonObject:
    message, stream = _streaming(call)
    if not call.text("markdown_text", "") and call.structured("chunks", "invalid_chunks") is None:
        raise SlackError("no_text")
    _write(call, stream)
    _show(call, message, stream)
    return {"channel": message.channel, "ts": message.ts}


async def stop(call: Call) -> JsonObject:
    message, stream = _streaming(call)
    _write(call, stream)
    blocks = call.blocks()
    metadata = call.structured("metadata", "invalid_metadata_format")
    call.site.check_message("", blocks or [], metadata)
    stream.extra_blocks += blocks or []
    message.metadata = metadata or message.metadata
    previous = messages.message_json(call.site.workspace, message)
    _show(call, message, stream)
    finish(message)
    call.site.workspace.changed(message, "streamed")
    messages.tell_changed(call.site, message, previous)
    body = messages.message_json(call.site.workspace, message)
    return {"channel": message.channel, "ts": message.ts, "message": body}


def finish(message: Message) -> None:
    message.stream = None


def _streaming(call: Call) -> tuple[Message, Stream]:
    channel = call.joined_channel()
    message = call.message(channel)
    if not message.by_app:
        raise SlackError("message_not_owned_by_app")
    stream = message.stream
    if stream is not None and call.site.workspace.clock() - stream.started >= STREAM_LIFE:
        finish(message)
        call.site.workspace.changed(message, "streamed")
        stream = None
    if stream is None:
        raise SlackError("message_not_in_streaming_state")
    return message, stream


def _write(call: Call, stream: Stream) -> None:
    """Adds the call's markdown and chunks, checking the whole before anything is changed."""
    text = call.text("markdown_text", "")
    chunks = call.structured("chunks", "invalid_chunks")
    if chunks is not None and (text or not isinstance(chunks, list)):
        raise SlackError("invalid_chunks", ["[ERROR] chunks must be an array, and not come with markdown_text"])
    for number, chunk in enumerate(chunks or []):
        _check_chunk(chunk, number)
    added = text + "".join(c["text"] for c in chunks or [] if c["type"] == "markdown_text")
    if len(added) > MARKDOWN_TOGETHER or len(stream.markdown) + len(added) > MARKDOWN_TOGETHER:
        raise SlackError("msg_too_long")
    new_blocks = [b for c in chunks or [] if c["type"] == "blocks" for b in c["blocks"]]
    call.site.check_message("", new_blocks)
    stream.markdown += added
    stream.extra_blocks += new_blocks
    for chunk in chunks or []:
        if chunk["type"] == "task_update":
            _update_task(stream, chunk)
        elif chunk["type"] == "plan_update":
            stream.plan_title = chunk["title"]


def _check_chunk(chunk: Any, number: int) -> None:
    needs = {
        "markdown_text": ("text",),
        "task_update": ("id", "title", "status"),
        "plan_update": ("title",),
        "blocks": ("blocks",),
    }
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    at = f"[json-pointer:/chunks/{number}]"
    if kind not in needs:
        raise SlackError("invalid_chunks", [f"[ERROR] unsupported type: {kind} {at}"])
    for key in needs[kind]:
        wanted = list if key == "blocks" else str
        if not isinstance(chunk.get(key), wanted):
            raise SlackError("invalid_chunks", [f"[ERROR] missing required field: {key} {at}"])
    if kind == "task_update" and chunk["status"] not in STATUSES:
        raise SlackError("invalid_chunks", [f"[ERROR] status must be one of {', '.join(STATUSES)} {at}"])


def _update_task(stream: Stream, chunk: JsonObject) -> None:
    """Details and output of a task add up over its updates; title and status are replaced."""
    task = stream.tasks.setdefault(chunk["id"], {"type": "task_card", "task_id": chunk["id"]})
    task.update({"title": chunk["title"], "status": chunk["status"]})
    for key in ("details", "output"):
        if chunk.get(key):
            before = task.get(key, _rich_text(""))["elements"][0]["elements"][0]["text"]
            task[key] = _rich_text(before + str(chunk[key]))
    if chunk.get("sources"):
        task["sources"] = list(task.get("sources", [])) + list(chunk["sources"])


def _rich_text(text: str) -> JsonObject:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def _blocks(stream: Stream) -> list[JsonObject]:
    blocks: list[JsonObject] = []
    tasks = list(stream.tasks.values())
    if tasks and stream.display_mode == "plan":
        blocks.append({"type": "plan", "title": stream.plan_title or "Plan", "tasks": tasks})
    else:
        blocks += tasks
    if stream.markdown:
        blocks.append({"type": "markdown", "text": stream.markdown})
    return blocks + stream.extra_blocks


def _show(call: Call, message: Message, stream: Stream) -> None:
    message.text = stream.markdown
    message.blocks = messages.with_ids(_blocks(stream), message.blocks)
    call.site.workspace.changed(message, "streamed")


METHODS: dict[str, Handler] = {
    "chat.startStream": start,
    "chat.appendStream": append,
    "chat.stopStream": stop,
}
