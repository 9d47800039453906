"""The drain of the inbox: parcels become alerts and changes, and are told to the stories, one transaction per batch.

A crash rolls a batch back and the parcels still wait; what nobody can read becomes a visible alert, never silence. While
many wait they are read before the transaction, which takes them again: what another replica did meanwhile is not done twice.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain.alert import Alert, unreadable
from bot.domain.change import Change
from bot.domain.handling import Handling
from bot.domain.ticket import Ticket
from bot.errors import BadPayload, NotFound, Unavailable
from bot.flows.desk import Desk
from bot.intake.meters import Meters
from bot.intake.outcomes import outcome_of, reason_of, word_of
from bot.intake.pace import LARGE, Pace
from bot.ports import Claimed, Connector, Database, Event, InboxStore, Noted, Parcel, Parsed, Proposed, Transaction

log = logging.getLogger(__name__)


BATCH = 2_000  # parcels in one transaction
MOST_EVENTS = 20_000  # of one parcel, which would hold up all others meanwhile
TRIES = 3  # of a parcel alone, after the batch that it was in failed
BLINK = 0.05  # seconds between looks whether anything still comes
LOOK = 1.0  # seconds between looks without a wake-up, for what others put in


@dataclass(frozen=True, slots=True)
class Told:
    """The stories that hear of each kind of event, in the transaction of its batch."""

    alerts: Callable[[Transaction, Sequence[Alert], Desk], None]
    changes: Callable[[Transaction, Sequence[Change], Desk], None]
    handlings: Callable[[Transaction, Sequence[Handling], Desk], None] = lambda *_: None
    tickets: Callable[[Transaction, Sequence[Ticket], Desk], None] = lambda *_: None
    claimed: Callable[[Transaction, Sequence[Claimed], Desk], Sequence[Alert]] = lambda *_: ()  # those that are alerts after all
    tidy: Callable[[Sequence[Alert], Desk], Sequence[Alert]] = lambda batch, _: batch  # before `alerts`; needs no transaction
    proposed: Callable[[Transaction, Sequence[Proposed], Desk], None] = lambda *_: None


@dataclass(slots=True)
class _Read:
    """A batch in our own words: what each parcel came to, and all that was in them."""

    parcels: list[Parcel] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    handlings: list[Handling] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    claimed: list[Claimed] = field(default_factory=list)
    proposed: list[Proposed] = field(default_factory=list)
    tidy: bool = False  # the alerts are
    not_ours: list[Alert] = field(default_factory=list)  # of those that were claimed, the alerts after all
    took: float = 0.0  # seconds, the commit not included

    def __len__(self) -> int:
        return len(self.alerts) + len(self.changes) + len(self.handlings) + len(self.tickets)

    def take(self, event: Event) -> None:
        """Put an event with its kind."""
        if isinstance(event, Alert):
            self.alerts.append(event)
        elif isinstance(event, Change):
            self.changes.append(event)
        elif isinstance(event, Handling):
            self.handlings.append(event)
        elif isinstance(event, Ticket):
            self.tickets.append(event)
        elif isinstance(event, Noted):
            self.changes.append(event.build)
        elif isinstance(event, Claimed):
            self.claimed.append(event)
        elif isinstance(event, Proposed):
            self.proposed.append(event)


class Drain:
    """Empties the inbox. `run` until `stop`; `once` does a single batch, for tests and commands."""

    def __init__(
        self,
        desk: Desk,
        connectors: Mapping[str, Connector],
        told: Told,
        *,
        meters: Meters | None = None,
        batch: int = BATCH,
    ) -> None:
        self._desk = desk
        self._connectors = connectors
        self._told = told
        self._meters = meters or Meters()
        self._batch = batch
        self._arrived = asyncio.Event()
        self._stopping = False
        self._last_turn = time.monotonic()
        self._pace = Pace()
        self._breath = 0.0  # seconds before the next batch
        self._behind = False  # more waited than the last batch took

    @property
    def healthy(self) -> bool:
        """It looked into the inbox within the last 30 seconds."""
        return time.monotonic() - self._last_turn < 30

    def wake(self, deliveries: int = 1) -> None:
        """There is more in the inbox, by about so much; called on the event loop."""
        self._pace.arrived(deliveries, time.monotonic())
        self._arrived.set()

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stopping = True
        self._arrived.set()

    async def run(self) -> None:
        """Empty the inbox whenever there is something in it, until stopped."""
        while not self._stopping:
            self._arrived.clear()
            try:
                done = await self._batch_of(self._pace.events(time.monotonic()))
            except Exception:  # the work loop: whatever befalls a batch, its parcels still wait
                log.exception("a batch of the inbox failed; it is repeated")
                done = 0
            else:
                self._last_turn = time.monotonic()
            if not done:
                await self._rest()
            elif self._breath:
                await self._breathe()

    async def once(self) -> int:
        """Work on the oldest waiting parcels; how many those were. Raises Unavailable if the database is away."""
        return await self._batch_of(LARGE)

    async def _breathe(self) -> None:
        """Rest as long as the pace says, but no longer than anything comes."""
        until = time.monotonic() + self._breath
        while not self._stopping and (left := until - (now := time.monotonic())) > 0 and not self._pace.quiet(now):  # noqa: ASYNC110  time passes, nobody tells
            await asyncio.sleep(min(left, BLINK))

    async def _batch_of(self, events: int) -> int:
        began = time.perf_counter()
        parcels = min(self._batch, self._pace.parcels(events))
        try:
            ahead = await self._ahead(parcels, events) if self._behind else None
            done = await self._desk.db.write(lambda tx: self._work_on(tx, parcels, events, ahead))
        except Unavailable:
            raise
        except Exception:  # the work loop: one of them is poison, and the others must not suffer for it
            log.warning("a batch of the inbox failed; its parcels are tried one by one", exc_info=True)
            return await self._one_by_one()
        self._behind = len(done) >= events or len(done.parcels) >= parcels
        self._breath = self._pace.rest(done.took, len(done.parcels), len(done), time.monotonic())
        if done.parcels:
            self._meters.drain.observe(time.perf_counter() - began)
            self._count(done)
        return len(done.parcels)

    async def _rest(self) -> None:
        timer = asyncio.get_running_loop().call_later(LOOK, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            timer.cancel()

    async def _ahead(self, parcels: int, events: int) -> _Read:
        """What the next parcels hold, read while others may write."""
        line = await self._desk.db.read(lambda tx: self._desk.inbox.take(tx, parcels))
        return await asyncio.to_thread(self._tidied, line, events)

    def _tidied(self, parcels: Sequence[Parcel], events: int) -> _Read:
        read = self._read(parcels, events)
        self._tidy(read)
        return read

    def _tidy(self, read: _Read) -> None:
        if not read.tidy:
            read.alerts, read.tidy = list(self._told.tidy(read.alerts, self._desk)), True

    def _work_on(self, tx: Transaction, parcels: int, events: int, ahead: _Read | None = None) -> _Read:
        began = time.perf_counter()
        line = self._desk.inbox.take(tx, len(ahead.parcels) if ahead and ahead.parcels else parcels)
        as_read = ahead is not None and [p.id for p in ahead.parcels] == [p.id for p in line]
        read = ahead if ahead is not None and as_read else self._read(line, events)
        self._tell(tx, read)
        read.took = time.perf_counter() - began
        return read

    def _tell(self, tx: Transaction, read: _Read) -> None:
        """The stories hear of it, and the parcels are done. Changes first: an alert of the same batch may be theirs."""
        if read.changes:
            self._told.changes(tx, read.changes, self._desk)
        if read.tickets:
            self._told.tickets(tx, read.tickets, self._desk)
        if read.claimed:
            read.not_ours = list(self._told.tidy(self._told.claimed(tx, read.claimed, self._desk), self._desk))
        self._tidy(read)
        if read.alerts or read.not_ours:
            self._told.alerts(tx, [*read.alerts, *read.not_ours], self._desk)
        if read.handlings:
            self._told.handlings(tx, read.handlings, self._desk)
        if read.proposed:
            self._told.proposed(tx, read.proposed, self._desk)
        self._desk.inbox.finish(tx, read.parcels)

    def _read(self, parcels: Sequence[Parcel], events: int = LARGE) -> _Read:
        read = _Read()
        for parcel in parcels:
            if len(read) >= events:
                break
            try:
                parsed = self._parse(parcel)
            except Exception as error:  # noqa: BLE001  the work loop: a vendor's bug never loses a payload
                read.parcels.append(replace(parcel, state="unreadable", error=reason_of(error)))
                read.alerts.append(self._unreadable(parcel, error))
                continue
            for event in parsed:
                read.take(event)
            read.parcels.append(replace(parcel, state="done", error="", outcome=outcome_of(parsed)))
        return read

    def _parse(self, parcel: Parcel) -> Parsed:
        connector = self._connectors.get(parcel.delivery.connector)
        if connector is None or connector.webhook is None:
            raise BadPayload(f"there is no connector {parcel.delivery.connector!r} any more that takes webhooks")
        parsed = connector.webhook.parse(parcel.delivery)
        if len(parsed) > MOST_EVENTS:
            raise BadPayload(
                f"{len(parsed):,} events are in it, and at most {MOST_EVENTS:,} are taken of one; send fewer at a time"
            )
        return parsed

    def _unreadable(self, parcel: Parcel, error: BaseException) -> Alert:
        """What people see of a parcel that nobody could read; all of one connector are one problem."""
        path = error.path if isinstance(error, BadPayload) else "$"
        alert = unreadable(parcel.delivery.connector, path, reason_of(error), parcel.delivery.received_at)
        hint = f"It is kept: `tocsin inbox show {parcel.id}`, then `tocsin inbox replay {parcel.id}`."
        return replace(alert, environment=self._desk.default_environment, description=hint)

    async def _one_by_one(self) -> int:
        """As many parcels as the failed batch had, each in a transaction of its own, so that only the culprit suffers."""
        count = 0
        while count < self._batch and await self._alone():
            count += 1
        return count

    async def _alone(self) -> bool:
        """The oldest parcel: done, or after some tries put aside with its error, visibly. False if none waits."""
        taken, tries = 0, 0  # another replica may work on the line between two tries: they are counted for one parcel

        def go(tx: Transaction) -> _Read:
            nonlocal taken, tries
            parcels = self._desk.inbox.take(tx, 1)
            if parcels and parcels[0].id != taken:
                taken, tries = parcels[0].id, 0
            read = self._read(parcels)
            self._tell(tx, read)
            return read

        while True:
            try:
                done = await self._desk.db.write(go)
            except Unavailable:
                raise
            except Exception as error:  # the work loop: what the stories raise must not stop the line
                tries += 1
                log.warning("parcel=%d failed, %d tries left", taken, TRIES - tries, exc_info=True)
                if tries >= TRIES:
                    await self._put_aside(taken, error)
                    return True
            else:
                self._count(done)
                return bool(done.parcels)

    async def _put_aside(self, id: int, error: Exception) -> None:
        def go(tx: Transaction, *, tell: bool) -> _Read:
            parcels = [p for p in self._desk.inbox.take(tx, 1) if p.id == id]
            aside = [replace(p, state="unreadable", attempts=p.attempts + TRIES, error=reason_of(error)) for p in parcels]
            read = _Read(aside, [self._unreadable(p, error) for p in parcels] if tell else [])
            self._tell(tx, read)
            return read

        try:
            aside = await self._desk.db.write(lambda tx: go(tx, tell=True))
        except Unavailable:
            raise
        except Exception:  # the work loop: the story of alerts itself is broken; the log and `inbox list` must do
            log.exception("the alert about a parcel that was put aside failed too")
            aside = await self._desk.db.write(lambda tx: go(tx, tell=False))
        if aside.parcels:
            log.error("parcel=%d was put aside: %s", id, reason_of(error))
        self._count(aside)

    def _count(self, read: _Read) -> None:
        for kind in ("alert", "change", "handling", "ticket"):
            events = (*getattr(read, f"{kind}s"), *(read.not_ours if kind == "alert" else ()))
            for connector, n in Counter(event.connector for event in events).items():
                self._meters.events.labels(connector, kind).inc(n)
        for (connector, word), n in Counter((p.delivery.connector, word_of(p)) for p in read.parcels).items():
            self._meters.parcels.labels(connector, word).inc(n)


async def replay(db: Database, inbox: InboxStore, id: int) -> Parcel:
    """Have a parcel worked on once more; it waits again. Raises NotFound."""

    def go(tx: Transaction) -> Parcel:
        parcel = inbox.get(tx, id)
        if parcel is None:
            raise NotFound(f"There is no delivery {id}. `tocsin inbox list` shows those that are kept.")
        again = replace(parcel, state="waiting", error="", outcome="")
        inbox.finish(tx, [again])
        return again

    return await db.write(go)
