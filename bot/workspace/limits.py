"""What Slack refuses in a message or a view, by the tables of sizes.py and a few rules. Pure functions.

A problem names the place by a JSON pointer, as Slack does:
"must be less than 3001 characters [json-pointer:/blocks/0/text/text]".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.workspace.sizes import (
    BLOCKS_TOGETHER,
    ELEMENTS,
    ITEMS,
    MARKDOWN_TOGETHER,
    MESSAGE_BLOCKS,
    MESSAGE_TYPES,
    METADATA_BYTES,
    PLAIN_ONLY,
    STRINGS,
    TABLE_CHARACTERS,
    TABLE_COLUMNS,
    TABLE_ROWS,
    TEXT,
    TEXTS,
    VIEW_BLOCKS,
    VIEW_BYTES,
    VIEW_TYPES,
)

Json = Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Something Slack refuses. `code` is Slack's error word."""

    pointer: str
    says: str
    code: str = "invalid_blocks"

    def __str__(self) -> str:
        return f"[ERROR] {self.says} [json-pointer:{self.pointer}]"


def message_problems(text: str, blocks: Sequence[Json], metadata: Json = None) -> list[Problem]:
    """Everything Slack would refuse in a message; an empty list means that it would be accepted."""
    found = list(_blocks(blocks, "/blocks", MESSAGE_BLOCKS, MESSAGE_TYPES))
    if len(text) > TEXT:
        found.append(Problem("/text", f"must be less than {TEXT + 1} characters", "msg_too_long"))
    if not found and blocks:
        together = _text_length(blocks)
        markdown = sum(len(str(b.get("text", ""))) for b in blocks if b.get("type") == "markdown")
        if markdown > MARKDOWN_TOGETHER or together > BLOCKS_TOGETHER:
            says = f"{together} characters in blocks, of which {markdown} of markdown (at most {MARKDOWN_TOGETHER})"
            found.append(Problem("/blocks", says, "msg_blocks_too_long"))
    found.extend(_metadata(metadata))
    return found


def view_problems(view: Json) -> list[Problem]:
    """Everything Slack would refuse in a modal or a Home tab."""
    if not isinstance(view, dict):
        return [Problem("/view", "must be an object", "invalid_arguments")]
    kind = view.get("type")
    if kind not in ("modal", "home"):
        return [Problem("/view/type", f"unsupported type: {kind}", "invalid_arguments")]
    found: list[Problem] = []
    if kind == "modal" and not view.get("title"):
        found.append(Problem("/view/title", "missing required field: title"))
    if not isinstance(view.get("blocks"), list):
        return [*found, Problem("/view/blocks", "missing required field: blocks")]
    found += _sizes(view, kind, "/view")
    found += _blocks(view["blocks"], "/view/blocks", VIEW_BLOCKS, VIEW_TYPES)
    inputs = any(isinstance(b, dict) and b.get("type") == "input" for b in view["blocks"])
    if kind == "modal" and inputs and not view.get("submit"):
        found.append(Problem("/view/submit", "a modal with input blocks needs a submit text"))
    if len(str(view)) > VIEW_BYTES:
        found.append(Problem("/view", "the view is greater than 250kb", "view_too_large"))
    return [p if p.code != "invalid_blocks" else Problem(p.pointer, p.says, "invalid_arguments") for p in found]


def _metadata(metadata: Json) -> Iterator[Problem]:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        yield Problem("/metadata/event_type", "missing required field: event_type", "invalid_metadata_format")
    elif not isinstance(metadata.get("event_payload"), dict):
        yield Problem("/metadata/event_payload", "must be an object", "invalid_metadata_format")
    elif len(str(metadata)) > METADATA_BYTES:
        yield Problem("/metadata", "must be less than 16 KB", "metadata_too_large")


