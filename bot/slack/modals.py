"""The modals behind buttons: naming another cause, resolving, silencing. The words come back with the press behind them."""

from bot.domain.request import Deed, Press
from bot.slack.blocks import Block
from bot.slack.blocks.kit import context
from bot.slack.blocks.modal import asked, modal, search, select, words
from bot.slack.parse import origin
from bot.slack.vocabulary import (
    CAUSE_BLOCK,
    DOCUMENT_BLOCK,
    INPUT_ACTION,
    INPUT_BLOCK,
    LINK_DOCUMENT,
    MODAL_CAUSE,
    MODAL_LINK,
    MODAL_RESOLVE,
    MODAL_SILENCE,
    SPAN_BLOCK,
)

WHAT_FOR = "Linked runbooks come first for this problem, and for its neighbours once two people or two incidents say so."
SPANS = (("30m", "30 minutes"), ("1h", "1 hour"), ("2h", "2 hours"), ("4h", "4 hours"), ("8h", "8 hours"), ("1d", "1 day"))


def modal_for(pressed: Press) -> Block | None:
    """The modal that a deed opens, or None for one that needs no words."""
    carried = origin(pressed)
    text = words(INPUT_ACTION, multiline=True)
    match pressed.action_id:
        case Deed.CAUSE_OTHER:
            hint = "One or two sentences; the next similar incident is compared with them."
            return modal(
                MODAL_CAUSE, "The actual cause", "Send", carried, [asked(INPUT_BLOCK, "What was the cause?", text, hint=hint)]
            )
        case Deed.INCIDENT_RESOLVE:
            why = asked(INPUT_BLOCK, "Why is it resolved?", text, hint="For the timeline; may stay empty.", optional=True)
            hint = "If you know it: kept as the confirmed cause, and compared with the next similar incident."
            cause = asked(CAUSE_BLOCK, "What was the cause?", words(INPUT_ACTION, multiline=True), hint=hint, optional=True)
            return modal(MODAL_RESOLVE, "Resolve", "Resolve", carried, [why, cause])
        case Deed.INCIDENT_SILENCE:
            span = asked(SPAN_BLOCK, "No reminders for", select(INPUT_ACTION, SPANS, chosen="1h"))
            why = asked(INPUT_BLOCK, "Why?", text, hint="For the timeline; may stay empty.", optional=True)
            return modal(MODAL_SILENCE, "Silence", "Silence", carried, [span, why])
        case Deed.SUGGESTION_LINK:
            return link_modal(carried)
        case _:
            return None


def link_modal(carried: dict[str, str]) -> Block:
    """Which runbook is about a problem: chosen while typing, or pasted as its link or title."""
    chosen = asked(DOCUMENT_BLOCK, "The runbook", search(LINK_DOCUMENT, "Type a part of its title"), optional=True)
    hint = "Only a runbook of the library can be linked."
    pasted = asked(INPUT_BLOCK, "… or its link or exact title", words(INPUT_ACTION, most=500), hint=hint, optional=True)
    return modal(MODAL_LINK, "Link a runbook", "Link it", carried, [context(WHAT_FOR), chosen, pasted])
