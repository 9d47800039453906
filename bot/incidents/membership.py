"""What a batch of alerts makes of an incident: members join, fire again and clear; it opens, reopens and settles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.alert import Severity
from bot.domain.incident import Incident, Member, Status
from bot.domain.service import Catalogue
from bot.incidents.bundles import Joined, hooks_of
from bot.incidents.dedup import News
from bot.incidents.severity import severity_of
from bot.incidents.weights import BRIEFLY, REFIRED

LONGEST_TITLE = 150
REOPEN = timedelta(minutes=30)
OLDEST_START = timedelta(hours=2)  # an alert may say that it began days ago; an incident does not


def opened(id: str, number: int, joined: Sequence[Joined], now: datetime) -> Incident:
    """A new incident about its lead (the first of `joined`); it has no members yet."""
    lead = joined[0].arrival.alert
    start = min(one.arrival.at for one in joined)
    title = " ".join((lead.summary or f"{lead.name} on {lead.service}").split())
    if not lead.readable:
        title = f"unreadable deliveries from {lead.connector}"
    return Incident(
        id=id,
        number=number,
        title=title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…",
        service=lead.service,
        environment=lead.environment,
        severity=Severity.SEV4,
        status=Status.OPEN,
        opened_at=max(start, now - OLDEST_START),
        updated_at=now,
        waiting_since=now,
    )


def reopened(incident: Incident, now: datetime) -> Incident:
    """A resolved incident is open again; its diagnosis, people and home stay."""
    return incident.move(Status.OPEN, now)


def after(incident: Incident, joined: Iterable[Joined], news: Iterable[News], now: datetime, catalogue: Catalogue) -> Incident:
    """The incident after the news of its problems and with those that joined it; severity only ever rises here."""
    members = {m.fingerprint: m for m in incident.members}
    came = {one.arrival.fingerprint: one for one in joined}
    worst_before = incident.severity
    fresh: list[Member] = []
    for one in news:
        old = members.get(one.fingerprint)
        member = _joining(one, came.get(one.fingerprint), now, catalogue) if old is None else _updated(old, one, now)
        members[one.fingerprint] = member
        if one.begins:
            fresh.append(member)
    severity = worst_before
    if fresh:
        severity = Severity.worst(worst_before, severity_of(fresh, catalogue)[0])
        if severity is Severity.SEV2:
            severity = Severity.worst(severity, severity_of((m for m in members.values() if m.firing), catalogue)[0])
    return replace(incident, members=tuple(members.values()), severity=severity, updated_at=now)


def _joining(news: News, joined: Joined | None, now: datetime, catalogue: Catalogue) -> Member:
    first = (news.begins or tuple(e.alert for e, _ in news.events))[0]
    return Member(
        fingerprint=news.fingerprint,
        name=first.name,
        service=first.service,
        reason=joined.reason if joined else "",
        joined_at=min(first.started_at, now),
        severity=news.severity,
        firing=news.firing,
        events=_fires(news),
        summary=(first.summary or first.description)[:300],
        cleared_at=_cleared(news, now) if not news.firing else None,
        hooks=joined.arrival.hooks if joined else hooks_of(first, catalogue),
        connector=first.connector,
        ref=_ref(news) or first.ref,
    )


def _updated(member: Member, news: News, now: datetime) -> Member:
    began = member.joined_at
    if member.firing == 0 and news.begins:
        began = min(news.begins[0].started_at, now)
    return replace(
        member,
        joined_at=began,
        severity=Severity.worst(member.severity, *(a.severity for a in news.begins)),
        firing=news.firing,
        events=member.events + _fires(news),
        cleared_at=None if news.firing else _cleared(news, now) if news.cleared_now else member.cleared_at,
        ref=_ref(news) or member.ref,
    )


def _fires(news: News) -> int:
    """How many of its alerts told that it fires; those that tell of an end are not counted."""
    return sum(1 for event, _ in news.events if not event.alert.resolved)


def _ref(news: News) -> str:
    """The vendor's id of the latest alert that has one."""
    return next((e.alert.ref for e, _ in reversed(news.events) if e.alert.ref), "")


def _cleared(news: News, now: datetime) -> datetime:
    """When its last instance cleared, by its sender's clock but never in the future."""
    ends = [e.alert.ended_at for e, _ in news.events if e.alert.resolved and e.alert.ended_at]
    return min(max(ends, default=now), now)


def looks_different(before: Incident, now: Incident) -> bool:
    """People would see a difference; that an alert was repeated is none."""
    return _seen(before) != _seen(now)


def _seen(incident: Incident) -> tuple[object, ...]:
    members = tuple((m.fingerprint, m.firing, m.severity) for m in incident.members)
    return incident.status, incident.severity, incident.title, members


def all_clear(incident: Incident) -> bool:
    """None of its alerts fires."""
    return incident.firing == 0


def settled(incident: Incident, now: datetime, settle: timedelta) -> bool:
    """A live incident that ends by itself and whose last alert cleared at least `settle` ago."""
    if not incident.live or not incident.ends_by_itself or not all_clear(incident) or not incident.members:
        return False
    return now - clear_since(incident) >= settle


def clear_since(incident: Incident) -> datetime:
    """When the last alert of an incident with members cleared."""
    return max((m.cleared_at or m.joined_at) for m in incident.members)


def out_of_reach(incident: Incident, now: datetime, reopen: timedelta) -> bool:
    """A resolved incident that nothing can reopen any more."""
    resolved = incident.status is Status.RESOLVED and incident.resolved_at is not None
    return resolved and incident.resolved_at is not None and now - incident.resolved_at > reopen


def home_of(news: News, incidents: Mapping[str, Incident], reopen: timedelta = REOPEN) -> Incident | None:
    """The incident that the problem belongs to, if it can still take it: live, or resolved and not closed.

    A problem that was quiet for longer than `reopen` and begins again is new trouble, even while others of its incident
    went on: it is placed anew. One of an incident about several services is placed anew sooner, by all that speaks for it.
    """
    found = incidents.get(news.incident_id)
    if found is None or found.status is Status.CLOSED:
        return None
    ended = news.before.resolved_at if news.before else None
    if ended is None or not news.begins:
        return found
    quiet = news.begins[0].started_at - ended
    several = len({member.service for member in found.members}) > 1
    longest = timedelta(minutes=BRIEFLY if found.live else REFIRED) if several else reopen
    return None if quiet > min(reopen, longest) else found
