"""Slack's sizes, as tables: characters, items, and which element may stand where.

The numbers are those of Slack's Block Kit reference (docs.slack.dev/reference/block-kit). `BLOCKS_TOGETHER` is not
documented; Slack refuses messages above about that size with msg_blocks_too_long (slackapi/bolt-js issue 2509).
"""

from collections.abc import Mapping

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
TEXT = 40_000
MARKDOWN_TOGETHER = 12_000
BLOCKS_TOGETHER = 13_200
TABLE_ROWS = 100
TABLE_COLUMNS = 20
TABLE_CHARACTERS = 10_000
METADATA_BYTES = 16_384
VIEW_BYTES = 250_000

# Character limits of plain strings, by the type of the object that holds them.
STRINGS: Mapping[str, Mapping[str, int]] = {
    "button": {"value": 2000, "url": 3000, "accessibility_label": 75},
    "icon_button": {"value": 2000, "accessibility_label": 75},
    "image": {"alt_text": 2000, "image_url": 3000},
    "video": {"alt_text": 2000, "author_name": 50},
    "plain_text_input": {"initial_value": 3000},
    "modal": {"private_metadata": 3000, "callback_id": 255, "external_id": 255},
    "home": {"private_metadata": 3000, "callback_id": 255, "external_id": 255},
}
# Character limits of text objects ({"type": "plain_text" | "mrkdwn", "text": ...}), by holder and key.
TEXTS: Mapping[str, Mapping[str, int]] = {
    "section": {"text": 3000},
    "header": {"text": 150},
    "button": {"text": 75},
    "icon_button": {"text": 75},
    "image": {"title": 2000},
    "video": {"title": 200, "description": 200},
    "input": {"label": 2000, "hint": 2000},
    "modal": {"title": 24, "submit": 24, "close": 24},
    "alert": {"text": 3000},
    "confirm": {"title": 100, "text": 300, "confirm": 30, "deny": 30},
    "option": {"text": 75, "description": 75},
    "option group": {"label": 75},
    "feedback": {"text": 75},
}
PLAIN_ONLY = {
    ("header", "text"),
    ("button", "text"),
    ("icon_button", "text"),
    ("image", "title"),
    ("input", "label"),
    ("input", "hint"),
    ("modal", "title"),
    ("modal", "submit"),
    ("modal", "close"),
    ("confirm", "title"),
    ("confirm", "confirm"),
    ("confirm", "deny"),
    ("option group", "label"),
    ("feedback", "text"),
}
ITEMS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "section": {"fields": (1, 10)},
    "actions": {"elements": (1, 25)},
    "context": {"elements": (1, 10)},
    "context_actions": {"elements": (1, 5)},
    "overflow": {"options": (2, 5)},
    "checkboxes": {"options": (1, 10)},
    "radio_buttons": {"options": (1, 10)},
    "static_select": {"options": (1, 100), "option_groups": (1, 100)},
    "multi_static_select": {"options": (1, 100), "option_groups": (1, 100)},
    "carousel": {"elements": (1, 10)},
    "option group": {"options": (1, 100)},
}
_SELECTS = {
    f"{many}{kind}_select" for many in ("", "multi_") for kind in ("static", "external", "users", "conversations", "channels")
}
_COMMON = _SELECTS | {"checkboxes", "radio_buttons", "datepicker", "timepicker"}
ELEMENTS: Mapping[str, frozenset[str]] = {
    "actions": frozenset(_COMMON | {"button", "overflow", "datetimepicker", "workflow_button", "rich_text_input"}),
    "accessory": frozenset(_COMMON | {"button", "overflow", "image", "workflow_button"}),
    "input": frozenset(
        _COMMON
        | {
            "plain_text_input",
            "number_input",
            "email_text_input",
            "url_text_input",
            "datetimepicker",
            "file_input",
            "rich_text_input",
        }
    ),
    "context": frozenset({"image", "mrkdwn", "plain_text"}),
    "context_actions": frozenset({"feedback_buttons", "icon_button"}),
}
VIEW_TYPES = frozenset({"section", "header", "divider", "actions", "context", "image", "input", "rich_text", "video", "file"})
MESSAGE_TYPES = (VIEW_TYPES - {"file"}) | {
    "file",
    "markdown",
    "table",
    "context_actions",
    "task_card",
    "plan",
    "alert",
    "card",
    "carousel",
    "container",
    "data_table",
}
