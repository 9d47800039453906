"""Alerts came in: judged, placed into incidents, written once; people hear of what changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from bot.domain.alert import Alert
from bot.domain.incident import Entry, Incident
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.flows.settling import settle_later
from bot.incidents.bundles import Joined, arrival
from bot.incidents.correlate import place
from bot.incidents.dedup import Event, News, identified, tell
from bot.incidents.membership import after, home_of, looks_different, opened, reopened
from bot.incidents.tidy import tidied
from bot.incidents.timeline import told
from bot.ports import Problem, Sighting, Transaction


@dataclass(slots=True)
class Touched:
    """An incident that a batch concerns: how it was (None: it is new), how it starts out, who joins, what is new."""

    before: Incident | None
    start: Incident
    joined: Sequence[Joined] = ()
    news: list[News] = field(default_factory=list)


def on_alerts(tx: Transaction, batch: Sequence[Alert], desk: Desk) -> None:
    """Every alert of the batch is kept with its verdict and its incident; whatever people would see differently is shown."""
    now, catalogue = desk.clock(), desk.catalogue()
    resolve = cache(catalogue.resolve)
    events = identified(tidied(alert, resolve, desk.default_environment) for alert in batch)
    known = desk.alerts.known(tx, {(event.fingerprint, event.instance) for event in events})
    incidents = {i.id: i for i in desk.incidents.live(tx, resolved_since=now - desk.limits.reopen)}
    news = tell(events, _heard(known, events, incidents), now)
    touched = _gathered(tx, news, incidents, now, desk)
    owners = {one.fingerprint: id for id, t in touched.items() for one in t.news}
    desk.alerts.save(tx, (one.problem(now, owners.get(fp, one.incident_id)) for fp, one in news.items()))
    desk.alerts.seen(tx, _sightings(news.values(), owners))
    entries: list[Entry] = []
    for one in touched.values():
        incident = desk.incidents.save(tx, after(one.start, one.joined, one.news, now, catalogue))
        entries += told(one.before, incident, one.joined, now)
        _follow(tx, one, incident, desk)
    desk.timeline.add(tx, entries)


def _heard(known: Mapping[str, Problem], events: Iterable[Event], incidents: Mapping[str, Incident]) -> dict[str, Problem]:
    """What is known, but unreadable deliveries begin anew once somebody resolved their incident: they never clear."""
    heard = dict(known)
    for event in events:
        problem = heard.get(event.fingerprint)
        if problem is None or event.alert.readable:
            continue
        home = incidents.get(problem.incident_id)
        if home is None or not home.live:
            del heard[event.fingerprint]
    return heard


def _gathered(
    tx: Transaction, news: Mapping[str, News], incidents: Mapping[str, Incident], now: datetime, desk: Desk
) -> dict[str, Touched]:
    """The incidents that the news belongs to, by id: those that have it, those that it joins, those that it opens."""
    touched: dict[str, Touched] = {}
    homeless: list[News] = []
    for one in news.values():
        home = home_of(one, incidents)
        if home is not None:
            mine = touched.setdefault(home.id, Touched(home, home))
            mine.news.append(one)
            if one.begins and not mine.start.live:
                mine.start = reopened(home, now)
        elif one.begins:
            homeless.append(one)
    if not homeless:
        return touched
    arrivals = [arrival(one.fingerprint, one.begins[0], desk.catalogue(), now) for one in homeless]
    present = [touched[i.id].start if i.id in touched else i for i in incidents.values()]
    placing = place(arrivals, present, desk.catalogue(), desk.limits.correlate)
    for id, joined in placing.joins.items():
        mine = touched.setdefault(id, Touched(incidents[id], incidents[id]))
        mine.joined = joined
        mine.news += [news[j.arrival.fingerprint] for j in joined]
    number = desk.incidents.next_number(tx) if placing.opens else 0
    for place_in_line, joined in enumerate(placing.opens):
        fresh = opened(desk.new_id(), number + place_in_line, joined, now)
        touched[fresh.id] = Touched(None, fresh, joined, [news[j.arrival.fingerprint] for j in joined])
    return touched


def _sightings(news: Iterable[News], owners: Mapping[str, str]) -> list[Sighting]:
    return [
        Sighting(event.alert, event.fingerprint, event.instance, verdict.value, owners.get(one.fingerprint, ""))
        for one in news
        for event, verdict in one.events
    ]


def _follow(tx: Transaction, one: Touched, incident: Incident, desk: Desk) -> None:
    """The work that a change causes; none if people would see no difference."""
    if one.before is not None and not looks_different(one.before, incident):
        return
    announce(tx, incident, desk)
    look(tx, incident, desk)
    if incident.live and incident.firing == 0:
        settle_later(tx, incident, desk)
