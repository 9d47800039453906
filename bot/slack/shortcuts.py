"""Somebody chose one of our shortcuts on a message: open an incident from it, or pin it to the timeline."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.request import Opening
from bot.slack.filled import opening, pointed_at, shortcut_pin
from bot.slack.forms import opening_modal
from bot.slack.front import Front
from bot.slack.payload import Record
from bot.slack.vocabulary import MODAL_OPEN, SERVICE_BLOCK, SHORTCUT_OPEN, SHORTCUT_PIN, TITLE_BLOCK


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first; a form that lacks something is told so under the field."""

    async def on_open(ack: AsyncAck, body: Record) -> None:
        await ack()
        begun = pointed_at(body)
        modal = opening_modal(begun, front.stories.services(front.desk))
        await front.serve(front.open_modal(str(body.get("trigger_id") or ""), modal), front.whisper(begun.place, begun.person))

    async def on_submission(ack: AsyncAck, body: Record) -> None:
        asked = opening(body)
        if wrong := lacking(asked):
            await ack(response_action="errors", errors=wrong)
            return
        await ack()
        await front.serve(front.stories.on_opening(asked, front.desk), front.whisper(asked.place, asked.person))

    async def on_pin(ack: AsyncAck, body: Record) -> None:
        await ack()
        pin = shortcut_pin(body)
        await front.serve(front.stories.on_pin(pin, front.desk), front.whisper(pin.place, pin.person))

    app.shortcut({"type": "message_action", "callback_id": SHORTCUT_OPEN})(on_open)
    app.shortcut({"type": "message_action", "callback_id": SHORTCUT_PIN})(on_pin)
    app.view(MODAL_OPEN)(on_submission)


def lacking(asked: Opening) -> dict[str, str]:
    """What the form lacks, by field; a field of blanks counts as filled for Slack."""
    found = {}
    if not asked.title:
        found[TITLE_BLOCK] = "A few words: what is wrong?"
    if not asked.service:
        found[SERVICE_BLOCK] = "Which service is it about?"
    return found
