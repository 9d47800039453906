"""A stream of deliveries through the real stories on a simulated clock: nothing waits, everything happens in its order.

The real parsers, `on_alerts` and its sisters, and the durable work with its timers run on a real SQLite; only the clock, the
queue of work and the chat are stand-ins. Nobody acknowledges anything, and no evidence is looked at.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from bot.domain.alert import Alert, fingerprint, instance_key, unreadable
from bot.domain.change import Change
from bot.domain.handling import Handling
from bot.domain.incident import Incident
from bot.domain.noise import Decision
from bot.domain.request import Person
from bot.domain.ticket import Ticket
from bot.domain.view import HomeView, IncidentView, Place, PointerView, Said, Shown
from bot.errors import BadPayload, BadSettings, Unavailable
from bot.evals.noise import Fate, Seen, Sent
from bot.flows.desk import Desk
from bot.intake.inbox import Told
from bot.ports import Connector, Delivery, Handler, IncidentStore, Parsed, Scalar, Start, Telling, Transaction

TOGETHER = timedelta(seconds=0.5)  # what comes within this is one batch, as in the drain while deliveries keep coming
MOST = 500  # alerts in one batch
AFTERWARDS = timedelta(hours=2)  # work goes on for so long after the last delivery
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


@dataclass(frozen=True, slots=True)
class House:
    """The bot as wiring assembled it, and what the clock starts: names of handlers with the span between two runs."""

    desk: Desk
    told: Told
    readers: Mapping[str, Connector]
    handlers: Mapping[str, Handler]
    rounds: Mapping[str, timedelta] = field(default_factory=dict)


class Replay:
    """One run of a stream; `run` gives what was seen. `clock`, `work`, `channel` and `register` are those of the house's desk."""

    def __init__(self, house: House, clock: Clock, work: Timetable, channel: Listener, register: Register) -> None:
        self._house = house
        self._clock = clock
        self._work = work
        self._channel = channel
        self._register = register
        self._fates: dict[str, Fate] = {}
        self._firing: set[str] = set()
        self._waiting: dict[str, str] = {}  # eval id: fingerprint
        self._firings = 0
        self._unreadable = 0

    async def run(self, stream: Sequence[Sent]) -> Seen:
        """Every delivery at its time, with all that is due in between. Raises BadSettings for a connector nobody knows."""
        end = stream[-1].at + AFTERWARDS
        self._rounds(stream[0].at, end)
        for batch in _batches(stream):
            await self._until(batch[0].at)
            await self._take(batch)
        await self._until(end)
        told = self._channel
        return Seen(
            fates=self._fates,
            told=told.told,
            notifications=told.notifications,
            firings=self._firings,
            thread_replies=told.thread_replies,
            incidents=len(self._register.ids),
            unreadable=self._unreadable,
            skipped_work=dict(self._work.skipped),
            merged=self._register.merged,
        )

    async def decided(self) -> tuple[Decision, ...]:
        """Every decision to keep something from people, and how it turned out."""
        desk = self._house.desk
        return await desk.db.read(lambda tx: desk.noise.decided(tx, limit=10_000_000))

    def _rounds(self, start: datetime, end: datetime) -> None:
        nowhere = cast(Transaction, None)
        for name, span in self._house.rounds.items():
            at = start + span
            while at <= end:
                slot = at.isoformat()
                self._work.start(nowhere, "housekeeping", name, f"{name}:{slot}", {"slot": slot}, not_before=at)
                at += span

    async def _until(self, at: datetime) -> None:
        """Held alerts may find their incident while time passes."""
        await self._work.run_until(at, self._house.handlers)
        self._settle_waiting()

    async def _take(self, batch: Sequence[Sent]) -> None:
        self._clock.reach(batch[-1].at)
        alerts: list[tuple[Alert, str]] = []
        others: list[Change | Handling | Ticket] = []
        for sent in batch:
            parsed = self._parse(sent)
            found = [event for event in parsed if isinstance(event, Alert)]
            alerts += zip(found, _spread(sent.eval_ids, len(found)), strict=True)
            others += [event for event in parsed if isinstance(event, Change | Handling | Ticket)]
        desk = self._house.desk
        tidy = self._house.told.tidy([alert for alert, _ in alerts], desk)
        named = list(zip(tidy, [id for _, id in alerts], strict=True))
        self._arrive(named)
        self._register.home.clear()
        await desk.db.write(lambda tx: self._tell(tx, tidy, others))
        self._settle_waiting()
        for alert, id in named:
            if alert.resolved and id not in self._firing:
                self._waiting.pop(id, None)

    def _tell(self, tx: Transaction, alerts: Sequence[Alert], others: Sequence[Change | Handling | Ticket]) -> None:
        told, desk = self._house.told, self._house.desk
        if changes := [one for one in others if isinstance(one, Change)]:
            told.changes(tx, changes, desk)
        if tickets := [one for one in others if isinstance(one, Ticket)]:
            told.tickets(tx, tickets, desk)
        if alerts:
            told.alerts(tx, alerts, desk)
        if handlings := [one for one in others if isinstance(one, Handling)]:
            told.handlings(tx, handlings, desk)

    def _parse(self, sent: Sent) -> Parsed:
        connector = self._house.readers.get(sent.connector)
        if connector is None or connector.webhook is None:
            known = ", ".join(sorted(self._house.readers))
            wrong = f"Line {sent.line} of the stream: there is no connector {sent.connector[:60]!r}"
            raise BadSettings(f"{wrong}; there are {known}.")
        try:
            return connector.webhook.parse(Delivery(sent.connector, {}, sent.body, sent.at))
        except BadPayload as error:
            self._unreadable += 1
            return (unreadable(sent.connector, error.path, str(error), sent.at),)

    def _arrive(self, named: Iterable[tuple[Alert, str]]) -> None:
        """What begins to fire is counted, and looked for in the incidents that are saved next."""
        for alert, id in named:
            name = id or instance_key(alert)
            if alert.resolved:
                self._firing.discard(name)
                continue
            if name not in self._firing:
                self._firing.add(name)
                self._firings += 1
            if id and not self._fates.setdefault(id, Fate(self._clock())).incident:
                self._waiting[id] = fingerprint(alert)

    def _settle_waiting(self) -> None:
        home = {**self._register.firing, **self._register.home} if self._waiting else {}
        for id, problem in list(self._waiting.items()):
            if problem in home:
                fate = self._fates[id]
                fate.incident, fate.placed_at = home[problem], self._clock()
                del self._waiting[id]


def _batches(stream: Sequence[Sent]) -> Iterator[list[Sent]]:
    batch: list[Sent] = []
    alerts = 0
    for sent in stream:
        if batch and (sent.at - batch[0].at > TOGETHER or alerts >= MOST):
            yield batch
            batch, alerts = [], 0
        batch.append(sent)
        alerts += max(1, len(sent.eval_ids))
    if batch:
        yield batch


def _spread(ids: Sequence[str], count: int) -> list[str]:
    """An id for each of so many alerts: by position, or one for all; "" where there is none."""
    if len(ids) == 1:
        return [ids[0]] * count
    return [*ids[:count], *[""] * (count - len(ids))]
