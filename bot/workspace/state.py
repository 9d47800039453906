"""The workspace's memory: who is there, what was said. A restart forgets everything."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.workspace.config import Persona, WorkspaceConfig

Clock = Callable[[], datetime]
JsonObject = dict[str, Any]

SLACKBOT = "USLACKBOT"
FEED_BACKLOG = 2000
LOG_LENGTH = 20_000


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Stream:
    """A message that is still being written."""

    started: datetime
    display_mode: str = "timeline"
    markdown: str = ""
    tasks: dict[str, JsonObject] = field(default_factory=dict)
    plan_title: str = ""
    extra_blocks: list[JsonObject] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What the app suggests to ask it: (title, message) each."""

    title: str
    prompts: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Message:
    """One message; `only_for` makes it ephemeral, `by_app` says that the bot wrote it, `other_app` names another app."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[JsonObject] = field(default_factory=list)
    by_app: bool = False
    thread_ts: str | None = None
    metadata: JsonObject | None = None
    attachments: list[JsonObject] = field(default_factory=list)
    edited_ts: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    only_for: str | None = None
    files: list[JsonObject] = field(default_factory=list)
    stream: Stream | None = None
    pinned: bool = False
    broadcast: bool = False
    username: str = ""
    other_app: str = ""
    choices: dict[tuple[str, str, str], JsonObject] = field(default_factory=dict)

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    def visible_to(self, user: str) -> bool:
        return self.only_for is None or self.only_for == user


@dataclass(slots=True)
class Channel:
    """A channel or, with `im_with`, a direct message between that person and the bot."""

    id: str
    name: str
    topic: str = ""
    members: list[str] = field(default_factory=list)
    im_with: str | None = None
    created: int = 0
    messages: dict[str, Message] = field(default_factory=dict)
    last_read: dict[str, str] = field(default_factory=dict)

    @property
    def is_im(self) -> bool:
        return self.im_with is not None

    def visible_to(self, user: str) -> bool:
        return self.im_with is None or self.im_with == user

    def top(self) -> Iterator[Message]:
        return (m for m in self.messages.values() if not m.is_reply or m.broadcast)

    def replies(self, thread_ts: str) -> list[Message]:
        return [m for m in self.messages.values() if m.is_reply and m.thread_ts == thread_ts]

    def unread(self, user: str) -> int:
        seen = self.last_read.get(user, "0")
        return sum(1 for m in self.top() if m.ts > seen and m.user != user and m.visible_to(user))


@dataclass(slots=True)
class View:
    """A modal on somebody's screen, or somebody's Home tab."""

    id: str
    user: str
    body: JsonObject
    hash: str
    root_id: str
    previous_id: str | None = None
    values: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def blocks(self) -> list[JsonObject]:
        return list(self.body.get("blocks") or [])


class Workspace:
    """All state of one workspace, and the feed that tells pages what changed."""

    def __init__(self, config: WorkspaceConfig, clock: Clock = utc_now) -> None:
        self.config = config
        self.clock = clock
        self.people: dict[str, Persona] = {p.id: p for p in config.personas}
        created = int(clock().timestamp())
        everyone = [p.id for p in config.personas]
        self.channels: dict[str, Channel] = {
            c.id: Channel(
                c.id,
                c.name,
                c.topic,
                everyone + ([config.bot.user_id] if c.bot_is_member else []),
                created=created,
            )
            for c in config.channels
        }
        for number, persona in enumerate(config.personas, start=1):
            ident = f"D0{persona.id[1:]}" if persona.id[1:] else f"D0{number}"
            members = [persona.id, config.bot.user_id]
            self.channels[ident] = Channel(ident, "", "", members, im_with=persona.id, created=created)
        self.modals: dict[str, list[View]] = {p.id: [] for p in config.personas}
        self.homes: dict[str, View] = {}
        self.files: dict[str, JsonObject] = {}
        self.titles: dict[tuple[str, str], str] = {}
        self.suggestions: dict[str, Suggestions] = {}
        self._status: dict[tuple[str, str], tuple[str, datetime]] = {}
        self.log: list[JsonObject] = []
        self._feeds: set[asyncio.Queue[JsonObject]] = set()
        self._last_micros = 0
        self._serial = 0

    def next_ts(self) -> str:
        """A message ts: unique, and larger than every one before, also when the clock stands still."""
        micros = int(self.clock().timestamp() * 1_000_000)
        self._last_micros = max(micros, self._last_micros + 1)
        seconds, rest = divmod(self._last_micros, 1_000_000)
        return f"{seconds}.{rest:06d}"

    def next_id(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}{self._serial:09d}"

    def is_user(self, user: str) -> bool:
        return user in self.people or user in (self.config.bot.user_id, SLACKBOT)

    def name_of(self, user: str) -> str:
        if user == self.config.bot.user_id:
            return self.config.bot.real_name
        if user == SLACKBOT:
            return "Slackbot"
        person = self.people.get(user)
        return person.real_name if person else user

    def direct(self, user: str) -> Channel | None:
        """The direct message between this person and the bot."""
        return next((c for c in self.channels.values() if c.im_with == user), None)

    def find_channel(self, ident: str) -> Channel | None:
        """A channel by id, by `#name`, or (a direct message) by the person's id."""
        if ident in self.channels:
            return self.channels[ident]
        if ident in self.people:
            return self.direct(ident)
        name = ident.removeprefix("#")
        return next((c for c in self.channels.values() if c.name and c.name == name), None)

    def view(self, view_id: str) -> View | None:
        """An open modal or a Home tab by its id."""
        everything = [v for stack in self.modals.values() for v in stack] + list(self.homes.values())
        return next((v for v in everything if v.id == view_id), None)

    def file_urls(self) -> dict[str, str]:
        """The address of each uploaded file, by its id."""
        base = self.config.base_url
        return {f: f"{base}/files/{f}/{file['secret']}" for f, file in self.files.items() if file["content"] is not None}

    def set_status(self, channel: str, thread_ts: str, status: str, until: datetime) -> None:
        """What the app is doing in a thread, shown until then; "" for nothing."""
        self._status[(channel, thread_ts)] = (status, until)
        self.publish({"kind": "status", "channel": channel, "thread_ts": thread_ts, "text": status})

    def status(self, channel: str, thread_ts: str) -> str:
        """What the app is doing there, or ""."""
        status, until = self._status.get((channel, thread_ts), ("", self.clock()))
        return status if self.clock() < until else ""

    def clear_status(self, channel: str, thread_ts: str) -> None:
        self._status.pop((channel, thread_ts), None)

    def suggest(self, channel: str, suggestions: Suggestions | None) -> None:
        """What the app suggests in a conversation from now on; None for nothing."""
        if suggestions is not None:
            self.suggestions[channel] = suggestions
        elif self.suggestions.pop(channel, None) is None:
            return
        self.publish({"kind": "suggestions", "channel": channel})

    def add(self, message: Message, **details: Any) -> Message:
        channel = self.channels[message.channel]
        channel.messages[message.ts] = message
        if not (message.by_app or message.other_app) and message.only_for is None and not message.is_reply:
            channel.last_read[message.user] = message.ts
        self.changed(message, "posted", **details)
        return message

    def changed(self, message: Message, what: str, **details: Any) -> None:
        """Something about this message is new: `posted`, `edited`, `deleted`, `reacted`, `pinned`, `streamed`."""
        kind = "ephemeral" if message.only_for and what == "posted" else what
        self.record(
            kind,
            channel=message.channel,
            ts=message.ts,
            user=message.user,
            thread_ts=message.thread_ts,
            only_for=message.only_for,
            text=message.text,
            **details,
        )
        self.publish(
            {
                "kind": "deleted" if what == "deleted" else "message",
                "channel": message.channel,
                "ts": message.ts,
                "thread_ts": message.thread_ts,
                "only_for": message.only_for,
            }
        )

    def record(self, kind: str, **details: Any) -> None:
        """One line of the transcript. It never holds a token."""
        entry = {"at": self.clock().isoformat(), "kind": kind}
        entry.update({k: v for k, v in details.items() if v is not None})
        self.log.append(entry)
        del self.log[:-LOG_LENGTH]

    def publish(self, notice: JsonObject) -> None:
        for feed in list(self._feeds):
            if feed.full():
                self._feeds.discard(feed)
                feed.get_nowait()
                feed.put_nowait({"kind": "reload"})
            else:
                feed.put_nowait(notice)

    def subscribe(self) -> "asyncio.Queue[JsonObject]":
        feed: asyncio.Queue[JsonObject] = asyncio.Queue(FEED_BACKLOG)
        self._feeds.add(feed)
        return feed

    def unsubscribe(self, feed: "asyncio.Queue[JsonObject]") -> None:
        self._feeds.discard(feed)

    def close(self) -> None:
        """Every page that listens is told to stop, so that the server can end."""
        self.publish({"kind": "closed"})
