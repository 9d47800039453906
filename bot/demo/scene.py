"""What a story is played with: the people, the estate, and patience for what has to happen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from bot.demo.director import Performance
from bot.demo.estate import Estate
from bot.demo.persona import Person
from bot.demo.reading import Seen, is_card
from bot.demo.stories import Story

Say = Callable[[str], None]
T = TypeVar("T")

ON_CALL, APPROVER, OUTSIDER = "U0ONCALL", "U0APPROVER", "U0OUTSIDER"
POLL_SECONDS = 0.3


class TooLate(Exception):
    """Something that had to happen did not happen in time; the text says what."""


class Play:
    """One story being played: the people, the estate, and what was seen so far."""

    def __init__(self, session: aiohttp.ClientSession, workspace_url: str, estate: Estate, say: Say) -> None:
        self.on_call = Person(session, workspace_url, ON_CALL)
        self.approver = Person(session, workspace_url, APPROVER)
        self.outsider = Person(session, workspace_url, OUTSIDER)
        self.estate = estate
        self.known: set[tuple[str, str]] = set()
        self._say = say
        self._began = time.monotonic()

    def tell(self, words: str) -> None:
        """One line of the transcript."""
        first, *rest = words.splitlines() or [""]
        self._say(f"{self.elapsed:6.1f} s  {first}")
        for line in rest:
            self._say(f"          {line}")

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    async def begin(self, story: Story) -> Performance:
        """The story has begun; cards that exist already belong to others."""
        await self.estate.grounds.warm.wait()
        self.known = {(seen.channel, seen.ts) for seen in await self.on_call.read_all()}
        self._began = time.monotonic()
        self.tell(f"{story.title}. The shop is healthy; people ship changes.")
        return await self.estate.director.start(story)

    async def cards(self) -> list[Seen]:
        """The cards that appeared since the story began."""
        seen = await self.on_call.read_all()
        return [one for one in seen if is_card(one) and (one.channel, one.ts) not in self.known]

    async def again(self, card: Seen) -> Seen:
        """The card as it reads now."""
        return next((seen for seen in await self.on_call.read(card.channel) if seen.ts == card.ts), card)

    async def around(self, card: Seen) -> list[Seen]:
        """Every message that belongs to the card: its thread, and what stands beside it."""
        thread = await self.on_call.read(card.channel, card.ts)
        beside = [seen for seen in await self.on_call.read_all() if (seen.channel, seen.ts) not in self.known]
        return [*thread, *(seen for seen in beside if seen.ts != card.ts)]

    async def until(self, look: Callable[[], Awaitable[T | None]], seconds: float, missing: str) -> T:
        """What `look` finds, asked again and again. Raises TooLate with the words of what is missing."""
        deadline = time.monotonic() + seconds
        while True:
            if (found := await look()) is not None:
                return found
            if time.monotonic() > deadline:
                raise TooLate(f"{missing} within {seconds:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
