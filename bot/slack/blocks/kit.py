"""The few Block Kit pieces that we use, cut to Slack's sizes, and the frozen message that holds them.

Sizes: docs.slack.dev/reference/block-kit. What does not fit is cut with "…" or counted, never refused by Slack.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.domain.request import Deed, More
from bot.slack.text import cut, cut_mrkdwn, plain
from bot.slack.vocabulary import LABELS, MENU

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Block: TypeAlias = dict[str, Json]

SECTION = 3000
CONTEXT = 2000
HEADER = 150
BUTTON = 75
BUTTON_VALUE = 2000
BLOCKS = 50
TOGETHER = 12_000  # Slack refuses a message somewhat above this; see msg_blocks_too_long
FALLBACK = 3000
MARKDOWN = 12_000
VIEW_BLOCKS = 100


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to chat.postMessage: `text` is the fallback for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """The question that Slack asks before it sends a dangerous press."""

    title: str
    text: str
    yes: str
    no: str = "Cancel"


def section(*lines: str) -> Block:
    """Lines of mrkdwn; whole lines are left out where they do not fit."""
    return {"type": "section", "text": _mrkdwn(_fitting(lines, SECTION))}


def context(*lines: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [_mrkdwn(_fitting(lines, CONTEXT))]}


def header(text: str) -> Block:
    """A heading in plain text."""
    return {"type": "header", "text": _plain(plain(text, HEADER))}


def divider() -> Block:
    """A line across."""
    return {"type": "divider"}


def button(deed: Deed, value: str, *, style: str = "", confirm: Confirm | None = None) -> Block:
    """A button of the fixed vocabulary; `value` is an opaque id."""
    made: Block = {
        "type": "button",
        "action_id": deed.value,
        "text": _plain(cut(LABELS[deed], BUTTON)),
        "value": value[:BUTTON_VALUE],
    }
    if style:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = {
            "title": _plain(plain(confirm.title, 100)),
            "text": _plain(plain(confirm.text, 300)),
            "confirm": _plain(plain(confirm.yes, 30)),
            "deny": _plain(plain(confirm.no, 30)),
        }
        if style == "danger":
            made["confirm"] = {**_object(made["confirm"]), "style": "danger"}
    return made


def menu(choices: Iterable[More], value: str) -> Block:
    """The overflow menu of a card; an option's value is "<choice>:<id>"."""
    options: list[Json] = [{"text": _plain(MENU[c]), "value": f"{c.value}:{value}"[:150]} for c in choices]
    return {"type": "overflow", "action_id": Deed.INCIDENT_MORE.value, "options": options}


def actions(*elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def markdown(text: str) -> Block:
    """Standard Markdown, already sanitised, which Slack lays out itself."""
    return {"type": "markdown", "text": cut(text, MARKDOWN) or "…"}


def message(text: str, body: Iterable[Block], foot: Iterable[Block] = ()) -> Message:
    """A message that Slack accepts: the foot (buttons, small print) always stays, a body too long is cut and says so."""
    bottom = list(foot)
    kept: list[Block] = []
    left = TOGETHER - sum(map(_weight, bottom))
    pieces = list(body)
    for number, block in enumerate(pieces):
        more = len(pieces) - number
        left -= _weight(block)
        if left < 0 or (len(kept) + len(bottom) + 1 >= BLOCKS and more > 1):
            kept.append(context(f"… and {more} more parts that do not fit here"))
            break
        kept.append(block)
    return Message(cut_mrkdwn(text, FALLBACK) or "Tocsin", (*kept, *bottom))


def chunks(lines: Iterable[str], limit: int = SECTION) -> list[Block]:
    """Many lines as as few sections as possible, none of them cut between lines."""
    made: list[Block] = []
    held: list[str] = []
    size = 0
    for line in lines:
        shown = cut_mrkdwn(line, limit)
        if held and size + len(shown) + 1 > limit:
            made.append(section(*held))
            held, size = [], 0
        held.append(shown)
        size += len(shown) + 1
    return [*made, section(*held)] if held else made


def _fitting(lines: Sequence[str], limit: int) -> str:
    kept: list[str] = []
    left = limit
    for line in (x for x in lines if x):
        if len(line) + 1 > left:
            kept.append(cut_mrkdwn(line, left) if left > 40 else "…")
            break
        kept.append(line)
        left -= len(line) + 3  # the newline, and room for a last "…"
    return "\n".join(kept) or "…"


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack makes no links, channels or mentions of its own out of plain words
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text or "…", "emoji": False}


def _object(part: Json) -> Block:
    return dict(part) if isinstance(part, Mapping) else {}


def _weight(part: Json) -> int:
    """How many characters of text a block holds, as Slack counts them together."""
    if isinstance(part, Mapping):
        return sum(len(v) if k == "text" and isinstance(v, str) else _weight(v) for k, v in part.items())
    if isinstance(part, Sequence) and not isinstance(part, str):
        return sum(_weight(item) for item in part)
    return 0
