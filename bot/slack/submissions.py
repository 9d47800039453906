"""Somebody sent a modal: the press that opened it is carried out with the words."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.slack.buttons import carry_out
from bot.slack.front import Front
from bot.slack.parse import press_behind
from bot.slack.payload import Record
from bot.slack.vocabulary import MODAL_CAUSE, MODAL_RESOLVE, MODAL_SILENCE


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first, which closes the modal; the outcome is told where the button was."""

    async def on_submission(ack: AsyncAck, body: Record) -> None:
        await ack()
        pressed = press_behind(body)
        if pressed is not None:
            await front.serve(carry_out(pressed, front), front.whisper(pressed.place, pressed.person))

    for callback in (MODAL_CAUSE, MODAL_RESOLVE, MODAL_SILENCE):
        app.view(callback)(on_submission)
