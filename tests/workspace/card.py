"""The card of slack.md in Block Kit, as a bot would send it: what the page is judged by."""

from typing import Any

CARD_TEXT = "INC-42 · payments · SEV2: checkout, storefront and payments answer with errors"


def _button(action_id: str, text: str, style: str = "", confirm: bool = False) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": text, "emoji": True},
        "value": "act-42",
    }
    if style:
        button["style"] = style
    if confirm:
        button["confirm"] = {
            "title": {"type": "plain_text", "text": "Roll back payments?"},
            "text": {"type": "plain_text", "text": "payments v43 goes back to v42 in production."},
            "confirm": {"type": "plain_text", "text": "Roll back"},
            "deny": {"type": "plain_text", "text": "Keep v43"},
            "style": "danger",
        }
    return button


def _option(text: str, value: str) -> dict[str, Any]:
    return {"text": {"type": "plain_text", "text": text}, "value": value}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


CARD: list[dict[str, Any]] = [
    {"type": "header", "text": {"type": "plain_text", "text": ":red_circle: INC-42 · payments · SEV2 · open 12 min"}},
    {
        "type": "context",
        "elements": [
            {"type": "mrkdwn", "text": "on call: <@U0ONCALL>"},
            {"type": "mrkdwn", "text": "ack: *nobody yet*"},
            {"type": "mrkdwn", "text": "started <!date^1764000000^{time}|14:00 UTC>"},
        ],
    },
    _section("*Checkout, storefront and payments answer with errors* (18 % of requests, was 0.2 %)"),
    _section(
        '*Likely cause, strong:* payments v43 at 14:02, "raise retries" (<https://git.example.com/3f2c1a9|3f2c1a9>)\n'
        "> retries 2 → 10 `[E4]` · calls to the provider × 4.8 since 14:04 `[E5]` · new log line `retry budget` `[E6]`\n"
        "> _ruled out:_ checkout v18 (shipped after the onset), docs change, storefront flag (no path to payments)"
    ),
    _section("*Next:* roll back payments to v42"),
    {
        "type": "actions",
        "block_id": "deeds",
        "elements": [
            _button("rollback", "Roll back…", "danger", confirm=True),
            _button("ack", "Acknowledge", "primary"),
            _button("silence", "Silence"),
            {
                "type": "overflow",
                "action_id": "more",
                "options": [_option("Catch me up", "catchup"), _option("Show the timeline", "timeline")],
            },
        ],
    },
    {
        "type": "markdown",
        "text": "**Evidence**\n\n| id | what | when |\n|:--|:--|--:|\n| E4 | `retries: 2 → 10` in `config.py` | 14:02 |\n"
        "| E5 | calls to the provider **× 4.8** | 14:04 |\n| E6 | new log line *retry budget exhausted* | 14:05 |\n",
    },
    {
        "type": "context",
        "elements": [
            {
                "type": "mrkdwn",
                "text": "Runbook: <https://runbooks.example.com/payments|Payments retry storm › Step 2>   ·   "
                "Seen before: INC-17, fixed by a rollback",
            }
        ],
    },
    {
        "type": "context",
        "elements": [
            {"type": "plain_text", "text": "43 alerts folded into this card · 14:21 · rules only (no model configured)"}
        ],
    },
]
