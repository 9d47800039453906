"""Who was paged how often and when, and what people did about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from bot.domain.delivery import OnCallFigures, Watch
from bot.domain.incident import Incident
from bot.incidents.delivery.figures import spread
from bot.incidents.routing.hours import day_within

NIGHT = "22:00-07:00"
LATER = timedelta(hours=24)  # what somebody does about an incident so long after a page is still because of it
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Paged:
    """Somebody was paged: whom, as routing.yaml writes it; the zone whose nights count, and how long a shift of theirs is."""

    at: datetime
    incident_id: str
    name: str
    zone: tzinfo
    shift: timedelta = DAY


@dataclass(frozen=True, slots=True)
class Acted:
    """A person did something about an incident; an acknowledgement alone is less than `more`."""

    at: datetime
    more: bool


def on_call(
    pages: Sequence[Paged],
    acted: Mapping[str, Sequence[Acted]],
    incidents: Iterable[Incident],
    acknowledged: Mapping[str, datetime],
    since: datetime,
    until: datetime,
) -> OnCallFigures:
    """The figures of [since, until). `acted` is by incident, `acknowledged` when an incident first was."""
    mine = [p for p in pages if since <= p.at < until]
    names = sorted({p.name for p in mine})
    after = [[a for a in acted.get(p.incident_id, ()) if p.at <= a.at <= p.at + LATER] for p in mine]
    opened = [i for i in incidents if since <= i.opened_at < until and not i.merged_into]
    times = [acknowledged[i.id] - i.opened_at for i in opened if i.id in acknowledged and acknowledged[i.id] >= i.opened_at]
    return OnCallFigures(
        watches=tuple(_watch(name, [p for p in mine if p.name == name], until - since) for name in names),
        acted=sum(map(bool, after)),
        more=sum(any(a.more for a in deeds) for deeds in after),
        acknowledge=spread(times),
        unacknowledged=len(opened) - len(times),
    )


def _watch(name: str, pages: Sequence[Paged], span: timedelta) -> Watch:
    shift = pages[-1].shift
    return Watch(name, shift / DAY, span / shift, len(pages), sum(by_night(p.at, p.zone) for p in pages))


def by_night(at: datetime, zone: tzinfo) -> bool:
    """It is night there, by the clock on the wall."""
    return day_within(NIGHT, at.astimezone(zone)) is not None
