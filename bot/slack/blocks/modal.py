"""The pieces of a modal: a title, inputs with their ids, what the modal carries along."""

import json
from collections.abc import Iterable, Mapping, Sequence

from bot.slack.blocks.kit import Block, Json
from bot.slack.text import cut, plain

TITLE = 24
LABEL = 2000
OPTIONS = 100  # of a static select
OPTION = 75  # characters of an option's text
LONGEST = 1000


def modal(callback: str, title: str, submit: str, carried: Mapping[str, str], blocks: Iterable[Block]) -> Block:
    """A modal with these blocks; `carried`, at most 3,000 characters as JSON, comes back with its submission."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _text(plain(title, TITLE)),
        "submit": _text(plain(submit, TITLE)),
        "close": _text("Cancel"),
        "private_metadata": json.dumps(dict(carried), ensure_ascii=False),
        "blocks": list(blocks),
    }


def asked(block: str, label: str, element: Block, *, hint: str = "", optional: bool = False, dispatch: bool = False) -> Block:
    """An input; with `dispatch` the app hears of every choice at once."""
    made: Block = {
        "type": "input",
        "block_id": block,
        "optional": optional,
        "label": _text(cut(label, LABEL)),
        "element": element,
    }
    if hint:
        made["hint"] = _text(cut(hint, LABEL))
    if dispatch:
        made["dispatch_action"] = True
    return made


def words(action: str, *, given: str = "", multiline: bool = False, most: int = LONGEST) -> Block:
    """A field for words, with those that it begins with."""
    made: Block = {"type": "plain_text_input", "action_id": action, "multiline": multiline, "max_length": most}
    if given:
        made["initial_value"] = cut(given, most)
    return made


def select(action: str, values: Sequence[tuple[str, str]], *, chosen: str = "", prompt: str = "Choose") -> Block:
    """A menu of (value, text); with more than fit, a field that the app is asked to complete while a person types."""
    first = next((option(v, t) for v, t in values if chosen and v == chosen), None)
    made: Block = {"action_id": action, "placeholder": _text(prompt)}
    if len(values) > OPTIONS:
        made |= {"type": "external_select", "min_query_length": 1}
    else:
        options: list[Json] = [option(v, t) for v, t in values]
        made |= {"type": "static_select", "options": options}
    return made | ({"initial_option": first} if first else {})


def search(action: str, prompt: str, least: int = 0) -> Block:
    """A field that the app is asked to complete while a person types, from `least` characters on."""
    return {"action_id": action, "placeholder": _text(prompt), "type": "external_select", "min_query_length": least}


def tick(action: str, value: str, text: str) -> Block:
    """A box to tick; `value` is what it says when it is."""
    return {"action_id": action, "type": "checkboxes", "options": [option(value, text)]}


def option(value: str, text: str) -> Block:
    """One entry of a menu."""
    return {"text": _text(plain(text, OPTION) or "…"), "value": value[:150]}


def _text(text: str) -> Block:
    return {"type": "plain_text", "text": text}
