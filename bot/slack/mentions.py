"""Somebody spoke to the bot: a mention in a channel or a thread, or a direct message."""

from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.slack import panel
from bot.slack.front import Front
from bot.slack.parse import question
from bot.slack.payload import Record, text


def register(app: AsyncApp, front: Front) -> None:
    """A mention is heard as `app_mention`; of plain messages only direct ones are for the bot."""

    async def on_words(body: Record, context: AsyncBoltContext) -> None:
        asked = question(body, context.bot_user_id or "")
        if asked is None:
            return
        tell = front.whisper(asked.place, asked.person)
        await front.serve(front.stories.on_question(asked, front.desk), tell)
        if text(body, "event", "channel_type") == "im":
            await panel.entitle(front, asked)

    async def on_message(body: Record, context: AsyncBoltContext) -> None:
        if text(body, "event", "channel_type") == "im":
            await on_words(body, context)

    app.event("app_mention")(on_words)
    app.event("message")(on_message)
