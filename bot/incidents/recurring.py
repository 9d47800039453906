"""Problems that come back: incidents of the last weeks with one confirmed cause, or alerts of one kind on one service."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.incident import Incident

SPAN = timedelta(days=30)
OFTEN = 3  # incidents of a family until it is named
MOST = 5  # families named
_DIGITS = re.compile(r"\b(?=\w*\d)\w+\b|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Family:
    """Incidents that are one problem: `cause` where people confirmed one, else "", `name` the first alert of the latest."""

    incidents: tuple[Incident, ...]  # oldest first
    cause: str
    name: str
    service: str
    lost: timedelta


def families(incidents: Sequence[Incident], now: datetime) -> tuple[Family, ...]:
    """Those that came at least three times in thirty days, the costliest first. Merged incidents count as what they became.

    Two incidents are of one family if they share a confirmed cause on a service, or a problem (fingerprint).
    """
    recent = sorted((i for i in incidents if i.opened_at >= now - SPAN and not i.merged_into), key=lambda i: i.opened_at)
    parent = {i.id: i.id for i in recent}

    def root(id: str) -> str:
        while parent[id] != id:
            id = parent[id]
        return id

    first: dict[tuple[str, ...], str] = {}
    for incident in recent:
        for mark in _marks(incident):
            other = first.setdefault(mark, incident.id)
            parent[root(incident.id)] = root(other)
    groups: dict[str, list[Incident]] = {}
    for incident in recent:
        groups.setdefault(root(incident.id), []).append(incident)
    found = [_family(group, now) for group in groups.values() if len(group) >= OFTEN]
    return tuple(sorted(found, key=lambda f: (-f.lost, f.incidents[0].number))[:MOST])


def _marks(incident: Incident) -> list[tuple[str, ...]]:
    """By which incidents of one family know each other: a storm's many problems say nothing of what it was."""
    cause = " ".join(_DIGITS.sub(" ", incident.confirmed_cause.lower()).split())
    marks: list[tuple[str, ...]] = [("cause", incident.service, cause)] if cause else []
    if incident.storm or not incident.members:
        return marks
    earliest = min(incident.members, key=lambda m: (m.joined_at, m.name))
    return [*marks, ("problem", earliest.fingerprint)]


def _family(group: Sequence[Incident], now: datetime) -> Family:
    latest = group[-1]
    cause = next((i.confirmed_cause for i in reversed(group) if i.confirmed_cause), "")
    lost = sum(((i.resolved_at or now) - i.opened_at for i in group), timedelta())
    earliest = min(latest.members, key=lambda m: (m.joined_at, m.name), default=None)
    name = earliest.name if earliest else latest.title
    return Family(tuple(group), cause, name, earliest.service if earliest else latest.service, lost)
