"""What a person reads on the bot's messages: text, buttons, verdict. Pure; knows messages only as Slack's JSON."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

_KEY = re.compile(r"\bINC-\d+\b")
_FOLDED = re.compile(r"(\d+) alerts? folded into this card")
_CAUSE = re.compile(r"(?:Likely|Suspected) cause, ([a-z ]+):\*?\s*(.+)")
_NO_CHANGE = re.compile(r"No change explain(?:s|ed) this, ([a-z ]+):\*?\s*(.+)")
_UNSURE = re.compile(r"No change explain(?:s|ed) this(?: for certain|\*?, and nothing)")
_SUSPECT = re.compile(r"^\s*• (.+)$", re.MULTILINE)
_COMMIT = re.compile(r"\(`?([0-9a-f]{7,40})`?\)")


@dataclass(frozen=True, slots=True)
class Button:
    """A button as it can be pressed."""

    label: str
    action_id: str
    block_id: str
    value: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as a person sees it. `text` is everything readable on it, line by line."""

    channel: str
    ts: str
    text: str
    buttons: tuple[Button, ...]
    key: str

    def button(self, beginning: str) -> Button | None:
        """The button whose label begins so."""
        return next((button for button in self.buttons if button.label.startswith(beginning)), None)


@dataclass(frozen=True, slots=True)
class Said:
    """What a card says about the cause.

    `verdict` is convicted, operational, undetermined or "" (nothing yet); `commits` are the short shas named as cause or
    suspects, the likeliest first; `words` the sentence.
    """

    verdict: str
    commits: tuple[str, ...]
    words: str

    @property
    def first(self) -> str:
        return self.commits[0] if self.commits else ""


def see(message: Json, channel: str) -> Seen:
    """A message of the workspace, read."""
    blocks = message.get("blocks") or []
    lines = [line for block in blocks for line in _lines(block)]
    text = "\n".join(lines) or str(message.get("text", ""))
    key = _KEY.search(f"{message.get('text', '')}\n{text}")
    return Seen(channel, str(message["ts"]), text, tuple(_buttons(blocks)), key[0] if key else "")


def is_card(seen: Seen) -> bool:
    """Whether the message is an incident's card, which says how many alerts it stands for."""
    return _FOLDED.search(seen.text) is not None


def folded(seen: Seen) -> int:
    """How many alerts the card stands for."""
    found = _FOLDED.search(seen.text)
    return int(found[1]) if found else 0


def is_resolved(seen: Seen) -> bool:
    """Whether the card says that its incident is over."""
    return re.search(r"^\W*Resolved\b", seen.text, re.MULTILINE) is not None


def cause_said(seen: Seen) -> Said:
    """The verdict on a card."""
    if found := _CAUSE.search(seen.text):
        return Said("convicted", tuple(_COMMIT.findall(found[2])[:1]), found[0])
    if found := _NO_CHANGE.search(seen.text):
        return Said("operational", (), found[0])
    if found := _UNSURE.search(seen.text):
        suspects = [_COMMIT.findall(line)[:1] for line in _SUSPECT.findall(seen.text)]
        return Said("undetermined", tuple(commit for found in suspects for commit in found), found[0])
    return Said("", (), "")


def names(said: Said, sha: str) -> bool:
    """Whether the first commit that the card names is this one."""
    return bool(said.first) and sha.startswith(said.first)


def _lines(block: Json) -> Iterable[str]:
    if block.get("type") == "markdown":
        yield str(block.get("text", ""))
        return
    parts = [block.get("text"), *(block.get("fields") or [])]
    if block.get("type") == "context":
        parts += block.get("elements") or []
    for part in parts:
        if isinstance(part, Mapping) and "text" in part:
            yield str(part["text"])


def _buttons(blocks: Iterable[Json]) -> Iterable[Button]:
    for block in blocks:
        elements = [*(block.get("elements") or []), block.get("accessory") or {}]
        for element in elements:
            if element.get("type") == "button":
                label = str(element["text"]["text"])
                block_id = str(block.get("block_id", ""))
                yield Button(label, str(element["action_id"]), block_id, str(element.get("value", "")))
