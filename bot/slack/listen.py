"""What other apps post into channels, kept raw in the inbox like a webhook before Slack's event is acknowledged.

What people write, what we posted ourselves, and channels that did not opt in are passed over; nothing of them is kept.
"""

from collections.abc import Awaitable, Callable

import msgspec
from slack_bolt.async_app import AsyncBoltContext

from bot.ports import Delivery
from bot.slack.front import Front
from bot.slack.payload import Record, record, text

NAME = "slack"  # the connector that reads these deliveries
LARGEST = 256 * 1024
Next = Callable[[], Awaitable[None]]
_HEARD = frozenset({"", "bot_message", "message_changed", "thread_broadcast"})


def hearing(front: Front) -> Callable[[Record, AsyncBoltContext, Next], Awaitable[None]]:
    """A middleware: a failure to keep rises, so that Slack sends the event again."""

    async def hear(body: Record, context: AsyncBoltContext, next: Next) -> None:
        event = record(body, "event")
        id = delivery_of(event, _ourselves(body, context))
        if id:
            raw = msgspec.json.encode(event)
            delivery = Delivery(NAME, {}, raw, front.desk.clock())
            if len(raw) <= LARGEST:
                await front.stories.on_overheard(delivery, id, text(event, "channel"), front.desk)
        await next()

    return hear


def delivery_of(event: Record, ourselves: frozenset[str]) -> str:
    """The id of a message of another app in a channel, one for each time it was edited; "" for anything else."""
    subtype = text(event, "subtype")
    if text(event, "channel_type") not in ("channel", "group") or subtype not in _HEARD:
        return ""
    message = record(event, "message") if subtype == "message_changed" else event
    if not text(message, "bot_id") or not text(message, "ts") or not text(event, "channel"):
        return ""
    if ourselves & {text(message, "bot_id"), text(message, "app_id"), text(message, "user")}:
        return ""
    again = text(message, "edited", "ts") or text(event, "event_ts") if subtype == "message_changed" else ""
    return f"{text(event, 'channel')}:{text(message, 'ts')}:{again}".rstrip(":")


def _ourselves(body: Record, context: AsyncBoltContext) -> frozenset[str]:
    """What a message of our own is known by."""
    return frozenset({context.bot_id or "", context.bot_user_id or "", text(body, "api_app_id")} - {""})
