"""What Slack accepts, as a table of our own: sizes and rules of docs.slack.dev/reference/block-kit."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

TEXTS = {  # the longest text by (holder's type, key)
    ("section", "text"): 3000,
    ("context", "elements"): 3000,
    ("header", "text"): 150,
    ("button", "text"): 75,
    ("option", "text"): 75,
    ("confirm", "title"): 100,
    ("confirm", "text"): 300,
    ("confirm", "confirm"): 30,
    ("confirm", "deny"): 30,
    ("modal", "title"): 24,
    ("modal", "submit"): 24,
    ("modal", "close"): 24,
    ("input", "label"): 2000,
    ("input", "hint"): 2000,
}
STRINGS = {
    ("button", "value"): 2000,
    ("button", "action_id"): 255,
    ("overflow", "action_id"): 255,
    ("option", "value"): 150,
    ("markdown", "text"): 12_000,
    ("modal", "private_metadata"): 3000,
    ("modal", "callback_id"): 255,
}
MOST = {"actions": ("elements", 25), "context": ("elements", 10), "overflow": ("options", 5)}
LEAST = {"actions": 1, "context": 1, "overflow": 2}
PLAIN = {("header", "text"), ("button", "text"), ("option", "text"), ("modal", "title")}
_SEQUENCE = re.compile(r"<([^<>]*)>")
_MENTION = re.compile(r"@[UW][A-Z0-9]{2,20}")
_DATE = re.compile(r"!date\^\d+\^[^|<>]*\|[^|<>]*")
_CHANNEL = re.compile(r"#[A-Za-z0-9]+")


def problems(blocks: list[Any], hosts: tuple[str, ...], most: int = 50) -> list[str]:
    """Everything that Slack would refuse, and every sequence in mrkdwn that is not one of ours."""
    found = [f"{len(blocks)} blocks"] if not 0 < len(blocks) <= most else []
    if most == 50 and (total := sum(map(_characters, blocks))) > 13_000:
        found.append(f"{total} characters together")
    for block in blocks:
        found += _holder(block, str(block["type"]), hosts)
    return found


def view_problems(view: Mapping[str, Any], hosts: tuple[str, ...]) -> list[str]:
    """The same for a modal or a home page."""
    frame = {k: v for k, v in view.items() if k != "blocks"}
    return [*_holder(frame, view["type"], hosts), *problems(view["blocks"], hosts, 100)]


def _holder(holder: Mapping[str, Any], kind: str, hosts: tuple[str, ...]) -> Iterator[str]:
    for key, value in holder.items():
        if isinstance(value, str) and len(value) > STRINGS.get((kind, key), 10**9):
            yield f"{kind}.{key}: {len(value)} characters"
        if isinstance(value, dict) and value.get("type") in ("plain_text", "mrkdwn"):
            yield from _text(value, kind, key, hosts)
        elif isinstance(value, dict):
            yield from _holder(value, str(value.get("type") or key), hosts)
        elif isinstance(value, list):
            yield from _many(value, kind, key, hosts)


def _many(items: list[Any], kind: str, key: str, hosts: tuple[str, ...]) -> Iterator[str]:
    most = MOST.get(kind, (key, 10**9))[1]
    if not LEAST.get(kind, 0) <= len(items) <= most:
        yield f"{kind}.{key}: {len(items)} items"
    ids = [i.get("action_id") for i in items if isinstance(i, dict) and i.get("action_id")]
    if len(ids) != len(set(ids)):
        yield f"{kind}.{key}: an action_id twice"
    for item in items:
        if item.get("type") in ("plain_text", "mrkdwn"):
            yield from _text(item, kind, key, hosts)
        else:
            yield from _holder(item, "option" if key == "options" else str(item.get("type")), hosts)


def _text(part: Mapping[str, Any], kind: str, key: str, hosts: tuple[str, ...]) -> Iterator[str]:
    text = part["text"]
    if not 0 < len(text) <= TEXTS.get((kind, key), 3000):
        yield f"{kind}.{key}: {len(text)} characters"
    if part["type"] == "mrkdwn":
        if (kind, key) in PLAIN:
            yield f"{kind}.{key}: must be plain text"
        if part.get("verbatim") is not True:
            yield f"{kind}.{key}: Slack would make links of plain words"
        yield from sequences(text, hosts)


def sequences(text: str, hosts: tuple[str, ...]) -> Iterator[str]:
    """Everything in mrkdwn that does more than read: only mentions of people, times, channels and our links may."""
    bare = _SEQUENCE.sub("", text)
    if "<" in bare or ">" in bare:
        yield f"a loose angle bracket in {bare[:80]!r}"
    if re.search(r"&(?!amp;|lt;|gt;)", text):
        yield f"a loose & in {text[:80]!r}"
    if re.search(r"@(channel|here|everyone)\b", text, re.IGNORECASE):
        yield "a broadcast"
    for inner in _SEQUENCE.findall(text):
        link = re.fullmatch(r"https?://([A-Za-z0-9.-]+)(:\d+)?([/?#][^|]*)?\|[^|]+", inner)
        ours = link and any(link[1].lower() == h or link[1].lower().endswith("." + h) for h in hosts)
        if not (ours or _MENTION.fullmatch(inner) or _DATE.fullmatch(inner) or _CHANNEL.fullmatch(inner)):
            yield f"a strange sequence <{inner[:80]}>"


def _characters(part: Any) -> int:
    if isinstance(part, dict):
        return sum(len(v) if k == "text" and isinstance(v, str) else _characters(v) for k, v in part.items())
    return sum(map(_characters, part)) if isinstance(part, list) else 0