def _blocks(blocks: Json, at: str, most: int, allowed: frozenset[str]) -> Iterator[Problem]:
    if not isinstance(blocks, list):
        yield Problem(at, "must be an array", "invalid_blocks_format")
        return
    if len(blocks) > most:
        yield Problem(at, f"no more than {most} items allowed")
    seen: set[str] = set()
    tables = 0
    for number, block in enumerate(blocks):
        here = f"{at}/{number}"
        if not isinstance(block, dict):
            yield Problem(here, "must be an object", "invalid_blocks_format")
            continue
        kind = block.get("type")
        if kind not in allowed:
            yield Problem(f"{here}/type", f"unsupported type: {kind}")
            continue
        block_id = block.get("block_id")
        if block_id in seen:
            yield Problem(f"{here}/block_id", f"block_id already exists: {block_id}")
        if isinstance(block_id, str) and block_id:
            seen.add(block_id)
        tables += kind == "table"
        if tables > 1:
            yield Problem(here, "only one table allowed per message")
        yield from _block(block, str(kind), here)


def _block(block: Json, kind: str, here: str) -> Iterator[Problem]:
    yield from _sizes(block, kind, here)
    if kind == "section":
        yield from _section(block, here)
    elif kind in ("actions", "context", "context_actions"):
        yield from _elements(block, kind, here)
    elif kind == "input":
        element = block.get("element")
        yield from _element(element, ELEMENTS["input"], f"{here}/element")
        if not block.get("label"):
            yield Problem(f"{here}/label", "missing required field: label")
    elif kind == "image":
        yield from _image(block, here)
    elif kind == "header" and not block.get("text"):
        yield Problem(f"{here}/text", "missing required field: text")
    elif kind == "markdown" and not isinstance(block.get("text"), str):
        yield Problem(f"{here}/text", "must be a string")
    elif kind == "table":
        yield from _table(block, here)


def _section(block: Json, here: str) -> Iterator[Problem]:
    fields = block.get("fields")
    if not block.get("text") and not fields:
        yield Problem(here, "a section needs text or fields")
    for number, field in enumerate(fields or []):
        yield from _text(field, 2000, False, f"{here}/fields/{number}")
    if "accessory" in block:
        yield from _element(block["accessory"], ELEMENTS["accessory"], f"{here}/accessory")


def _elements(block: Json, kind: str, here: str) -> Iterator[Problem]:
    elements = block.get("elements")
    if not isinstance(elements, list):
        yield Problem(f"{here}/elements", "missing required field: elements")
        return
    seen: set[str] = set()
    for number, element in enumerate(elements):
        there = f"{here}/elements/{number}"
        yield from _element(element, ELEMENTS[kind], there)
        action = element.get("action_id") if isinstance(element, dict) else None
        if action and action in seen:
            yield Problem(f"{there}/action_id", f"action_id already exists in this block: {action}")
        seen.add(str(action))


def _element(element: Json, allowed: frozenset[str], here: str) -> Iterator[Problem]:
    if not isinstance(element, dict):
        yield Problem(here, "must be an object")
        return
    kind = str(element.get("type"))
    if kind not in allowed:
        yield Problem(f"{here}/type", f"unsupported type: {kind}")
        return
    if kind in ("mrkdwn", "plain_text"):
        yield from _text(element, 3000, False, here)
        return
    yield from _sizes(element, kind, here)
    if kind == "image":
        yield from _image(element, here)
    if kind == "button" and not element.get("text"):
        yield Problem(f"{here}/text", "missing required field: text")
    if kind == "button" and element.get("style", "primary") not in ("primary", "danger"):
        yield Problem(f"{here}/style", f"must be primary or danger, not {element['style']}")
    yield from _options(element, kind, here)
    if "placeholder" in element:
        yield from _text(element["placeholder"], 150, True, f"{here}/placeholder")
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{here}/confirm")
    for side in ("positive_button", "negative_button"):
        if kind == "feedback_buttons":
            yield from _sizes(element.get(side) or {}, "feedback", f"{here}/{side}")


def _options(element: Json, kind: str, here: str) -> Iterator[Problem]:
    for number, option in enumerate(element.get("options") or []):
        yield from _option(option, kind, f"{here}/options/{number}")
    for number, group in enumerate(element.get("option_groups") or []):
        there = f"{here}/option_groups/{number}"
        yield from _sizes(group, "option group", there)
        for inner, option in enumerate(group.get("options") or []):
            yield from _option(option, kind, f"{there}/options/{inner}")
    if kind in ("static_select", "multi_static_select") and not (element.get("options") or element.get("option_groups")):
        yield Problem(f"{here}/options", "one of options, option_groups is required")
    if kind == "overflow" and not element.get("options"):
        yield Problem(f"{here}/options", "missing required field: options")


