"""The clock as a source of events: at each slot a piece of durable work is started whose id carries the slot.

Every replica fires; the id makes it one run. The slot is the scheduled time, never the time at which somebody woke.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.errors import Unavailable
from bot.ports import Database, Scalar, Work

log = logging.getLogger(__name__)

ASK_AGAIN = 10.0
TRIES = 60


@dataclass(frozen=True, slots=True)
class Daily:
    """Once per calendar day of a timezone. An hour that daylight saving skips or doubles still counts once."""

    at: time
    timezone: ZoneInfo

    def slot(self, after: datetime) -> datetime:
        """The first slot later than `after`, UTC."""
        day = after.astimezone(self.timezone).date() - timedelta(days=1)
        while True:
            # Without fold, a doubled time is its first one, and a skipped one is that much after the gap.
            slot = datetime.combine(day, self.at, self.timezone).astimezone(UTC)
            if slot > after:
                return slot
            day += timedelta(days=1)

    def label(self, slot: datetime) -> str:
        """The slot in ids and keys: the local date and the time asked for."""
        return f"{slot.astimezone(self.timezone).date()}T{self.at:%H:%M}"


@dataclass(frozen=True, slots=True)
class Every:
    """Evenly through time, aligned to the epoch, so that all replicas have the same slots."""

    span: timedelta

    def slot(self, after: datetime) -> datetime:
        """The first slot later than `after`, UTC."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + ((after - epoch) // self.span + 1) * self.span

    def label(self, slot: datetime) -> str:
        """The slot in ids and keys, UTC."""
        return slot.replace(tzinfo=None).isoformat()


@dataclass(frozen=True, slots=True)
class Job:
    """What the clock starts: the handler `name` on `queue`, with `args` and the slot's label as `slot`."""

    name: str
    when: Daily | Every
    args: Mapping[str, Scalar] = field(default_factory=dict)
    queue: str = "housekeeping"


class Slots(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """A trigger of APScheduler that fires at the slots. Its own cron trigger can stand still in a doubled hour."""

    def __init__(self, when: Daily | Every) -> None:
        self._when = when

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first slot after the previous one; at the start the first one not yet past."""
        return self._when.slot(previous_fire_time or now - timedelta(microseconds=1))


class Clockwork:
    """Starts the jobs at their slots, from `start` to `stop`; lives on the event loop that started it."""

    def __init__(self, db: Database, work: Work, jobs: Sequence[Job]) -> None:
        self._db = db
        self._work = work
        self._jobs = {job.name: job for job in jobs}
        self._starting: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        """Begin; slots that passed before are not made up for."""
        self._scheduler.add_listener(self._submitted, EVENT_JOB_SUBMITTED)
        for job in self._jobs.values():
            # After a sleep of the machine the last missed slot is made up for, and only that one.
            self._scheduler.add_job(
                _nothing, Slots(job.when), id=job.name, coalesce=True, misfire_grace_time=None, max_instances=100
            )
        self._scheduler.start()

    async def stop(self) -> None:
        """End; what is being started this moment is still started, if the database answers."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # it ends in the loop's next turn; before that a slot may still strike
        if self._starting:
            _, late = await asyncio.wait(self._starting, timeout=2)
            for task in late:
                task.cancel()

    def next_slots(self) -> dict[str, datetime]:
        """When each job is due next, UTC."""
        return {job.id: job.next_run_time for job in self._scheduler.get_jobs()}

    def _submitted(self, event: JobSubmissionEvent) -> None:
        # Only this event tells the scheduled time; the job's function is never told.
        slot: datetime = event.scheduled_run_times[-1]
        task = asyncio.ensure_future(self._fire(self._jobs[event.job_id], slot))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _fire(self, job: Job, slot: datetime) -> None:
        label = job.when.label(slot)
        args = {**job.args, "slot": label}
        once = f"{job.name}:{label}"
        for _ in range(TRIES):
            try:
                # One of a kind at a time: slow ones must not fill their queue.
                await self._db.write(lambda tx: self._work.start(tx, job.queue, job.name, once, args, partition=job.name))
            except Unavailable as error:
                log.warning("job=%s slot=%s cannot be started yet: %s", job.name, label, error)
                await asyncio.sleep(ASK_AGAIN)
            else:
                return
        log.error("job=%s slot=%s was given up: the database stayed away", job.name, label)


async def _nothing() -> None:
    """APScheduler must call something; the work is started from the event that knows the slot."""
