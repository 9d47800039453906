"""When something runs out: a robust line through the recent past, with an interval, or the date that is written on it.

The slope is the median of the slopes between all pairs of points (Theil and Sen), its interval the one of the rank test widened
by the slopes of the two halves: neighbouring points resemble each other, so that the textbook's interval is too narrow. Nothing
is said while the trend may as well have ended, or beyond as many days as the past that is known would carry.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from bot.domain.telemetry import Series
from bot.signals.changepoints import since_last_jump
from bot.signals.direction import bag, label_suffix, words

FEWEST = 12  # points
MOST = 200  # points that a line is drawn through; more are thinned evenly
REACH = 12.0  # times the span of the past: no forecast goes further
SURE = 1.96  # standard deviations: 95 %
DAY = timedelta(days=1)

_CERTIFICATE = bag("cert certificate ssl tls x509")
_ENDS = bag("expiry expires expire expiration not_after notafter after ttl")
_LEFT = bag("free avail available remaining left headroom")
_USED = bag("used usage utilization utilisation use active inuse depth")
_MOST = bag("limit max maximum capacity size total quota")
_THINGS = {
    "disk": bag("disk filesystem volume storage fs inode inodes tablespace partition"),
    "quota": bag("quota quotas allowance budget credit credits burst limit"),
    "memory": bag("memory rss heap mem"),
    "file descriptors": bag("fds fd descriptors"),
    "connections": bag("pool pools connection connections conn conns sockets"),
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """Something of a service runs out at `at`, between `earliest` and `latest`; `thing` is "disk", "certificate" ...

    `exact`: the date is written on it. `now` and `limit` are in the metric's own unit.
    """

    service: str
    metric: str
    thing: str
    at: datetime
    earliest: datetime
    latest: datetime
    now: float
    limit: float
    exact: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


def forecasts(series: Iterable[Series], now: datetime, horizon: timedelta) -> tuple[Forecast, ...]:
    """What runs out within the horizon, even at the slowest pace that is likely; the soonest first."""
    every = list(series)
    found = [f for one in every if (f := _of(one, every, now)) is not None and f.latest <= now + horizon]
    return tuple(sorted(found, key=lambda f: (f.at, f.service, f.metric)))


def thing_of(metric: str) -> str:
    """What a metric is about that can run out, or ""."""
    parts = set(words(metric))
    if parts & _CERTIFICATE and parts & (_LEFT | _ENDS):
        return "certificate"
    return next((thing for thing, names in _THINGS.items() if parts & names), "")


def _of(one: Series, every: Sequence[Series], now: datetime) -> Forecast | None:
    thing = thing_of(one.metric)
    points = [(at, value) for at, value in one.points if math.isfinite(value) and at <= now]
    if not thing or not points:
        return None
    if thing == "certificate":
        return _written(one, points[-1], now)
    limit = _limit(one, every)
    return None if limit is None else _line(one, thing, points, limit, now)


def _written(one: Series, latest: tuple[datetime, float], now: datetime) -> Forecast | None:
    """The end of a certificate: a time since the epoch, or what is left in the unit that the name says."""
    at, value = latest
    parts = set(words(one.metric))
    if value > 1e9:
        seconds = value - at.timestamp()
    else:
        seconds = value * (86400 if "days" in parts else 3600 if "hours" in parts else 1)
    if not -3650 * 86400 < seconds < 36500 * 86400:
        return None
    end = at + timedelta(seconds=seconds)
    return Forecast(one.service, one.metric, "certificate", end, end, end, (end - now) / DAY, 0.0, True, one.labels)


def _limit(one: Series, every: Sequence[Series]) -> float | None:
    """Where it is full or empty: 1 or 100 for shares, 0 for what is left, else what another series says is the most."""
    parts = set(words(one.metric))
    if parts & _LEFT:
        return 0.0
    if not parts & _USED:
        return None
    top = max(value for _, value in one.points if math.isfinite(value))
    if parts & bag("percent pct percentage") and top <= 100:
        return 100.0
    if parts & bag("ratio share fraction utilization utilisation") and top <= 1:
        return 1.0
    bare = parts - _USED - _MOST
    for other in every:
        theirs = set(words(other.metric))
        same = other.service == one.service and dict(other.labels) == dict(one.labels)
        if same and theirs & _MOST and not theirs & _USED and theirs - _USED - _MOST == bare and other.points:
            return other.points[-1][1] if math.isfinite(other.points[-1][1]) else None
    return None


def _line(one: Series, thing: str, points: Sequence[tuple[datetime, float]], limit: float, now: datetime) -> Forecast | None:
    points = points[since_last_jump([value for _, value in points]) :]
    points = points[:: max(1, len(points) // MOST)]
    if len(points) < FEWEST:
        return None
    x = [(at - now) / DAY for at, _ in points]
    y = [value for _, value in points]
    slope, level, slow, fast = _slopes(x, y, 1.0 if limit >= max(y) else -1.0)
    room = abs(limit - level)
    if slow <= 0 or not _going_on(x, y, slope):
        return None
    days = [room / pace for pace in (fast, slope, slow)]
    if days[1] > REACH * (x[-1] - x[0]) or days[2] > 36500:
        return None
    earliest, at, latest = (now + timedelta(days=d) for d in days)
    return Forecast(one.service, one.metric, thing, at, earliest, latest, y[-1], limit, False, one.labels)


def _slopes(x: Sequence[float], y: Sequence[float], sign: float) -> tuple[float, float, float, float]:
    """Towards the limit, per day: the slope, the level now, the slowest and the fastest likely slope."""
    slope, low, high = theil_sen(x, y)
    half = len(x) // 2
    halves = (theil_sen(x[part], y[part])[0] for part in (slice(None, half), slice(half, None)))
    paces = sorted(sign * pace for pace in (slope, low, high, *halves))
    level = float(np.median(y) - slope * np.median(x))
    return sign * slope, level, paces[0], paces[-1]


def theil_sen(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """The median of the slopes between all pairs of points, and its 95 % interval (Sen, 1968, by Kendall's variance)."""
    at, values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    n = len(at)
    first, second = np.triu_indices(n, 1)
    apart = at[second] - at[first]
    slopes = np.sort((values[second] - values[first])[apart != 0] / apart[apart != 0])
    if not len(slopes):
        return 0.0, 0.0, 0.0
    wide = SURE * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    lowest = max(round((len(slopes) - wide) / 2) - 1, 0)
    highest = min(round((len(slopes) + wide) / 2), len(slopes) - 1)
    return float(np.median(slopes)), float(slopes[lowest]), float(slopes[highest])


def _going_on(x: Sequence[float], y: Sequence[float], slope: float) -> bool:
    """The last quarter still moves, at a third of the pace at least; a trend that is all noise is none."""
    tail = max(FEWEST // 2, len(x) // 4)
    last = theil_sen(x[-tail:], y[-tail:])[0]
    first = sum(y[:tail]) / tail
    wander = sum(abs(b - a) for a, b in pairwise(y)) / len(y)
    moved = abs(sum(y[-tail:]) / tail - first)
    return abs(last) >= abs(slope) / 3 and moved > 2 * wander and (last > 0) == (y[-1] > first)


def said(forecast: Forecast, now: datetime) -> str:
    """For people: "disk of db-1 (mountpoint=/var) full in 3.1 days (2.4-4.6)", "certificate of edge expires in 6.5 days"."""
    days = (forecast.at - now) / DAY
    whose = f"{forecast.service}{label_suffix(forecast.labels)}"
    if forecast.exact:
        return f"certificate of {whose} " + (f"expires in {_days(days)}" if days > 0 else "has expired")
    low, high = (forecast.earliest - now) / DAY, (forecast.latest - now) / DAY
    end = {"disk": "full", "memory": "full"}.get(forecast.thing, "used up")
    span = f"{low:.1f}-{high:.1f}" if days >= 1 else f"{24 * low:.1f}-{24 * high:.1f}"
    return f"{forecast.thing} of {whose} {end} in {_days(days)} ({span})"


def _days(days: float) -> str:
    return f"{days:.1f} days" if days >= 1 else f"{max(0.0, 24 * days):.1f} hours"
