"""The bot looks after itself: each failing part is reported once, and once when it is back; an outside monitor hears a heartbeat.

A part that flaps does not spam: it has to fail, or to work, for a while before that is believed, and after each relapse it has to
work twice as long before it is called back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import httpx

from bot.domain.view import NoteView
from bot.errors import BotError
from bot.flows.desk import Desk
from bot.flows.selfreport import BACK, GONE, said_aloud, tell, was_gone, words

log = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[str]]  # "" while the part works, else why it does not
PATIENCE = 5.0  # seconds that a probe may take
LOOK = 5.0  # seconds between two looks
LONGEST_CALM = timedelta(minutes=30)
RELAPSE = timedelta(hours=1)


@dataclass(slots=True)
class _Part:
    """What is known of one part: since when it fails or works, and what was last reported."""

    gone: bool  # as it was reported
    failing_since: datetime | None = None
    working_since: datetime | None = None
    back_at: datetime | None = None
    relapses: int = 0
    why: str = ""


class SelfCheck:
    """Looks at `probes` and at what flows say in `desk.vitals`. `vital` names the probes without which there is no heartbeat."""

    def __init__(
        self,
        desk: Desk,
        probes: Mapping[str, Probe],
        *,
        grace: timedelta = timedelta(seconds=30),
        calm: timedelta = timedelta(seconds=60),
        vital: Collection[str] = (),
        heartbeat: str = "",
        every: timedelta = timedelta(seconds=60),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._desk = desk
        self._probes = dict(probes)
        self._grace, self._calm = grace, calm
        self._vital = frozenset(vital)
        self._heartbeat, self._every, self._transport = heartbeat, every, transport
        self._beat_at: datetime | None = None
        self._parts: dict[str, _Part] = {}
        self._shouted: set[str] = set()  # said past the database, so not again through it
        self._unsaid: list[tuple[str, str, str, datetime]] = []  # while the database is away

    async def run(self) -> None:
        """Look now and then, for as long as the bot runs."""
        while True:
            await self.once()
            await asyncio.sleep(LOOK)

    async def once(self) -> None:
        """One look at everything; never raises."""
        found = {name: await _asked(probe) for name, probe in self._probes.items()}
        vitals = self._desk.vitals
        found |= {name: vitals.failing.get(name, "") for name in {*vitals.failing, *vitals.working}}
        for name, why in found.items():
            await self._judge(name, why)
        await self._say()
        if not any(found.get(name) for name in self._vital):
            await self._beat()

    async def _judge(self, name: str, why: str) -> None:
        now = self._desk.clock()
        part = self._parts.get(name)
        if part is None:
            part = self._parts[name] = _Part(gone=await self._was_gone(name))
        if why:
            part.why, part.working_since = why, None
            part.failing_since = part.failing_since or now
            if not part.gone and now - part.failing_since >= self._grace:
                relapsed = part.back_at is not None and now - part.back_at < RELAPSE
                part.relapses = part.relapses + 1 if relapsed else 0
                self._report(name, part, GONE, part.failing_since)
        else:
            part.failing_since = None
            part.working_since = part.working_since or now
            calm: timedelta = min(LONGEST_CALM, self._calm * 2**part.relapses)
            if part.gone and now - part.working_since >= calm:
                part.back_at = now
                self._report(name, part, BACK, part.working_since)

    def _report(self, name: str, part: _Part, state: str, since: datetime) -> None:
        part.gone = state == GONE
        log.log(logging.ERROR if part.gone else logging.INFO, "%s", words(name, state, part.why, since))
        self._unsaid.append((name, state, part.why, since))

    async def _was_gone(self, name: str) -> bool:
        try:
            return await self._desk.db.read(lambda tx: was_gone(tx, name, self._desk))
        except BotError:
            return False

    async def _say(self) -> None:
        while self._unsaid:
            name, state, why, since = self._unsaid[0]
            said = state == GONE and name in self._shouted
            try:
                await self._desk.db.write(partial(tell, part=name, state=state, why=why, at=since, desk=self._desk, said=said))
            except BotError:
                await self._say_at_once(name, state, why, since)
                return
            del self._unsaid[0]
            self._shouted.discard(name)

    async def _say_at_once(self, name: str, state: str, why: str, since: datetime) -> None:
        """The database is away, so nothing can wait for its turn: whoever reads Slack hears it now, if Slack takes it."""
        if state != GONE or name in self._shouted:
            return
        said, key = NoteView(words(name, state, why, since)), f"part:{name}:{since.isoformat()}"
        try:
            await said_aloud(lambda place: self._desk.channel.post(place, said, key=key), self._desk)
            self._shouted.add(name)
        except BotError as error:
            log.warning("nobody could be told that %s fails: %s", name, error)

    async def _beat(self) -> None:
        now = self._desk.clock()
        if not self._heartbeat or (self._beat_at is not None and now - self._beat_at < self._every):
            return
        self._beat_at = now
        try:
            async with httpx.AsyncClient(timeout=PATIENCE, transport=self._transport, trust_env=False) as client:
                (await client.get(self._heartbeat)).raise_for_status()
        except httpx.HTTPError as error:
            self._desk.vitals.failed("heartbeat", f"the monitor did not take it ({type(error).__name__})")
        else:
            self._desk.vitals.well("heartbeat")


async def _asked(probe: Probe) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            return await probe()
    except TimeoutError:
        return f"no answer within {PATIENCE:g} s"
    except BotError as error:
        return str(error)
