"""What Slack refuses is refused here, by the size table alone and with a schema."""

from typing import Any

import pytest

from bot.workspace.limits import message_problems, view_problems
from bot.workspace.structure import Structure
from tests.workspace.card import CARD, CARD_TEXT
from tests.workspace.conftest import SCHEMA, block_schema


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": plain("Go"), **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def option(text: str = "One", value: str = "1") -> dict[str, Any]:
    return {"text": plain(text), "value": value}


def overflow(count: int) -> dict[str, Any]:
    return {"type": "overflow", "action_id": "o", "options": [option(value=str(n)) for n in range(count)]}


def table(rows: int, columns: int) -> dict[str, Any]:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * columns] * rows}


def modal(**more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("Why?"), "blocks": [section("x")], **more}


FITS: dict[str, list[Any]] = {
    "the card of the design": CARD,
    "50 blocks": [{"type": "divider"}] * 50,
    "a section of 3000": [section("x" * 3000)],
    "a header of 150": [{"type": "header", "text": plain("x" * 150)}],
    "25 buttons": [actions(*(button(action_id=str(n)) for n in range(25)))],
    "a button of 75 with a value of 2000": [actions(button(text=plain("x" * 75), value="v" * 2000))],
    "ten fields of 2000, one long": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2000}] + [plain("x")] * 9}],
    "a table of 100 x 20": [table(100, 20)],
    "markdown of 12000": [{"type": "markdown", "text": "x" * 12000}],
    "five options": [actions(overflow(5))],
    "the same action_id in two blocks": [actions(button()), actions(button())],
}
REFUSED: dict[str, tuple[list[Any], str]] = {
    "51 blocks": ([{"type": "divider"}] * 51, "[json-pointer:/blocks]"),
    "a section of 3001": ([section("x" * 3001)], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    "an empty section text": ([section("")], "[json-pointer:/blocks/0/text/text]"),
    "a section of nothing": ([{"type": "section"}], "[json-pointer:/blocks/0]"),
    "eleven fields": ([{"type": "section", "fields": [plain("x")] * 11}], "[json-pointer:/blocks/0/fields]"),
    "a field of 2001": ([{"type": "section", "fields": [plain("x" * 2001)]}], "/blocks/0/fields/0/text]"),
    "a header of 151": ([{"type": "header", "text": plain("x" * 151)}], "/blocks/0/text/text]"),
    "a mrkdwn header": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "/blocks/0/text/type]"),
    "26 buttons": ([actions(*(button(action_id=str(n)) for n in range(26)))], "/blocks/0/elements]"),
    "a button text of 76": ([actions(button(text=plain("x" * 76)))], "less than 76 characters"),
    "a button value of 2001": ([actions(button(value="v" * 2001))], "/blocks/0/elements/0/value]"),
    "a mrkdwn button": ([actions(button(text={"type": "mrkdwn", "text": "x"}))], "/elements/0/text/type]"),
    "a purple button": ([actions(button(style="purple"))], "/elements/0/style]"),
    "an action_id of 256": ([actions(button(action_id="a" * 256))], "/elements/0/action_id]"),
    "an action_id twice": ([actions(button(), button())], "/elements/1/action_id]"),
    "a block_id twice": ([{"type": "divider", "block_id": "b"}] * 2, "/blocks/1/block_id]"),
    "eleven context elements": ([{"type": "context", "elements": [plain("x")] * 11}], "/blocks/0/elements]"),
    "a button in a context": ([{"type": "context", "elements": [button()]}], "/blocks/0/elements/0/type]"),
    "an overflow of one": ([actions(overflow(1))], "/elements/0/options]"),
    "an overflow of six": ([actions(overflow(6))], "/elements/0/options]"),
    "an option of 76": (
        [actions({"type": "static_select", "action_id": "s", "options": [option("x" * 76)]})],
        "/options/0/text/text]",
    ),
    "a table of 101 rows": ([table(101, 2)], "/blocks/0/rows]"),
    "a table of 21 columns": ([table(2, 21)], "/blocks/0/rows/0]"),
    "two tables": ([table(1, 1), table(1, 1)], "only one table"),
    "an unknown block": ([{"type": "sparkline"}], "unsupported type: sparkline"),
    "a block that is no object": (["text"], "[json-pointer:/blocks/0]"),
    "an image without alt_text": ([{"type": "image", "image_url": "http://x"}], "/blocks/0/alt_text]"),
    "a confirm of half": ([actions(button(confirm={"title": plain("Sure?")}))], "/confirm/deny]"),
    "markdown of 12001": ([{"type": "markdown", "text": "x" * 6001}, {"type": "markdown", "text": "x" * 6000}], "12000"),
}


@pytest.mark.parametrize("name", FITS)
def test_what_fits_is_accepted(name: str) -> None:
    assert message_problems(CARD_TEXT, FITS[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_large_or_malformed_is_refused_by_its_path(name: str) -> None:
    blocks, says = REFUSED[name]
    assert says in " ".join(str(p) for p in message_problems("", blocks))


def test_a_text_of_40001_characters_is_too_long() -> None:
    assert message_problems("x" * 40_000, []) == []
    assert [p.code for p in message_problems("x" * 40_001, [])] == ["msg_too_long"]


def test_metadata_needs_a_type_and_a_payload() -> None:
    assert message_problems("x", [], {"event_type": "incident", "event_payload": {"id": "1"}}) == []
    assert [p.code for p in message_problems("x", [], {"event_type": "incident"})] == ["invalid_metadata_format"]


def test_a_modal_has_a_title_of_24_and_100_blocks() -> None:
    assert view_problems(modal(blocks=[{"type": "divider"}] * 100)) == []
    assert "/view/title/text" in str(view_problems(modal(title=plain("x" * 25)))[0])
    assert "/view/blocks]" in str(view_problems(modal(blocks=[{"type": "divider"}] * 101))[0])


def test_a_modal_with_inputs_needs_a_submit_text() -> None:
    wanted = {"type": "input", "label": plain("Why"), "element": {"type": "plain_text_input", "action_id": "w"}}
    assert "/view/submit" in str(view_problems(modal(blocks=[wanted]))[0])
    assert view_problems(modal(blocks=[wanted], submit=plain("Send"))) == []


def test_markdown_belongs_into_messages_only() -> None:
    assert "unsupported type: markdown" in str(view_problems(modal(blocks=[{"type": "markdown", "text": "x"}]))[0])


@pytest.mark.shared_data
@pytest.mark.skipif(not SCHEMA.exists(), reason="the block schema beside the project is absent")
def test_the_schema_accepts_the_card_and_names_the_field_it_refuses() -> None:
    structure = Structure(block_schema())
    assert structure.problems({"blocks": CARD}) == []
    odd = [section("fine"), actions(button(colour="red"))]
    [problem] = structure.problems({"blocks": odd})
    assert "/blocks/1/elements/0" in problem.pointer
    assert "colour" in problem.says
