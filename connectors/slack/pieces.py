"""A Slack message of another app taken apart: its attachments, or its text and blocks, each with a title, fields and words.

Formats: docs.slack.dev/messaging/formatting-message-text, docs.slack.dev/reference/block-kit, and the secondary attachments of
docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from bot.domain.payload import Node
from bot.domain.vocabulary import line, link

MOST_PIECES = 20
MOST_BLOCKS = 50
LONGEST = 4000
_REFERENCE = re.compile(r"<([^<>|]{1,2000})(?:\|([^<>]{0,500}))?>")
_MARKUP = re.compile(r"[*`]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one message says of one thing. `fields` have lower-case names; `color` as its sender wrote it."""

    title: str
    link: str = ""
    text: str = ""
    fields: Mapping[str, str] | None = None
    color: str = ""


def pieces(message: Node) -> tuple[Piece, ...]:
    """The attachments that have words, without previews of links; else the message itself, if it has any."""
    own = [message["text"].text(), *_blocks(message["blocks"])]
    above = _piece("", own)
    attached = [
        made
        for node in islice(message["attachments"].optional_items(), MOST_PIECES)
        if not node["from_url"] and not node["is_msg_unfurl"] and (made := _attachment(node, above.title)).title
    ]
    if attached:
        return tuple(attached)
    return (above,) if above.title else ()


def above(message: Node) -> str:
    """The first line of a message's own text, which may say what became of its attachments."""
    return line(plain(message["text"].text()))


def plain(text: str) -> str:
    """Text as people see it, without references, entities and emphasis."""
    said = _REFERENCE.sub(lambda found: found[2] or found[1], text[: 2 * LONGEST])
    return _MARKUP.sub("", html.unescape(said))[:LONGEST]


def _attachment(node: Node, above: str) -> Piece:
    fields = {}
    for field in islice(node["fields"].optional_items(), MOST_BLOCKS):
        name = plain(field["title"].text()).strip(" :").lower()
        if name:
            fields[name[:60]] = plain(field["value"].text()).strip()[:500]
    said = [node["pretext"].text(), node["title"].text(), node["text"].text(), *_blocks(node["blocks"])]
    if not any(said):
        fallback = node["fallback"].text()
        said = ["" if fallback.startswith("[no preview") else fallback.partition(" | ")[0]]
    given = _piece(node["title"].text(), said, node["title_link"].text())
    return Piece(given.title or above, given.link, given.text, fields, node["color"].text()[:20].lower())


def _piece(title: str, said: list[str], href: str = "") -> Piece:
    raw = "\n".join(part for part in said if part.strip())[: 2 * LONGEST]
    first = title or next((part for part in raw.splitlines() if part.strip()), "")
    found = _REFERENCE.search(first)
    to = href or (found[1] if found else "")
    return Piece(" ".join(plain(line(first, 500)).split())[:300], link(to), plain(raw))


def _blocks(node: Node) -> Iterator[str]:
    """The words of blocks, one text each; what people press says nothing."""
    for block in islice(node.optional_items(), MOST_BLOCKS):
        yield block["text"]["text"].text()
        for part in (*islice(block["fields"].optional_items(), 20), *islice(_elements(block), 20)):
            yield part["text"].text() or _rich(part)


def _elements(block: Node) -> Iterator[Node]:
    return block["elements"].optional_items() if block["type"].text() in ("context", "rich_text") else iter(())


def _rich(node: Node, depth: int = 4) -> str:
    """The words of rich text, links with their labels."""
    if node["type"].text() == "link":
        return f"<{node['url'].text()}|{node['text'].text() or node['url'].text()}>"
    if not depth:
        return ""
    parts = islice(node["elements"].optional_items(), 100)
    return "".join(part["text"].text() if part["type"].text() == "text" else _rich(part, depth - 1) for part in parts)
