"""What people can say of a document that they are shown: useful, not useful, this is the one; or which other one is."""

from bot.domain.document import DocumentKind, Tier
from bot.domain.request import Deed
from bot.domain.suggestion import reference
from bot.slack.blocks.kit import Block, Json, button, section
from bot.slack.vocabulary import JUDGED_BLOCK

MOST = 8  # documents with a menu of their own in one message
USEFUL = ("useful", "Useful")
NOT_USEFUL = ("not_useful", "Not useful")
LINK = ("link", "Link this runbook")
UNLINK = ("unlink", "Unlink this runbook")


def judged(place: int, about: str, document: str, tier: str, *lines: str) -> Block:
    """A section about a document with its menu; `about` is what it stands under, "" where nothing can be said of it."""
    made = section(*lines)
    block = f"{JUDGED_BLOCK}{place}:{about}"
    if not about or not document or place >= MOST or len(block) > 255:
        return made
    entries = [USEFUL, NOT_USEFUL]
    if document.startswith(f"{DocumentKind.RUNBOOK.value}:"):
        entries.append(UNLINK if tier == Tier.CONFIRMED.value else LINK)
    ref = reference(document)
    options: list[Json] = [
        {"text": {"type": "plain_text", "text": words, "emoji": False}, "value": f"{verb}:{ref}"} for verb, words in entries
    ]
    menu: Block = {"type": "overflow", "action_id": Deed.SUGGESTION_JUDGE.value, "options": options}
    return {**made, "block_id": block, "accessory": menu}


def link_another(about: str) -> Block:
    """The button that opens the form."""
    return button(Deed.SUGGESTION_LINK, about)
