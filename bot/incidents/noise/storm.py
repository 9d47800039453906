"""Many problems in a short time are a storm: one incident takes what would open more, with a breakdown, until it calms down."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.alert import Severity
from bot.domain.incident import Incident, Member
from bot.domain.noise import NoiseLimits, Storm
from bot.incidents.bundles import Joined

SLOT = 10  # seconds; what begins within one is one lot
SHOWN = 4


def after(storm: Storm, begins: int, now: datetime, limits: NoiseLimits) -> Storm:
    """The storm (or calm) once so many more problems began; it ends below half of what made it one."""
    oldest = now - timedelta(seconds=limits.storm_window)
    lots = [(at, count) for at, count in storm.arrivals if at > oldest]
    if begins and lots and (now - lots[-1][0]).total_seconds() < SLOT:
        lots[-1] = (lots[-1][0], lots[-1][1] + begins)
    elif begins:
        lots.append((now, begins))
    total = sum(count for _, count in lots)
    lasts = total >= (limits.storm_problems / 2 if storm.since else limits.storm_problems)
    if not lasts:
        return Storm(storm.environment, tuple(lots))
    return replace(storm, arrivals=tuple(lots), since=storm.since or now)


def size(storm: Storm) -> int:
    """How many problems began within the window."""
    return sum(count for _, count in storm.arrivals)


def joined(group: Iterable[Joined], storm: Storm, limits: NoiseLimits) -> tuple[Joined, ...]:
    """The arrivals with the storm as the reason why they are in its incident."""
    reason = f"storm: {size(storm)} problems began within {limits.storm_window / 60:.0f} min"
    return tuple(Joined(one.arrival, reason) for one in group)


def titled(incident: Incident) -> Incident:
    """The storm's incident with its present size in its title; the criticals are counted."""
    members = incident.members
    critical = sum(1 for m in members if m.severity.rank <= Severity.SEV2.rank)
    services = len({m.service for m in members})
    what = f"{len(members)} problem{'' if len(members) == 1 else 's'} on {services} service{'' if services == 1 else 's'}"
    return replace(incident, title=f"Storm: {what} in {incident.environment} ({critical} critical)")


def breakdown(incident: Incident) -> tuple[str, ...]:
    """What the storm consists of, by service and by cause, the most first; how many fire still."""
    firing = [m for m in incident.members if m.firing]
    return (
        f"by service: {_counted(m.service for m in incident.members)}",
        f"by cause: {_counted(m.name for m in incident.members)}",
        f"{len(firing)} of {len(incident.members)} problems still fire, {_critical(firing)} of them critical",
    )


def _critical(members: Sequence[Member]) -> int:
    return sum(1 for m in members if m.severity.rank <= Severity.SEV2.rank)


def _counted(words: Iterable[str]) -> str:
    counts = Counter(words).most_common()
    shown = ", ".join(f"{word[:30]} {count}" for word, count in counts[:SHOWN])
    return shown if len(counts) <= SHOWN else f"{shown} and {len(counts) - SHOWN} more"
