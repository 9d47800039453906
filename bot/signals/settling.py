"""Whether a service and its neighbours are worse since a deployment than in the same span of time before it; pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.telemetry import Series
from bot.signals.changepoints import Shift, change_point, shift
from bot.signals.direction import bad_direction
from bot.signals.golden import Role, floor, golden, name, role

LEAST = timedelta(minutes=10)  # of the past that is compared with, and of the latest moments that are looked at alone
WARM = timedelta(minutes=1)  # after a deployment in which anything may happen
EARLIER = timedelta(minutes=2)  # what changed before that is not the deployment's
FAR, NEAR = 6.0, 4.0  # scales of noise: worse; and worth a doubt, or worse where it is also unusual by all that is remembered
MOST_OUTSIDE = 0.6  # share of the points beyond all that was before
LOAD = 1.3  # more use than traffic explains, by this factor


@dataclass(frozen=True, slots=True)
class Worse:
    """One series that is worse, by name and for people."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: the series that are worse; `doubt` says why nothing better than unclear can be said, "" if it can."""

    worse: tuple[Worse, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Compared:
    """One golden signal before and after; the latest moments alone are a shift of their own."""

    series: Series
    role: Role
    shifts: tuple[Shift, ...]
    own: bool  # of the service itself

    @property
    def bad(self) -> int:
        """+1 if more of it is worse, -1 if less."""
        return bad_direction(self.series.metric) or 1

    @property
    def worst(self) -> Shift:
        """The shift that is the worse one."""
        return max(self.shifts, key=lambda s: s.scales * self.bad)

    def said(self, found: Shift) -> str:
        """For people."""
        return f"{name(self.series)} of {self.series.service} went from {found.before:.3g} to {found.after:.3g}"


def look_at(
    series: Iterable[Series],
    service: str,
    began: datetime,
    now: datetime,
    unusual: Collection[tuple[str, str]] = frozenset(),
    *,
    whole: bool = True,
) -> Look:
    """Golden signals before and after.

    `unusual` are the (service, series name) that their memory finds new, `whole`: all sources answered.
    """
    compared = _compared(series, service, began, now)
    growth = max((c.shifts[0].after / c.shifts[0].before for c in compared if _carries(c)), default=1.0)
    worse: list[tuple[float, Worse]] = []
    doubts = [] if whole else ["a source did not answer"]
    if not any(c.own and c.role in (Role.LATENCY, Role.ERRORS) for c in compared):
        doubts.append(f"neither latency nor errors of {service} could be compared")
    for c in compared:
        found = c.worst
        scales = found.scales * c.bad
        if c.role is Role.TRAFFIC:
            doubts += [c.said(c.shifts[0])] if c.own and _fallen(c.shifts[0]) else []
        elif c.role is Role.SATURATION and (not c.own or found.after <= found.before * max(growth, 1.0) * LOAD):
            continue
        elif _clear(c, scales, found, unusual) and not _was_before(c.series, began, now):
            worse.append((scales, Worse(f"{c.series.service} {name(c.series)}", c.said(found))))
        elif scales >= NEAR and found.outside >= MOST_OUTSIDE / 2:
            doubts.append(f"{c.said(found)}, which may be chance")
    return Look(tuple(one for _, one in sorted(worse, key=lambda w: (-w[0], w[1].name))), "; ".join(doubts[:2]))


def _compared(series: Iterable[Series], service: str, began: datetime, now: datetime) -> list[_Compared]:
    found = []
    for one in golden(series):
        what, shifts = role(one.metric), _shifts(one, began, now)
        if what is not None and shifts:
            found.append(_Compared(one, what, tuple(shifts), one.service == service))
    return found


def _carries(one: _Compared) -> bool:
    """It says how much traffic the service has now, compared with before."""
    return one.own and one.role is Role.TRAFFIC and one.shifts[0].before > 0


def _fallen(found: Shift) -> bool:
    return found.scales < -FAR and found.after < found.before / 3


def _clear(one: _Compared, scales: float, found: Shift, unusual: Collection[tuple[str, str]]) -> bool:
    needed = NEAR if (one.series.service, name(one.series)) in unusual else FAR
    return scales >= needed and found.outside >= MOST_OUTSIDE


def _shifts(one: Series, began: datetime, now: datetime) -> list[Shift]:
    """All since the deployment against as long a time before it, and the latest moments alone."""
    start = began - max(now - began, LEAST)
    before = [v for at, v in one.points if start <= at < began]
    after = [(at, v) for at, v in one.points if began + WARM <= at <= now]
    latest = [v for at, v in after if at > now - LEAST]
    found = [_shift(one, before, values) for values in ([v for _, v in after], latest)]
    return [one for one in found if one is not None]


def _shift(one: Series, before: Sequence[float], after: Sequence[float]) -> Shift | None:
    """A share that did not fail is compared by the share that did: 5 % of 0.99 is no noise of it."""
    top = max((*before, *after), default=0.0)
    if role(one.metric) is not Role.ERRORS or bad_direction(one.metric) >= 0 or not 0 < top <= 100:
        return shift(before, after, floor(one.metric))
    full = 1.0 if top <= 1 else 100.0
    found = shift([full - v for v in before], [full - v for v in after], 0.01 * full)
    return found and Shift(full - found.before, full - found.after, -found.scales, found.outside)


def _was_before(one: Series, began: datetime, now: datetime) -> bool:
    """What changed had changed already when the deployment came."""
    start = began - max(now - began, LEAST)
    points = [(at, v) for at, v in one.points if start <= at <= now]
    place = change_point([v for _, v in points])
    return place is not None and points[place][0] < began - EARLIER
