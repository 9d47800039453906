"""Web API: assistant.threads.*, the status line, title and suggested prompts of a conversation with the app."""

from datetime import timedelta
from typing import Any

from bot.workspace.errors import SlackError
from bot.workspace.state import Channel, JsonObject, Suggestions
from bot.workspace.webapi import Call, Handler

STATUS_LIFE = timedelta(minutes=2)
MOST_PROMPTS = 4
MOST_LOADING_MESSAGES = 10


async def set_status(call: Call) -> JsonObject:
    """Shown under the thread until the app posts there, or for two minutes; "" takes it away."""
    channel, thread_ts = _thread(call)
    if call.args.get("status") is None:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: status"])
    loading = call.structured("loading_messages", "invalid_arguments") or []
    if not isinstance(loading, list) or len(loading) > MOST_LOADING_MESSAGES:
        raise SlackError(
            "invalid_arguments", [f"[ERROR] no more than {MOST_LOADING_MESSAGES} items allowed [json-pointer:/loading_messages]"]
        )
    status = call.text("status", "")[:200]
    workspace = call.site.workspace
    workspace.set_status(channel.id, thread_ts, status, workspace.clock() + STATUS_LIFE)
    workspace.record("status", channel=channel.id, thread_ts=thread_ts, text=status)
    return {}


async def set_title(call: Call) -> JsonObject:
    """The name of a conversation in the list of the person's conversations with the app."""
    channel, thread_ts = _thread(call)
    title = call.text("title")
    call.site.workspace.titles[(channel.id, thread_ts)] = title
    call.site.workspace.record("title", channel=channel.id, thread_ts=thread_ts, text=title)
    call.site.workspace.publish({"kind": "title", "channel": channel.id, "thread_ts": thread_ts, "text": title})
    return {}


async def set_suggested_prompts(call: Call) -> JsonObject:
    """Up to four things to ask. In the agent view, which this is, prompts for a named thread are shown nowhere."""
    channel = call.joined_channel("channel_id")
    prompts = call.structured("prompts", "invalid_arguments")
    if not isinstance(prompts, list) or not prompts:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: prompts"])
    if len(prompts) > MOST_PROMPTS:
        raise SlackError("invalid_arguments", [f"[ERROR] no more than {MOST_PROMPTS} items allowed [json-pointer:/prompts]"])
    kept = tuple(_prompt(prompt, number) for number, prompt in enumerate(prompts))
    ignored = bool(call.text("thread_ts", ""))
    call.site.workspace.record("prompts", channel=channel.id, prompts=[title for title, _ in kept], ignored=ignored or None)
    if not ignored:
        call.site.workspace.suggest(channel.id, Suggestions(call.text("title", ""), kept))
    return {}


def _prompt(prompt: Any, number: int) -> tuple[str, str]:
    for key in ("title", "message"):
        if not isinstance(prompt, dict) or not isinstance(prompt.get(key), str) or not prompt[key]:
            raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {key} [json-pointer:/prompts/{number}]"])
    return prompt["title"], prompt["message"]


def _thread(call: Call) -> tuple[Channel, str]:
    channel = call.joined_channel("channel_id")
    thread_ts = call.text("thread_ts")
    if thread_ts not in channel.messages:
        raise SlackError("invalid_thread_ts")
    return channel, thread_ts


METHODS: dict[str, Handler] = {
    "assistant.threads.setStatus": set_status,
    "assistant.threads.setTitle": set_title,
    "assistant.threads.setSuggestedPrompts": set_suggested_prompts,
}
