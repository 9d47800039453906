"""An answer that appears in a thread while it is made.

A stream where Slack allows one; the same message edited where Slack has ended the stream; one post where there was
none. Whatever happened meanwhile, `end` leaves exactly the answer.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import Enum, auto
from typing import Protocol

from bot.domain.request import Person
from bot.domain.view import AnswerView, Place, Shown
from bot.errors import BotError, NotFound, Unavailable
from bot.slack.blocks import Block, Message, render
from bot.slack.blocks.answer import ANSWER
from bot.slack.blocks.kit import markdown
from bot.slack.sanitise import sanitise
from bot.slack.stream import Streams, task, words
from bot.slack.text import escape, plain
from bot.slack.unfinished import showable

log = logging.getLogger(__name__)
CALM = 1.0  # seconds between appends: Slack takes about a hundred a minute
CALM_STEPS = 0.3  # steps are few, and the first word should not wait for one
CALM_EDITS = 2.0
LIFE = 240.0  # seconds after which a new message goes on, before Slack ends the stream at about 300
PATIENCE = 30.0  # seconds that the end waits for a rate limit before the durable work has to
STEPS = 30
LOOKING = "is looking into it…"
MOVED = "This answer takes longer; it goes on in the message below."
Sleep = Callable[[float], Awaitable[None]]


class Room(Protocol):
    """What a telling needs of the channel besides streams."""

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """Post a new message."""

    async def amend(self, place: Place, message: Message, key: str = "") -> None:
        """Replace a message, ending its stream if it still has one."""


class _Stage(Enum):
    WAITING = auto()  # nothing stands there yet
    STREAMING = auto()
    EDITING = auto()  # Slack ended the stream; the message is edited instead
    SILENT = auto()  # Slack allows no stream; the answer is posted in the end


class Telling:
    """ports.Telling in Slack: steps and words appear at a calm rate, in the background."""

    def __init__(
        self,
        room: Room,
        streams: Streams,
        place: Place,
        reader: Person,
        key: str,
        hosts: Collection[str] = (),
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.place = place
        self._room, self._streams, self._reader, self._key, self._hosts = room, streams, reader, key, hosts
        self._now, self._sleep = now, sleep
        allowed = place.thread and (place.channel.startswith("D") or (reader.id and reader.team_id))
        self._stage = _Stage.WAITING if allowed else _Stage.SILENT
        self._raw = ""
        self._shown = ""  # what the stream shows
        self._edited = ""  # what the last edit showed
        self._steps: dict[str, bool] = {}  # title -> done
        self._told: dict[str, bool] = {}  # the same as it stands there
        self._began = self._next = 0.0
        self._calls = asyncio.Lock()
        self._pump: asyncio.Task[None] | None = None
        self._saying: asyncio.Task[None] | None = None
        self.say(LOOKING)

    def say(self, status: str) -> None:
        """Show a line under the thread until the answer appears; it may fail."""
        if self.place.thread and (self._saying is None or self._saying.done()):
            self._saying = asyncio.create_task(self._say(status), name="slack status")

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""
        shown = sanitise(plain(title, 150), self._hosts) or "…"
        if shown not in self._steps and len(self._steps) >= STEPS:
            return
        self._steps[shown] = done
        if self._stage is _Stage.SILENT and not done:
            self.say(shown)
        await self._heard()

    async def words(self, more: str) -> None:
        """More of the answer's text (Markdown)."""
        self._raw += more
        await self._heard()

    async def end(self, view: AnswerView) -> Place:
        """What stands there is exactly this view, and carries the key. Raises Unavailable."""
        async with self._calls:  # no call is under way, so the background may be stopped
            if self._pump is not None:
                self._pump.cancel()
            await self._said()
            await self._finish(view)
            self._stage = _Stage.EDITING
        return self.place

    # --- while it is made ---------------------------------------------------------------------------------------

    async def _heard(self) -> None:
        """The first call is made at once, so that the place is known; the others in the background, at a calm rate."""
        if self._stage is _Stage.WAITING:
            async with self._calls:
                if self._stage is _Stage.WAITING:
                    await self._start()
        elif self._stage is not _Stage.SILENT and (self._pump is None or self._pump.done()):
            self._pump = asyncio.create_task(self._keep_up(), name="slack telling")

    async def _keep_up(self) -> None:
        more = True
        while more:
            await self._sleep(max(0.0, self._next - self._now()))
            async with self._calls:
                more = await (self._append() if self._stage is _Stage.STREAMING else self._edit())

    def _text(self) -> str:
        return sanitise(self._raw[: showable(self._raw)], self._hosts, ANSWER)

    def _due(self) -> tuple[list[Block], str]:
        """The chunks that are to be said next, and the text among them."""
        text = self._text()
        # A text that would change what stands there already has to wait for the end.
        more = text[len(self._shown) :] if text.startswith(self._shown) else ""
        return [*self._tasks(self._steps), *([words(more)] if more else [])], more

    def _tasks(self, steps: dict[str, bool]) -> list[Block]:
        names = list(self._steps)
        return [task(f"step{names.index(t)}", t, done=done) for t, done in steps.items() if self._told.get(t) is not done]

    def _stands(self, more: str) -> None:
        self._shown += more
        self._told = dict(self._steps)
        self._next = self._now() + (CALM if more else CALM_STEPS)

    async def _start(self) -> None:
        chunks, more = self._due()
        if not chunks:
            return
        await self._said()
        try:
            self.place = await self._streams.start(self.place, self._reader, chunks)
        except BotError as error:
            log.info("slack takes no stream channel=%s why=%s", self.place.channel, error)
            self._stage = _Stage.SILENT
            return
        self._stage, self._began = _Stage.STREAMING, self._now()
        self._stands(more)

    async def _append(self) -> bool:
        """Say what is due; whether to come back."""
        if self._now() - self._began >= LIFE:
            await self._roll_over()
            return True
        chunks, more = self._due()
        if not chunks:
            return False
        try:
            await self._streams.append(self.place, chunks)
        except BotError as error:
            if isinstance(error, Unavailable) and error.retry_after:
                self._next = self._now() + error.retry_after
            else:  # the stream has ended, or nobody knows what it shows now
                log.info("slack stream lost channel=%s why=%s", self.place.channel, error)
                self._stage, self._next = _Stage.EDITING, self._now() + CALM
            return True
        self._stands(more)
        return True

    async def _edit(self) -> bool:
        """The same by editing: the whole text so far, so that nothing is doubled or missing; whether to come back."""
        text = self._text()
        if text in ("", self._edited):
            return False
        self._next = self._now() + CALM_EDITS
        try:
            await self._room.amend(self.place, Message(escape(text, 1000), (markdown(text),)))
        except BotError as error:
            log.info("slack edit failed channel=%s why=%s", self.place.channel, error)
            return False
        self._edited = text
        return True

    async def _roll_over(self) -> None:
        """The stream is stopped before Slack ends it, and another message takes the answer over from its beginning."""
        with contextlib.suppress(BotError):
            await self._streams.stop(self.place)
        old, stood, told = self.place, self._shown, self._told
        self._shown, self._told = "", {}
        chunks, more = self._due()
        try:
            self.place = await self._streams.start(self.place, self._reader, chunks)
        except BotError as error:
            log.info("slack takes no second stream channel=%s why=%s", self.place.channel, error)
            self._shown, self._told, self._stage = stood, told, _Stage.EDITING
            return
        self._began = self._now()
        self._stands(more)
        with contextlib.suppress(BotError):
            await self._room.amend(old, Message(MOVED, (markdown(f"_{MOVED}_"),)))

    async def _say(self, status: str) -> None:
        with contextlib.suppress(BotError):
            await self._streams.status(self.place, status)

    async def _said(self) -> None:
        """No status is under way: one that came after the message would stay."""
        if self._saying is not None:
            await self._saying

    # --- the end ------------------------------------------------------------------------------------------------

    async def _finish(self, view: AnswerView) -> None:
        message = render(view, self._hosts)
        if self._stage is _Stage.STREAMING and await self._stop(message):
            return
        if self.place.ts:
            try:
                await self._patiently(lambda: self._room.amend(self.place, message, self._key))
                return
            except NotFound:  # somebody deleted it
                self.place = Place(self.place.channel, "", self.place.thread)
        await self._patiently(lambda: self._post(view))

    async def _post(self, view: AnswerView) -> None:
        self.place = await self._room.post(self.place, view, key=self._key)

    async def _stop(self, message: Message) -> bool:
        """Stop the stream; whether it shows the whole message now."""
        text = message.blocks[0].get("text")
        goes_on = isinstance(text, str) and text.startswith(self._shown)
        chunks: Sequence[Block] = ()
        if goes_on and isinstance(text, str):
            more = text[len(self._shown) :]
            chunks = [*self._tasks(dict.fromkeys(self._steps, True)), *([words(more)] if more else [])]
        try:
            if goes_on:
                await self._patiently(lambda: self._streams.stop(self.place, chunks, message.blocks[1:], self._key))
            else:
                await self._patiently(lambda: self._streams.stop(self.place))
        except BotError as error:
            log.info("slack stream not stopped channel=%s why=%s", self.place.channel, error)
            return False
        return goes_on

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Wait as long as Slack asks, within reason: doing the whole answer again would cost more."""
        left = PATIENCE
        while True:
            try:
                return await attempt()
            except Unavailable as error:
                if not error.retry_after or error.retry_after > left:
                    raise
                left -= error.retry_after
                await self._sleep(error.retry_after)
