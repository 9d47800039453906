"""Slack as the flows see it: post, edit, whisper, find. One message carries one key in its metadata."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.request import Person
from bot.domain.view import HomeView, Place, Said, Shown
from bot.errors import NotAllowed, NotFound
from bot.ports import UserGroup
from bot.slack.blocks import Block, Message, render, render_home
from bot.slack.pauses import Pauses
from bot.slack.payload import Record, records, text, texts
from bot.slack.reading import read_message
from bot.slack.refusals import LayoutRefused, StillStreaming, call
from bot.slack.stream import Streams, metadata
from bot.slack.telling import Sleep, Telling
from bot.slack.uploads import upload
from bot.slack.usergroups import UserGroups

log = logging.getLogger(__name__)
_ID = re.compile(r"[CDGUW][A-Z0-9]{2,}\Z")
RECENT = 200  # messages looked at when a post may have been lost
PICTURE_TRIES = 6
PICTURE_PAUSE = 1.0  # seconds
THREADS = 10  # threads looked into when nobody says which


class SlackChannel:
    """ports.Channel over the Web API. Links in messages lead only to `link_hosts` and their subdomains."""

    def __init__(
        self,
        client: AsyncWebClient,
        link_hosts: Collection[str] = (),
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._hosts = frozenset(link_hosts)
        self._ids: dict[str, str] = {}
        self._zones: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._groups = UserGroups(client, now)
        self._me: Record = {}
        self._now, self._sleep = now, sleep
        self._pauses = Pauses(now)
        self._streams = Streams(client, self._pauses)

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """Post a new message (in `place.thread` if set) that carries `key`; the returned place has its ts."""
        message = render(view, self._hosts)

        async def posted(blocks: list[Block]) -> Record:
            with self._pauses.kept("chat.postMessage", place.channel):
                return await call(
                    "chat.postMessage",
                    place.channel,
                    self._client.chat_postMessage(
                        channel=place.channel,
                        thread_ts=place.thread or None,
                        text=message.text,
                        blocks=blocks,
                        metadata=metadata(key),
                        unfurl_links=False,
                        unfurl_media=False,
                    ),
                )

        body = await _or_in_words(posted, message, self._sleep)
        return Place(text(body, "channel") or place.channel, text(body, "ts"), place.thread)

    async def edit(self, place: Place, view: Shown) -> None:
        """Replace the message at `place`. Raises NotFound if it is gone."""
        await self.amend(place, render(view, self._hosts))

    async def amend(self, place: Place, message: Message, key: str = "") -> None:
        """Replace a message, which carries `key` from then on if one is given; a stream that it still has is stopped."""

        async def changed(blocks: list[Block]) -> Record:
            with self._pauses.kept("chat.update", place.channel):
                return await call(
                    "chat.update",
                    place.channel,
                    self._client.chat_update(
                        channel=place.channel, ts=place.ts, text=message.text, blocks=blocks, metadata=metadata(key)
                    ),
                )

        try:
            await _or_in_words(changed, message, self._sleep)
        except StillStreaming:
            with contextlib.suppress(NotFound):  # Slack ended it in this moment
                await self._streams.stop(place)
            await _or_in_words(changed, message, self._sleep)

    async def whisper(self, place: Place, user: str, view: Shown) -> None:
        """Show it to one person only: where they are, or in a direct message where the bot may not speak."""
        message = render(view, self._hosts)
        if not place.channel:
            return await self._tell(user, message)

        async def whispered(blocks: list[Block]) -> Record:
            return await call(
                "chat.postEphemeral",
                place.channel,
                self._client.chat_postEphemeral(
                    channel=place.channel, user=user, thread_ts=place.thread or None, text=message.text, blocks=blocks
                ),
            )

        try:
            await _or_in_words(whispered, message)
        except (NotAllowed, NotFound):
            await self._tell(user, message)

    async def tell(self, place: Place, person: Person, *, key: str) -> Telling:
        """Begin an answer to this person in `place.thread` that carries `key` in the end."""
        team = person.team_id or text(await self._myself(), "team_id")  # one workspace per installation
        reader = Person(person.id, person.name, team)
        thread = Place(place.channel, "", place.thread)
        return Telling(self, self._streams, thread, reader, key, self._hosts, now=self._now, sleep=self._sleep)

    async def find(self, channel: str, key: str, thread: str = "") -> Place | None:
        """The message of ours that carries `key`, if it was posted after all.

        With `thread` only that thread is read. Without, the latest messages of the channel and the latest threads in
        which the bot speaks.
        """
        me = await self._myself()
        if thread:
            return _carrying(await self._replies(channel, thread), channel, key, me, thread)
        recent = await self._history(channel)
        found = _carrying(recent, channel, key, me, "")
        if found is not None:
            return found
        threads = [m for m in recent if text(me, "user_id") in texts(m, "reply_users")]
        threads.sort(key=lambda m: text(m, "latest_reply"), reverse=True)
        for parent in threads[:THREADS]:
            ts = text(parent, "ts")
            found = _carrying(await self._replies(channel, ts), channel, key, me, ts)
            if found is not None:
                return found
        return None

    async def permalink(self, place: Place) -> str:
        """A link to the message, or "" if Slack knows no such message."""
        try:
            asked = self._client.chat_getPermalink(channel=place.channel, message_ts=place.ts)
            return text(await call("chat.getPermalink", place.channel, asked), "permalink")
        except NotFound:
            return ""

    async def upload(self, name: str, content: bytes, *, title: str, alt: str = "", place: Place | None = None) -> str:
        """Slack keeps the file and says its id: in `place.thread`, or, without a place, for a message of ours to show."""
        return await upload(self._client, name, content, title=title, alt=alt, place=place)

    async def read(self, place: Place) -> Said | None:
        """The message at `place`; None if it is gone, or stands where the bot may not read."""
        return await read_message(self._client, place)

    async def publish(self, user: str, view: HomeView) -> None:
        """Show a person their home page."""
        with self._pauses.kept("views.publish", user):
            await call("views.publish", user, self._client.views_publish(user_id=user, view=render_home(view)))

    async def timezone(self, user: str) -> str:
        """The IANA name of a person's time zone, asked once; "UTC" if Slack does not say."""
        if user not in self._zones:
            try:
                body = await call("users.info", user, self._client.users_info(user=user))
            except (NotAllowed, NotFound):
                body = {}
            self._zones[user] = text(body, "user", "tz") or "UTC"
        return self._zones[user]

    async def user_by_email(self, email: str) -> str:
        """The id of the person with this address, asked once; "" where there is none or the bot may not ask."""
        if email not in self._addresses:
            try:
                body = await call("users.lookupByEmail", "a person on call", self._client.users_lookupByEmail(email=email))
            except (NotAllowed, NotFound):
                return ""
            self._addresses[email] = text(body, "user", "id")
        return self._addresses[email]

    async def groups(self, user: str) -> frozenset[str]:
        """The user groups of a person by id and by handle; none where Slack does not tell."""
        return await self._groups.of(user)

    async def group(self, name: str) -> UserGroup | None:
        """The user group with this id or handle; None where there is none or Slack does not tell."""
        return await self._groups.find(name)

    async def channel_id(self, name: str) -> str:
        """The id of "#name"; an id is returned as it is. Raises NotFound, which says what to do."""
        if _ID.match(name):
            return name
        wanted = name.lstrip("#").strip().lower()
        if wanted not in self._ids:
            await self._list_channels()
        if wanted not in self._ids:
            raise NotFound(
                f"Slack shows the bot no channel #{wanted}. Create it or correct the name in routing.yaml;"
                " a private channel must have the bot in it: /invite @tocsin"
            )
        return self._ids[wanted]

    async def _tell(self, user: str, message: Message) -> None:
        async def posted(blocks: list[Block]) -> Record:
            said = self._client.chat_postMessage(
                channel=user, text=message.text, blocks=blocks, unfurl_links=False, unfurl_media=False
            )
            return await call("chat.postMessage", user, said)

        await _or_in_words(posted, message, self._sleep)

    async def _myself(self) -> Record:
        if not self._me:
            self._me = await call("auth.test", "this workspace", self._client.auth_test())
        return self._me

    async def _history(self, channel: str) -> list[Record]:
        asked = self._client.conversations_history(channel=channel, limit=RECENT, include_all_metadata=True)
        return records(await call("conversations.history", channel, asked), "messages")

    async def _replies(self, channel: str, thread: str) -> list[Record]:
        found: list[Record] = []
        cursor = ""
        for _ in range(5):
            asked = self._client.conversations_replies(
                channel=channel, ts=thread, limit=RECENT, include_all_metadata=True, cursor=cursor or None
            )
            try:
                body = await call("conversations.replies", channel, asked)
            except NotFound:
                break
            found += records(body, "messages")
            cursor = _cursor(body)
            if not cursor:
                break
        return found

    async def _list_channels(self) -> None:
        cursor = ""
        for _ in range(50):
            asked = self._client.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=1000, cursor=cursor or None
            )
            body = await call("conversations.list", "this workspace", asked)
            self._ids |= {text(c, "name").lower(): text(c, "id") for c in records(body, "channels")}
            cursor = _cursor(body)
            if not cursor:
                return


