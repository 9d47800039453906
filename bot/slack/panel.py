"""The conversation with the bot, in the agent panel or a direct message: what to ask, and what a thread is about.

Slack tells an agent that its panel was opened by `app_home_opened` with the tab `messages`; older apps hear
`assistant_thread_started` instead, and only their prompts belong to a thread.
"""

import logging

from slack_bolt.async_app import AsyncApp

from bot.domain.request import Question
from bot.errors import BotError
from bot.slack.front import Front
from bot.slack.payload import Record, text
from bot.slack.refusals import call
from bot.slack.text import plain

log = logging.getLogger(__name__)
HEADING = "Ask about incidents, changes and runbooks"
TITLE = 80


def register(app: AsyncApp, front: Front) -> None:
    """Whoever opens the panel of an older app sees what is worth asking; an agent's panel is opened like its home page."""

    async def on_started(body: Record) -> None:
        channel = text(body, "event", "assistant_thread", "channel_id")
        await suggest(front, channel, text(body, "event", "assistant_thread", "thread_ts"))

    app.event("assistant_thread_started")(on_started)


async def suggest(front: Front, channel: str, thread: str = "") -> None:
    """Show what is worth asking; where Slack refuses, the conversation does without."""
    if not channel:
        return
    found = await front.stories.suggestions(front.desk)
    prompts = [{"title": plain(s.title, TITLE), "message": plain(s.message)} for s in found]
    asked = front.client.assistant_threads_setSuggestedPrompts(
        channel_id=channel, thread_ts=thread or None, title=HEADING, prompts=prompts
    )
    try:
        await call("assistant.threads.setSuggestedPrompts", channel, asked)
    except BotError as error:
        log.info("slack shows no suggested prompts why=%s", error)


async def entitle(front: Front, asked: Question) -> None:
    """Name the thread of a direct message after its first question; where Slack refuses, it has no name."""
    place = asked.place
    if place.thread != place.ts or not asked.text:
        return
    named = front.client.assistant_threads_setTitle(
        channel_id=place.channel, thread_ts=place.thread, title=plain(asked.text, TITLE)
    )
    try:
        await call("assistant.threads.setTitle", place.channel, named)
    except BotError as error:
        log.info("slack names no thread why=%s", error)
