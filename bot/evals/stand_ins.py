"""Stand-ins of a replay: a clock that is moved, work that waits for it, a chat that counts, and a note of who took what."""

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.domain.incident import Incident
from bot.domain.request import Person
from bot.domain.view import HomeView, IncidentView, Place, PointerView, Said, Shown
from bot.errors import Unavailable
from bot.ports import Handler, IncidentStore, Scalar, Start, Telling, Transaction, UserGroup

UNSEEN = frozenset({"investigate", "model"})  # queues: there is no evidence to look at, and nobody to think


class Clock:
    """A Clock that is moved; never back."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def reach(self, at: datetime) -> None:
        """It is this late now, if it was not already."""
        self.now = max(self.now, at)


class Timetable:
    """ports.Work on a simulated clock: work waits in the order of its times, and ids are known for ever."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._line: list[tuple[datetime, int, str, str, dict[str, Scalar]]] = []
        self._ids: set[str] = set()
        self._turn = itertools.count()
        self.skipped: Counter[str] = Counter()

    def start(
        self,
        tx: Transaction,  # noqa: ARG002  the port's shape: nothing here outlives the replay
        queue: str,
        name: str,
        id: str,
        args: Mapping[str, Scalar],
        *,
        partition: str | None = None,  # noqa: ARG002  everything runs one after the other anyway
        not_before: datetime | None = None,
    ) -> bool:
        """Have it run when its time comes; False if this id is known already."""
        if id in self._ids:
            return False
        self._ids.add(id)
        if queue in UNSEEN:
            self.skipped[name] += 1
            return True
        due = max(not_before, self._clock()) if not_before else self._clock()
        heapq.heappush(self._line, (due, next(self._turn), queue, name, dict(args)))
        return True

    def start_all(self, tx: Transaction, starts: Sequence[Start]) -> list[bool]:
        """One after the other."""
        return [self.start(tx, s.queue, s.name, s.id, s.args, not_before=s.not_before) for s in starts]

    async def run_until(self, at: datetime, handlers: Mapping[str, Handler]) -> None:
        """Everything that is due by then has run, each at its own time; then it is that late."""
        while self._line and self._line[0][0] <= at:
            due, _, _, name, args = heapq.heappop(self._line)
            self._clock.reach(due)
            await handlers[name](args)
        self._clock.reach(at)


class Listener:
    """A ports.Channel that notes what reaches people: messages in channels and whispers; edits and threads are apart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = itertools.count(1)
        self._keys: dict[tuple[str, str], Place] = {}
        self.notifications = 0
        self.thread_replies = 0
        self.told: dict[str, datetime] = {}

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """A new message: in a channel it reaches people, in a thread it is only counted."""
        stands = replace(place, ts=f"{next(self._count)}.0")
        self._keys[place.channel, key] = stands
        if place.thread:
            self.thread_replies += 1
            return stands
        self.notifications += 1
        if isinstance(view, IncidentView | PointerView):
            self.told.setdefault(view.incident.id, self._clock())
        return stands

    async def edit(self, place: Place, view: Shown) -> None:
        """Reaches nobody."""

    async def whisper(self, place: Place, user: str, view: Shown) -> None:  # noqa: ARG002  the port's shape
        """One person is told."""
        self.notifications += 1

    async def tell(self, place: Place, person: Person, *, key: str) -> Telling:
        """Nobody asks anything in a replay."""
        raise Unavailable(f"{person.id} asked something in a replay ({place}, {key}).")

    async def find(self, channel: str, key: str, thread: str = "") -> Place | None:  # noqa: ARG002  the port's shape
        """The message that was posted with this key."""
        return self._keys.get((channel, key))

    async def permalink(self, place: Place) -> str:  # noqa: ARG002  the port's shape
        """There is no page to link to."""
        return ""

    async def upload(self, name: str, content: bytes, *, title: str, alt: str = "", place: Place | None = None) -> str:  # noqa: ARG002  the port's shape
        """Nobody looks at pictures."""
        return name

    async def read(self, place: Place) -> Said | None:  # noqa: ARG002  the port's shape
        """Nobody says anything."""
        return None

    async def publish(self, user: str, view: HomeView) -> None:
        """Nobody has opened a home page."""

    async def timezone(self, user: str) -> str:  # noqa: ARG002  the port's shape
        """Everybody lives in UTC."""
        return "UTC"

    async def user_by_email(self, email: str) -> str:  # noqa: ARG002  the port's shape
        """Nobody is on call in a replay."""
        return ""

    async def groups(self, user: str) -> frozenset[str]:  # noqa: ARG002  the port's
        """Nobody is in a group."""
        return frozenset()

    async def group(self, name: str) -> UserGroup | None:  # noqa: ARG002  the port's
        """There are no groups."""
        return None

    async def channel_id(self, name: str) -> str:
        """The name is the id."""
        return name


class Register:
    """ports.IncidentStore that notes which incident takes which problem, as it is saved; all else is the real store's."""

    def __init__(self, real: IncidentStore) -> None:
        self._real = real
        self._events: dict[tuple[str, str], int] = {}
        self.home: dict[str, str] = {}  # incident of each problem that had news since this was last cleared
        self.firing: dict[str, str] = {}  # incident of each problem that fires in it
        self.ids: set[str] = set()
        self.merged: dict[str, str] = {}  # id of an incident whose problems another took: the other's id
        self._keys: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def save(self, tx: Transaction, incident: Incident) -> Incident:
        """As the real one; whose news it took is noted."""
        return self.save_all(tx, [incident])[0]

    def save_all(self, tx: Transaction, kept: Sequence[Incident]) -> tuple[Incident, ...]:
        """As the real one; whose news they took is noted."""
        saved = self._real.save_all(tx, kept)
        for incident in saved:
            self._note(incident)
        return saved

    def _note(self, kept: Incident) -> None:
        self.ids.add(kept.id)
        self._keys[kept.key] = kept.id
        if kept.merged_into:
            self.merged[kept.id] = self._keys[kept.merged_into]
        else:
            self.merged.pop(kept.id, None)
        for member in kept.members:
            key = (kept.id, member.fingerprint)
            if member.firing and kept.live:
                self.firing[member.fingerprint] = kept.id
            elif self.firing.get(member.fingerprint) == kept.id:
                del self.firing[member.fingerprint]
            if self._events.get(key) != member.events:
                self._events[key] = member.events
                self.home[member.fingerprint] = kept.id