async def _or_in_words(
    send: Callable[[list[Block]], Awaitable[Record]], message: Message, sleep: Sleep = asyncio.sleep
) -> Record:
    """Slack's answer to a message; if it does not take our blocks, to its plain words, so that nothing is lost.

    A picture that Slack was handed a moment ago may not be read yet: such a message is tried for a few seconds.
    """
    pictures = any("slack_file" in block for block in message.blocks)
    for _ in range(PICTURE_TRIES if pictures else 0):
        try:
            return await send(list(message.blocks))
        except LayoutRefused:
            await sleep(PICTURE_PAUSE)
    try:
        return await send(list(message.blocks))
    except LayoutRefused as error:
        log.warning("slack blocks refused, sent as plain words why=%s", error)
        return await send([])


def _carrying(messages: list[Record], channel: str, key: str, me: Record, thread: str) -> Place | None:
    """The place of the message that is ours and carries the key; another app's metadata proves nothing."""
    for message in messages:
        ours = bool(text(me, "bot_id")) and text(message, "bot_id") == text(me, "bot_id")
        if ours and text(message, "metadata", "event_payload", "key") == key:
            return Place(channel, text(message, "ts"), thread)
    return None


def _cursor(body: Record) -> str:
    return text(body, "response_metadata", "next_cursor")
