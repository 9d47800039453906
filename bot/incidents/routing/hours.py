"""Spans of the day such as 22:00-07:00, and days of the week such as mon-fri."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def span_of(text: str) -> tuple[time, time]:
    """The beginning and the end of "09:00-18:00". Raises ValueError that says how it is written."""
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise ValueError('hours are written like "09:00-18:00"') from None
    if start == end:
        raise ValueError("hours must not begin and end at the same minute; leave them out for the whole day")
    return start, end


def days_of(text: str) -> Sequence[str]:
    """The days of "mon-fri" or "sat, sun". Raises ValueError that says how they are written."""
    found: list[str] = []
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"days are written like mon-fri or sat, not {part!r}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [DAYS[n % 7] for n in range(begin, end + 1 if end >= begin else end + 8)]
    return found


def day_within(hours: str, here: datetime) -> datetime | None:
    """The day on which the span that `here` lies in began; None outside of it. "" is the whole day.

    The hours after midnight of a span like 22:00-06:00 belong to the day on which it began.
    """
    if not hours:
        return here
    start, end = span_of(hours)
    now = here.time()
    if start < end:
        return here if start <= now < end else None
    return here if now >= start else here - timedelta(days=1) if now < end else None


def end_of(hours: str, began: datetime, zone: tzinfo) -> datetime:
    """When the span that began on this day is over; for the whole day its midnight."""
    if not hours:
        return datetime.combine(began.date() + timedelta(days=1), time(), zone)
    start, end = span_of(hours)
    return datetime.combine(began.date() + timedelta(days=0 if start < end else 1), end, zone)
