"""The form behind "Link a runbook…": completed while a person types, carried out once it is sent."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.slack.blocks.modal import option
from bot.slack.buttons import carry_out
from bot.slack.front import Front
from bot.slack.parse import carried, press_behind
from bot.slack.payload import Record, record, text
from bot.slack.vocabulary import LINK_DOCUMENT, MODAL_LINK


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first, which closes the form; what is offered is what the channel behind it may see."""

    async def on_typing(ack: AsyncAck, body: Record) -> None:
        behind = carried(record(body, "view"))
        found = await front.stories.offered(text(body, "value"), text(behind, "value"), text(behind, "channel"), front.desk)
        await ack(options=[option(ref, title) for ref, title in found])

    async def on_submission(ack: AsyncAck, body: Record) -> None:
        await ack()
        pressed = press_behind(body)
        if pressed is not None:
            await front.serve(carry_out(pressed, front), front.whisper(pressed.place, pressed.person))

    app.options(LINK_DOCUMENT)(on_typing)
    app.view(MODAL_LINK)(on_submission)
