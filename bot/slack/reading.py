"""One message that stands in Slack, as the flows know it."""

from datetime import UTC, datetime

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.view import Place, Said
from bot.errors import NotAllowed, NotFound
from bot.slack.filled import words_of
from bot.slack.parse import readable
from bot.slack.payload import records, text
from bot.slack.refusals import call


async def read_message(client: AsyncWebClient, place: Place) -> Said | None:
    """The message at `place`; None if it is gone, or stands where the bot may not read.

    conversations.replies finds replies and messages outside threads alike; it gives a thread's first message too.
    """
    asked = client.conversations_replies(
        channel=place.channel, ts=place.ts, oldest=place.ts, latest=place.ts, inclusive=True, limit=2
    )
    try:
        body = await call("conversations.replies", place.channel, asked)
    except (NotAllowed, NotFound):
        return None
    found = next((m for m in records(body, "messages") if text(m, "ts") == place.ts), None)
    if found is None:
        return None
    thread = text(found, "thread_ts")
    return Said(
        place=Place(place.channel, place.ts, "" if thread == place.ts else thread),
        by=text(found, "user") or text(found, "bot_id"),
        text=readable(words_of(found)),
        at=moment(place.ts),
    )


def moment(ts: str) -> datetime:
    """When a message was posted: its ts is seconds since 1970."""
    try:
        return datetime.fromtimestamp(float(ts), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, tz=UTC)
