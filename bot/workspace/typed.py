"""What a person types becomes Slack's text: mentions, channels and links in angle brackets, the rest escaped."""

import re

from bot.workspace.state import JsonObject, Message, Workspace

_TOKEN = re.compile(
    r"<(?P<ready>[@#][A-Z0-9]+(?:\|[^<>|]*)?|![a-z]+)>"
    r"|(?P<url>https?://[^\s<>\"|]+[^\s<>\"|.,;:!?)\]'])"
    r"|(?<![\w@])@(?P<name>[a-z0-9._-]+)"
    r"|(?<![\w#&])#(?P<channel>[a-z0-9_-]+)",
    re.IGNORECASE,
)


def as_typed(workspace: Workspace, text: str) -> str:
    """Slack's form of a typed line: `@tocsin` -> `<@U0TOCSIN>`, `#alerts` -> `<#C0ALERTS|alerts>`, `<` -> `&lt;`."""
    parts: list[str] = []
    at = 0
    for match in _TOKEN.finditer(text):
        parts += [_escaped(text[at : match.start()]), _replaced(workspace, match)]
        at = match.end()
    return "".join([*parts, _escaped(text[at:])])


def _replaced(workspace: Workspace, match: re.Match[str]) -> str:
    if match["ready"]:
        return match[0]
    if match["url"]:
        return f"<{_escaped(match['url'])}>"
    if match["name"]:
        return _mention(workspace, match["name"].lower()) or _escaped(match[0])
    channel = workspace.find_channel("#" + match["channel"].lower())
    return f"<#{channel.id}|{channel.name}>" if channel else _escaped(match[0])


def _mention(workspace: Workspace, name: str) -> str:
    name, dots = name.rstrip("."), len(name) - len(name.rstrip("."))
    if name in ("here", "channel", "everyone"):
        return f"<!{name}>" + "." * dots
    bot = workspace.config.bot
    if name in (bot.name, bot.real_name.lower()):
        return f"<@{bot.user_id}>" + "." * dots
    for person in workspace.people.values():
        if name in (person.name, person.real_name.lower()):
            return f"<@{person.id}>" + "." * dots
    for group in workspace.config.groups:
        if name == group.handle:
            return f"<!subteam^{group.id}|@{group.handle}>" + "." * dots
    return ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def say(workspace: Workspace, user: str, channel: str, text: str, thread_ts: str | None) -> Message:
    """Adds what this person says. Its blocks hold the text as rich text, as Slack's own clients send it."""
    typed = as_typed(workspace, text)
    ts = workspace.next_ts()
    element: JsonObject = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    blocks: list[JsonObject] = [{"type": "rich_text", "block_id": ts[-5:], "elements": [element]}]
    return workspace.add(Message(channel, ts, user, typed, blocks, thread_ts=thread_ts))
