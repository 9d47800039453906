"""Somebody spoke to the bot: a mention in a channel or a thread, or a direct message."""

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.domain.request import Question
from bot.slack import panel
from bot.slack.front import Front
from bot.slack.listen import hearing
from bot.slack.parse import question
from bot.slack.payload import Record, text

Next = Callable[[], Awaitable[None]]


def register(app: AsyncApp, front: Front) -> None:
    """A mention is heard as `app_mention`; of people's plain messages only direct ones are for the bot, of apps' see `listen`.

    The question is on disk before Slack's event is acknowledged (middleware runs before that, a listener after it): a bot
    that dies in between gets the event again.
    """

    async def keep(body: Record, context: AsyncBoltContext, next: Next) -> None:
        asked = _asked(body, context)
        if asked is not None:
            tell = front.whisper(asked.place, asked.person)
            await front.serve(front.stories.on_question(asked, front.desk), tell)
        await next()

    async def entitle(body: Record, context: AsyncBoltContext) -> None:
        asked = _asked(body, context)
        if asked is not None and text(body, "event", "channel_type") == "im":
            await panel.entitle(front, asked)

    app.event("app_mention", middleware=[keep])(entitle)
    app.event("message", middleware=[hearing(front), keep])(entitle)


def _asked(body: Record, context: AsyncBoltContext) -> Question | None:
    """What was asked; of messages that are no mentions only direct ones count."""
    if text(body, "event", "type") == "message" and text(body, "event", "channel_type") != "im":
        return None
    return question(body, context.bot_user_id or "")
