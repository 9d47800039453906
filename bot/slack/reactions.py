"""Somebody marked a message with the pin's emoji: it goes to its incident's timeline. Taking the mark away does nothing."""

from slack_bolt.async_app import AsyncApp

from bot.slack.filled import reaction_pin
from bot.slack.front import Front
from bot.slack.payload import Record


def register(app: AsyncApp, front: Front) -> None:
    """Other emoji are none of our business."""

    async def on_reaction(body: Record) -> None:
        pin = reaction_pin(body, front.pin_emoji)
        if pin is not None:
            await front.serve(front.stories.on_pin(pin, front.desk), front.whisper(pin.place, pin.person))

    app.event("reaction_added")(on_reaction)
