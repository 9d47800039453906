"""When a freeze is on: spans of the week, such as "fri 16:00 - mon 08:00", and of the calendar, in the clock of some place."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 24 * 60, 7 * 24 * 60  # minutes
_DAY = "|".join(DAYS)
_ACROSS = re.compile(rf"({_DAY}) (\d\d:\d\d) ?- ?({_DAY}) (\d\d:\d\d)")
_EACH = re.compile(rf"((?:{_DAY})(?:-(?:{_DAY}))?(?:, ?(?:{_DAY})(?:-(?:{_DAY}))?)*) (\d\d:\d\d) ?- ?(\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Weekly:
    """Minutes of the week, counted from Monday 00:00; one that begins after it ends goes over Sunday night."""

    start: int
    end: int

    def until(self, here: datetime) -> datetime | None:
        """When it is over, by the same wall clock; None outside of it."""
        minute = here.weekday() * DAY + here.hour * 60 + here.minute
        if (minute - self.start) % WEEK >= (self.end - self.start) % WEEK:
            return None
        plain = here.replace(tzinfo=None, second=0, microsecond=0, fold=0)
        return (plain + timedelta(minutes=(self.end - minute) % WEEK)).replace(tzinfo=here.tzinfo)

    def begins(self, here: datetime) -> datetime | None:
        """When it begins next, by the same wall clock."""
        minute = here.weekday() * DAY + here.hour * 60 + here.minute
        plain = here.replace(tzinfo=None, second=0, microsecond=0, fold=0)
        return (plain + timedelta(minutes=(self.start - minute) % WEEK or WEEK)).replace(tzinfo=here.tzinfo)


@dataclass(frozen=True, slots=True)
class Dated:
    """From one wall clock time to another, without zone."""

    start: datetime
    end: datetime

    def until(self, here: datetime) -> datetime | None:
        """When it is over; None outside of it."""
        return self.end.replace(tzinfo=here.tzinfo) if self.start <= here.replace(tzinfo=None) < self.end else None

    def begins(self, here: datetime) -> datetime | None:
        """When it begins; None if it has begun."""
        return self.start.replace(tzinfo=here.tzinfo) if here.replace(tzinfo=None) < self.start else None


def weekly_of(text: str) -> tuple[Weekly, ...]:
    """The spans of "fri 16:00 - mon 08:00" (one) or "mon-thu 22:00 - 06:00" (one a day). Raises ValueError that says how."""
    low = " ".join(text.lower().split())
    if across := _ACROSS.fullmatch(low):
        start = DAYS.index(across[1]) * DAY + _minute(across[2])
        found = [Weekly(start, DAYS.index(across[3]) * DAY + _minute(across[4]))]
    elif each := _EACH.fullmatch(low):
        start, end = _minute(each[2]), _minute(each[3])
        over = DAY if end <= start else 0
        found = [Weekly(d * DAY + start, (d * DAY + over + end) % WEEK) for d in _days(each[1])]
    else:
        raise ValueError('a weekly span is written like "fri 16:00 - mon 08:00" or "mon-thu 22:00 - 06:00"')
    if any(span.start == span.end for span in found):
        raise ValueError("it begins and ends at the same minute; a freeze of the whole week is a rule that nobody may ask by")
    return tuple(found)


def dated_of(text: str) -> Dated:
    """The span of "2026-12-20 - 2027-01-03" (the last day included) or with times. Raises ValueError that says how."""
    first, _, last = " ".join(text.split()).partition(" - ")
    try:
        start, end = _moment(first), _moment(last)
    except ValueError:
        raise ValueError(
            'a dated span is written like "2026-12-20 - 2027-01-03" or "2026-12-24 18:00 - 2026-12-27 08:00"'
        ) from None
    if len(last) == len("2027-01-03"):
        end += timedelta(days=1)
    if end <= start:
        raise ValueError("it ends before it begins")
    return Dated(start, end)


def over_at(spans: tuple[Weekly | Dated, ...], zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the last of the spans that are on is over; None if none is on."""
    here = now.astimezone(zone)
    return max((end for span in spans if (end := span.until(here)) is not None), default=None)


def next_at(spans: tuple[Weekly | Dated, ...], zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the next of the spans begins; None if none does any more."""
    here = now.astimezone(zone)
    return min((start for span in spans if (start := span.begins(here)) is not None), default=None)


def _moment(text: str) -> datetime:
    day, _, clock = text.partition(" ")
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock) if clock else time())


def _minute(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 60 + at.minute


def _days(text: str) -> list[int]:
    found: list[int] = []
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [n % 7 for n in range(begin, end + 1 if end >= begin else end + 8)]
    return found
