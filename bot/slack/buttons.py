"""Somebody pressed a button of ours, or chose from a card's menu."""

from collections.abc import Awaitable

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.request import Deed, More, Press
from bot.domain.view import Shown
from bot.slack.front import Front
from bot.slack.modals import modal_for
from bot.slack.parse import press
from bot.slack.payload import Record
from bot.slack.regroup import open_regroup

APPROVAL = frozenset(
    {
        Deed.ROLLBACK_PROPOSE,
        Deed.ACTION_APPROVE,
        Deed.ACTION_REJECT,
        Deed.ACTION_RAN,
        Deed.ACTION_DID_NOT_RUN,
        Deed.ACTION_BACK,
        Deed.STEP_PROPOSE,
        Deed.STEP_RUN,
        Deed.ACTION_ASK,
        Deed.ACTION_CANCEL,
        Deed.BATCH_APPROVE,
        Deed.BATCH_REJECT,
        Deed.BATCH_STOP,
        Deed.HISTORY_OLDER,
        Deed.HISTORY_NEWER,
    }
)
SUGGESTION = frozenset({Deed.SUGGESTION_JUDGE, Deed.SUGGESTION_LINK})
DRAFT = frozenset({Deed.DRAFT_RUNBOOK, Deed.DRAFT_APPROVE, Deed.DRAFT_DISCARD})
MAPPING = frozenset({Deed.SERVICE_MAP, Deed.SERVICE_UNMAP})
FEEDBACK = frozenset({Deed.CAUSE_CONFIRM, Deed.CAUSE_OTHER, Deed.ANSWER_USEFUL, Deed.ANSWER_NOT_USEFUL})


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first; a deed that needs words opens a modal, every other one is carried out."""

    async def on_press(ack: AsyncAck, body: Record) -> None:
        await ack()
        pressed = press(body)
        if pressed is None:
            return
        if pressed.choice is More.REGROUP:
            await front.serve(open_regroup(pressed, front), front.whisper(pressed.place, pressed.person))
            return
        modal = modal_for(pressed)
        story = front.open_modal(pressed.trigger_id, modal) if modal else carry_out(pressed, front)
        await front.serve(story, front.whisper(pressed.place, pressed.person))

    for deed in Deed:
        app.action(deed.value)(on_press)


def carry_out(pressed: Press, front: Front) -> Awaitable[Shown | None]:
    """The story behind a button."""
    stories = front.stories
    if pressed.action_id in APPROVAL:
        return stories.on_approval(pressed, front.desk)
    if pressed.action_id in FEEDBACK:
        return stories.on_feedback(pressed, front.desk)
    if pressed.action_id in SUGGESTION:
        return stories.on_suggestion(pressed, front.desk)
    if pressed.action_id in DRAFT:
        return stories.on_draft(pressed, front.desk)
    if pressed.action_id in MAPPING:
        return stories.on_mapping(pressed, front.desk)
    return stories.on_card(pressed, front.desk)
