"""When a maintenance window of noise.yaml is open: once between two moments, or at hours of some days."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from bot.domain.noise import Matcher

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Planned work. Either `start` and `end` are set, or `begins` and `ends` (times of day in `zone`, on `days`; all if none).

    A window over midnight belongs to the day on which it begins.
    """

    name: str
    matchers: tuple[Matcher, ...]
    zone: tzinfo
    start: datetime | None = None
    end: datetime | None = None
    begins: time | None = None
    ends: time | None = None
    days: frozenset[int] = frozenset()  # 0 is Monday
    critical: bool = False
    owner: str = ""
    reason: str = ""

    def open_until(self, now: datetime) -> datetime | None:
        """When it closes if it is open now, else None."""
        if self.start is not None and self.end is not None:
            return self.end if self.start <= now < self.end else None
        if self.begins is None or self.ends is None:
            return None
        here = now.astimezone(self.zone)
        for date in (here.date(), here.date() - DAY):
            if self.days and date.weekday() not in self.days:
                continue
            begins = datetime.combine(date, self.begins, self.zone)
            ends = datetime.combine(date if self.begins < self.ends else date + DAY, self.ends, self.zone)
            if begins <= here < ends:
                return ends.astimezone(now.tzinfo)
        return None


def read_hours(text: str) -> tuple[time, time]:
    """Reads "22:00-06:00". Raises ValueError."""
    try:
        begins, ends = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise ValueError('hours are written like "22:00-06:00"') from None
    if begins == ends:
        raise ValueError("hours must not begin and end at the same minute")
    return begins, ends


def read_days(text: str) -> frozenset[int]:
    """Reads "mon-fri, sun": weekdays, 0 is Monday; none for "". Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.lower().replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"days are written like mon-fri or sat, not {part!r}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {n % 7 for n in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)
