"""Alerts came in: judged, placed into incidents, written once; people hear of what changed and is no noise."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from bot.domain.alert import Alert
from bot.domain.belonging import belongings
from bot.domain.incident import Entry, Incident, Status
from bot.flows.announce import announce_all
from bot.flows.desk import Desk
from bot.flows.grouping.regroup import fold
from bot.flows.investigation import look_all
from bot.flows.quiet.holds import release_at
from bot.flows.quiet.noise import Quiet
from bot.flows.runbooks.linking import linked
from bot.flows.settling import settle_later
from bot.incidents.bundles import Joined, arrival
from bot.incidents.correlate import place
from bot.incidents.dedup import Event, News, identified, released, tell
from bot.incidents.membership import after, home_of, looks_different, opened, reopened
from bot.incidents.noise.storm import joined as joined_by
from bot.incidents.noise.storm import titled
from bot.incidents.shared_change import touching
from bot.incidents.tidy import tidied
from bot.incidents.timeline import told
from bot.ports import Problem, Scalar, Sighting, Transaction
from bot.topology.attribution import Attribution

MOST_RELEASED = 500  # in one transaction


@dataclass(slots=True)
class Touched:
    """An incident that a batch concerns: how it was (None: it is new), how it starts out, who joins, what is new."""

    before: Incident | None
    start: Incident
    joined: Sequence[Joined] = ()
    news: list[News] = field(default_factory=list)


def tidy(batch: Iterable[Alert], desk: Desk) -> list[Alert]:
    """The alerts as they are kept, which needs no transaction."""
    resolve = cache(desk.catalogue().resolve)
    return [tidied(alert, resolve, desk.default_environment) for alert in batch]


def on_alerts(tx: Transaction, batch: Sequence[Alert], desk: Desk) -> None:
    """Every alert of the batch is kept with its verdict and its incident; whatever people would see differently is shown."""
    on_tidied(tx, tidy(batch, desk), desk)


def on_tidied(tx: Transaction, batch: Sequence[Alert], desk: Desk) -> None:
    """`on_alerts` for those that are tidied already."""
    now, catalogue = desk.clock(), desk.catalogue()
    owned = Attribution(catalogue, desk.attributions.mappings(tx))
    events = identified(map(owned.of, batch))
    known = desk.alerts.known(tx, {(event.fingerprint, event.instance) for event in events})
    incidents = {i.id: i for i in desk.incidents.live(tx, resolved_since=now - desk.limits.reopen, hold=True)}
    news = tell(events, _heard(known, events, incidents), now)
    quiet = Quiet(tx, news, incidents, now, desk)
    quiet.take()
    touched = _gathered(tx, news, incidents, now, desk, quiet)
    owners = _owners(touched)
    desk.alerts.save(tx, (one.problem(now, owners.get(fp) or quiet.home(one)) for fp, one in news.items()))
    desk.alerts.seen(tx, _sightings(news.values(), owners, quiet))
    _told_now(tx, quiet.holds.company, owners, desk)
    quiet.keep(owners)
    _write(tx, touched.values(), now, desk)
    linked(tx, batch, desk)
    _fold(tx, quiet, desk)


async def release(args: Mapping[str, Scalar], desk: Desk) -> None:
    """Holds that ended: what still fires and nothing else keeps back becomes an incident or joins one. Twice is once."""
    at = datetime.fromisoformat(str(args["at"]))
    await desk.db.write(lambda tx: _release(tx, at, desk))


def _release(tx: Transaction, at: datetime, desk: Desk) -> None:
    desk.noise.line(tx)
    now = desk.clock()
    if now < at:  # the clock of the work is ahead of ours
        return release_at(tx, at + (at - now), desk, ":late")
    due = desk.noise.due(tx, now, MOST_RELEASED)
    if not due:
        return None
    known = desk.alerts.known(tx, {(s.fingerprint, s.hold.instance) for s in due if s.hold})
    news = {s.fingerprint: released(known[s.fingerprint], s.hold, now) for s in due if s.hold and _fires(known, s.fingerprint)}
    incidents = {i.id: i for i in desk.incidents.live(tx, resolved_since=now - desk.limits.reopen, hold=True)}
    quiet = Quiet(tx, news, incidents, now, desk)
    quiet.again(due)
    freed = {fp: one for fp, one in news.items() if fp not in quiet.holds.held}
    owners = _owners(touched := _gathered(tx, freed, incidents, now, desk, quiet))
    _told_now(tx, freed | quiet.holds.company, owners, desk)
    quiet.keep(owners)
    _write(tx, touched.values(), now, desk)
    _fold(tx, quiet, desk)
    if len(due) == MOST_RELEASED:
        release_at(tx, now, desk, f":{desk.new_id()}")
    return None


def _fold(tx: Transaction, quiet: Quiet, desk: Desk) -> None:
    for storm, early in quiet.storms.swallowed.items():
        fold(tx, early, storm, desk)


def _told_now(tx: Transaction, news: Mapping[str, News], owners: Mapping[str, str], desk: Desk) -> None:
    """Those of them that were held and have an incident now are kept with it; their instances stay as they are kept."""
    mine = {fp: one for fp, one in news.items() if fp in owners}
    befores = ((owners[fp], one.before, one) for fp, one in mine.items())
    desk.alerts.save(
        tx,
        (
            replace(before, incident_id=id, count=one.firing, events=before.events + 1, firing={}, cleared={})
            for id, before, one in befores
            if before is not None
        ),
    )
    desk.alerts.seen(
        tx, [Sighting(e.alert, fp, e.instance, "released", owners[fp]) for fp, one in mine.items() for e, _ in one.events]
    )


def _fires(known: Mapping[str, Problem], fingerprint: str) -> bool:
    return fingerprint in known and known[fingerprint].count > 0


def _owners(touched: Mapping[str, Touched]) -> dict[str, str]:
    return {one.fingerprint: id for id, t in touched.items() for one in t.news}


def _write(tx: Transaction, touched: Iterable[Touched], now: datetime, desk: Desk) -> None:
    touched, catalogue = list(touched), desk.catalogue()
    changed = [after(one.start, one.joined, one.news, now, catalogue) for one in touched]
    incidents = desk.incidents.save_all(tx, [titled(one) if one.storm else one for one in changed])
    entries: list[Entry] = []
    different: list[Incident] = []
    for one, incident in zip(touched, incidents, strict=True):
        entries += told(one.before, incident, one.joined, now)
        if one.before is None or looks_different(one.before, incident):
            different.append(incident)
    desk.timeline.add(tx, entries)
    _follow(tx, different, desk)


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
    tx: Transaction, news: Mapping[str, News], incidents: Mapping[str, Incident], now: datetime, desk: Desk, quiet: Quiet
) -> dict[str, Touched]:
    """The incidents that the news belongs to, by id: those that have it, those that it joins, those that it opens."""
    touched: dict[str, Touched] = {}
    homeless: list[News] = []
    for one in news.values():
        home = home_of(one, incidents, desk.limits.reopen)
        if one.fingerprint in quiet.holds.held:
            continue
        if home is not None:
            touched.setdefault(home.id, Touched(home, home)).news.append(one)
        elif one.begins:
            homeless.append(one)
    for id, mine in list(touched.items()):
        home = mine.start
        if not home.live and any(one.begins for one in mine.news):
            if quiet.keeps_closed(mine.news):
                del touched[id]
            else:
                mine.start = reopened(home, now)
    if homeless:
        _place(tx, homeless, touched, incidents, now, desk, quiet)
    return touched


def _place(
    tx: Transaction,
    homeless: Sequence[News],
    touched: dict[str, Touched],
    incidents: Mapping[str, Incident],
    now: datetime,
    desk: Desk,
    quiet: Quiet,
) -> None:
    """Those without a home join an incident or open one, unless all that would open it is held, or a storm takes them."""
    news = {one.fingerprint: one for one in homeless} | dict(quiet.company.meet())
    shipped = touching(desk.changes.between(tx, now - desk.limits.window, now))
    arrivals = [arrival(one.fingerprint, one.begins[0], desk.catalogue(), now, shipped) for one in news.values()]
    said = belongings(desk.belongings.said(tx, list(news)))
    present = [touched[i.id].start if i.id in touched else i for i in incidents.values()]
    placing = place(arrivals, present, desk.catalogue(), desk.limits.correlate, said)
    joins = {id: _sure(joined, placing.unsure, incidents[id].key, quiet) for id, joined in placing.joins.items()}
    for id, joined in joins.items():
        if joined:
            mine = touched.setdefault(id, Touched(incidents[id], incidents[id]))
            mine.joined = joined
            mine.news += [news[j.arrival.fingerprint] for j in joined]
    opens = [g for g in placing.opens if not quiet.company.wait_already(g) and quiet.passes(g) and not quiet.company.alone(g)]
    came = [one for some in (*joins.values(), *opens) for one in some]
    quiet.company.let_go(one.arrival.fingerprint for one in came)
    begins = Counter(one.arrival.alert.environment for one in came)
    weather = {environment: quiet.storms.weather(environment, count) for environment, count in begins.items()}
    folded: dict[str, list[Joined]] = {}
    number = desk.incidents.next_number(tx) if opens else 0
    for group in opens:
        environment = group[0].arrival.alert.environment
        if quiet.storms.folds(group, weather[environment]):
            folded.setdefault(environment, []).extend(joined_by(group, weather[environment], desk.quiet))
            continue
        fresh = opened(desk.new_id(), number, group, now)
        number += 1
        touched[fresh.id] = Touched(None, fresh, group, [news[j.arrival.fingerprint] for j in group])
    for environment, taken in folded.items():
        home = incidents.get(weather[environment].incident_id)
        if home is not None and home.status is not Status.CLOSED:
            mine = touched.setdefault(home.id, Touched(home, home if home.live else reopened(home, now)))
            quiet.storms.stormed(environment, home.id, new=False)
        else:
            fresh = replace(opened(desk.new_id(), number, taken, now), storm=True)
            number += 1
            mine = touched[fresh.id] = Touched(None, fresh)
            quiet.storms.stormed(environment, fresh.id, new=True)
        mine.joined = (*mine.joined, *taken)
        mine.news += [news[j.arrival.fingerprint] for j in taken]


def _sure(joined: Sequence[Joined], unsure: Collection[str], key: str, quiet: Quiet) -> tuple[Joined, ...]:
    """Those that join at once; of the others those that do not wait."""
    return tuple(one for one in joined if one.arrival.fingerprint not in unsure or not quiet.company.waits(one, key))


def _sightings(news: Iterable[News], owners: Mapping[str, str], quiet: Quiet) -> list[Sighting]:
    return [
        Sighting(
            event.alert,
            event.fingerprint,
            event.instance,
            quiet.holds.verdict(event.fingerprint, verdict),
            owners.get(one.fingerprint) or quiet.holds.owner(one.fingerprint),
        )
        for one in news
        for event, verdict in one.events
    ]


def _follow(tx: Transaction, incidents: Sequence[Incident], desk: Desk) -> None:
    """The work that these changes cause."""
    announce_all(tx, incidents, desk)
    look_all(tx, incidents, desk)
    for incident in incidents:
        if incident.live and incident.firing == 0:
            settle_later(tx, incident, desk)
