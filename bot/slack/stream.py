"""Messages that Slack shows while they grow: chat.startStream and its companions, as calls that raise our errors.

A stream stands in a thread, needs its reader's ids in channels, and Slack ends it about five minutes after its start.
Facts: docs.slack.dev/reference/methods/chat.startStream
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.request import Person
from bot.domain.view import Place
from bot.slack.blocks import Block
from bot.slack.pauses import Pauses
from bot.slack.payload import text
from bot.slack.refusals import call
from bot.slack.vocabulary import METADATA_EVENT

STATUS = 100


def words(markdown: str) -> Block:
    """A chunk with more of the text; already sanitised."""
    return {"type": "markdown_text", "text": markdown}


def task(id: str, title: str, *, done: bool) -> Block:
    """A chunk that shows a step, or that it is done."""
    return {"type": "task_update", "id": id, "title": title, "status": "complete" if done else "in_progress"}


def metadata(key: str) -> Block | None:
    """What a message carries so that it can be found again; None leaves what it has."""
    return {"event_type": METADATA_EVENT, "event_payload": {"key": key}} if key else None


class Streams:
    """The calls. Each raises Unavailable, or NotFound once Slack has ended the stream."""

    def __init__(self, client: AsyncWebClient, pauses: Pauses) -> None:
        self._client, self._pauses = client, pauses

    async def start(self, place: Place, reader: Person, chunks: Sequence[Block]) -> Place:
        """A new message in `place.thread` that begins with these chunks."""
        body = await self._ask(
            "chat.startStream",
            place,
            lambda: self._client.chat_startStream(
                channel=place.channel,
                thread_ts=place.thread,
                recipient_user_id=reader.id or None,
                recipient_team_id=reader.team_id or None,
                chunks=list(chunks),
            ),
        )
        return Place(text(body, "channel") or place.channel, text(body, "ts"), place.thread)

    async def append(self, place: Place, chunks: Sequence[Block]) -> None:
        """More of it."""
        await self._ask(
            "chat.appendStream",
            place,
            lambda: self._client.chat_appendStream(channel=place.channel, ts=place.ts, chunks=list(chunks)),
        )

    async def stop(self, place: Place, chunks: Sequence[Block] = (), blocks: Sequence[Block] = (), key: str = "") -> None:
        """The message is complete with these last chunks, and these blocks below; with a key it can be found again."""
        await self._ask(
            "chat.stopStream",
            place,
            lambda: self._client.chat_stopStream(
                channel=place.channel,
                ts=place.ts,
                chunks=list(chunks) or None,
                blocks=list(blocks) or None,
                metadata=metadata(key),
            ),
        )

    async def status(self, place: Place, says: str) -> None:
        """A line under the thread, such as "is looking at the logs"; Slack takes it away with the next message."""
        await self._ask(
            "assistant.threads.setStatus",
            place,
            lambda: self._client.assistant_threads_setStatus(
                channel_id=place.channel, thread_ts=place.thread, status=says[:STATUS]
            ),
        )

    async def _ask(self, method: str, place: Place, asked: Callable[[], Awaitable[AsyncSlackResponse]]) -> Mapping[str, object]:
        with self._pauses.kept(method, place.channel):
            return await call(method, place.channel, asked())