def _option(option: Json, kind: str, here: str) -> Iterator[Problem]:
    if not isinstance(option, dict) or not option.get("text"):
        yield Problem(f"{here}/text", "missing required field: text")
        return
    yield from _sizes(option, "option", here)
    yield from _length(option.get("value"), 150, f"{here}/value")
    yield from _length(option.get("url"), 3000, f"{here}/url")
    mrkdwn_allowed = kind in ("checkboxes", "radio_buttons")
    if isinstance(option["text"], dict) and option["text"].get("type") == "mrkdwn" and not mrkdwn_allowed:
        yield Problem(f"{here}/text/type", "must be plain_text")


def _confirm(confirm: Json, here: str) -> Iterator[Problem]:
    if not isinstance(confirm, dict):
        yield Problem(here, "must be an object")
        return
    for key in ("title", "text", "confirm", "deny"):
        if not confirm.get(key):
            yield Problem(f"{here}/{key}", f"missing required field: {key}")
    yield from _sizes(confirm, "confirm", here)


def _image(image: Json, here: str) -> Iterator[Problem]:
    if not isinstance(image.get("alt_text"), str):
        yield Problem(f"{here}/alt_text", "missing required field: alt_text")
    if not image.get("image_url") and not image.get("slack_file"):
        yield Problem(here, "an image needs image_url or slack_file")


def _table(table: Json, here: str) -> Iterator[Problem]:
    rows = table.get("rows")
    if not isinstance(rows, list) or not rows:
        yield Problem(f"{here}/rows", "missing required field: rows")
        return
    if len(rows) > TABLE_ROWS:
        yield Problem(f"{here}/rows", f"no more than {TABLE_ROWS} items allowed")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or not row:
            yield Problem(f"{here}/rows/{number}", "must be an array of cells")
        elif len(row) > TABLE_COLUMNS:
            yield Problem(f"{here}/rows/{number}", f"no more than {TABLE_COLUMNS} items allowed")
    if _text_length(rows) > TABLE_CHARACTERS:
        yield Problem(f"{here}/rows", f"must be less than {TABLE_CHARACTERS + 1} characters together")


def _sizes(holder: Json, kind: str, here: str) -> Iterator[Problem]:
    if not isinstance(holder, dict):
        yield Problem(here, "must be an object")
        return
    for key, most in {"action_id": 255, "block_id": 255, **STRINGS.get(kind, {})}.items():
        yield from _length(holder.get(key), most, f"{here}/{key}")
    for key, most in TEXTS.get(kind, {}).items():
        if holder.get(key) is not None:
            yield from _text(holder[key], most, (kind, key) in PLAIN_ONLY, f"{here}/{key}")
    for key, (least, most) in ITEMS.get(kind, {}).items():
        value = holder.get(key)
        if value is None:
            continue
        if not isinstance(value, list):
            yield Problem(f"{here}/{key}", "must be an array")
        elif len(value) > most:
            yield Problem(f"{here}/{key}", f"no more than {most} items allowed")
        elif len(value) < least:
            yield Problem(f"{here}/{key}", f"no less than {least} items allowed")


def _length(value: Json, most: int, here: str) -> Iterator[Problem]:
    if value is None:
        return
    if not isinstance(value, str):
        yield Problem(here, "must be a string")
    elif len(value) > most:
        yield Problem(here, f"must be less than {most + 1} characters")


def _text(text: Json, most: int, plain_only: bool, here: str) -> Iterator[Problem]:
    if not isinstance(text, dict):
        yield Problem(here, "must be a text object")
        return
    kind = text.get("type")
    if kind not in ("plain_text", "mrkdwn") or (plain_only and kind != "plain_text"):
        yield Problem(f"{here}/type", f"unsupported type: {kind}" + (" (must be plain_text)" if plain_only else ""))
    value = text.get("text")
    if not isinstance(value, str) or not value:
        yield Problem(f"{here}/text", "must be more than 0 characters")
    else:
        yield from _length(value, most, f"{here}/text")


def _text_length(part: Json) -> int:
    if isinstance(part, dict):
        return sum(len(v) if k == "text" and isinstance(v, str) else _text_length(v) for k, v in part.items())
    if isinstance(part, list):
        return sum(_text_length(item) for item in part)
    return 0
