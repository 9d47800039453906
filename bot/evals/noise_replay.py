"""A stream of deliveries through the real stories on a simulated clock: nothing waits, everything happens in its order.

The real parsers, `on_alerts` and its sisters, and the durable work with its timers run on a real SQLite; only the clock, the
queue of work and the chat are stand-ins. Nobody acknowledges anything, and no evidence is looked at.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from bot.domain.alert import Alert, fingerprint, instance_key, unreadable
from bot.domain.change import Change
from bot.domain.handling import Handling
from bot.domain.noise import Decision
from bot.domain.ticket import Ticket
from bot.errors import BadPayload, BadSettings
from bot.evals.noise import Fate, Seen, Sent
from bot.evals.stand_ins import Clock, Listener, Register, Timetable
from bot.flows.desk import Desk
from bot.intake.inbox import Told
from bot.ports import Connector, Delivery, Handler, Parsed, Transaction

TOGETHER = timedelta(seconds=0.5)  # what comes within this is one batch, as in the drain while deliveries keep coming
MOST = 500  # alerts in one batch
AFTERWARDS = timedelta(hours=2)  # work goes on for so long after the last delivery


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
