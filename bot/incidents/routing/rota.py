"""A rota: people take turns by the day or the week, handed over at a wall-clock time; overrides go first."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is, and until when (UTC); `override` if somebody stands in."""

    person: str
    until: datetime
    override: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody stands in from one moment to another (UTC)."""

    start: datetime
    end: datetime
    person: str


@dataclass(frozen=True, slots=True)
class Rota:
    """`people` in order; the first one's first turn begins on the handover of `start` or the last one before it.

    `weekday` (0 is Monday) is the day of a weekly handover; None hands over every day. A handover at an hour that daylight
    saving skips is that much after the gap, at one that it doubles at its first time.
    """

    people: tuple[str, ...]
    start: date
    at: time
    zone: ZoneInfo
    weekday: int | None = None
    overrides: tuple[Override, ...] = ()

    def turn(self, now: datetime) -> Turn:
        """Whose turn it is at this moment."""
        stands_in = [o for o in self.overrides if o.start <= now < o.end]
        if stands_in:
            last = stands_in[-1]
            return Turn(last.person, last.end, override=True)
        began = self._handover(now)
        length = 1 if self.weekday is None else 7
        turns = (began - self._day(self.start)).days // length
        until = self._moment(began + timedelta(days=length))
        soon = min((o.start for o in self.overrides if now < o.start < until), default=until)
        return Turn(self.people[turns % len(self.people)], soon)

    def _handover(self, now: datetime) -> date:
        """The day of the last handover."""
        day = now.astimezone(self.zone).date() + timedelta(days=1)
        while self._moment(self._day(day)) > now:
            day -= timedelta(days=1)
        return self._day(day)

    def _day(self, day: date) -> date:
        """The handover's day on this day or the last one before it."""
        return day if self.weekday is None else day - timedelta(days=(day.weekday() - self.weekday) % 7)

    def _moment(self, day: date) -> datetime:
        return datetime.combine(day, self.at, self.zone).astimezone(UTC)
