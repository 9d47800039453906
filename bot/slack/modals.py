"""Two deeds need words: naming another cause, and saying why an incident is resolved."""

from bot.domain.request import Deed, Press
from bot.slack.blocks import Block
from bot.slack.parse import remember
from bot.slack.vocabulary import INPUT_ACTION, INPUT_BLOCK, MODAL_CAUSE, MODAL_RESOLVE

LONGEST = 1000


def modal_for(pressed: Press) -> Block | None:
    """The modal that a deed opens, or None for one that needs no words."""
    if pressed.action_id is Deed.CAUSE_OTHER:
        ask, hint = "What was the cause?", "One or two sentences; the next similar incident is compared with them."
        return _modal(MODAL_CAUSE, "The actual cause", ask, hint, pressed, optional=False)
    if pressed.action_id is Deed.INCIDENT_RESOLVE:
        ask, hint = "Why is it resolved?", "For the timeline; may stay empty."
        return _modal(MODAL_RESOLVE, "Resolve", ask, hint, pressed, optional=True)
    return None


def _modal(callback: str, title: str, ask: str, hint: str, pressed: Press, *, optional: bool) -> Block:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "private_metadata": remember(pressed),
        "blocks": [
            {
                "type": "input",
                "block_id": INPUT_BLOCK,
                "optional": optional,
                "label": _plain(ask),
                "hint": _plain(hint),
                "element": {
                    "type": "plain_text_input",
                    "action_id": INPUT_ACTION,
                    "multiline": True,
                    "max_length": LONGEST,
                },
            }
        ],
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
