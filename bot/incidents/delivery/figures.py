"""DORA's figures over a span of time, by service and for all; nothing is told of too little."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from bot.domain.alert import Severity
from bot.domain.delivery import (
    LEAST,
    Blame,
    DeliveryFigures,
    Deployment,
    Failed,
    Kind,
    OnCallFigures,
    ServiceFigures,
    Spread,
    Week,
)
from bot.domain.incident import Incident
from bot.domain.watch import Bake
from bot.incidents.delivery.failures import Known, failures, recoveries

WEEK = timedelta(days=7)
WEEKS = 8
SKEW = timedelta(minutes=5)  # a commit may be dated so long after it ran: clocks differ


@dataclass(frozen=True, slots=True)
class Past:
    """What happened, from some weeks before the span on. `commits` are the times of the commits that a deployment brought."""

    deployments: tuple[Deployment, ...] = ()
    incidents: tuple[Incident, ...] = ()
    blames: tuple[Blame, ...] = ()
    bakes: tuple[Bake, ...] = ()
    commits: Mapping[Deployment, tuple[datetime, ...]] = field(default_factory=dict)
    on_call: OnCallFigures = field(default_factory=OnCallFigures)
    notes: tuple[str, ...] = ()


def figures(past: Past, since: datetime, until: datetime) -> DeliveryFigures:
    """The figures of [since, until); weeks reach further back, as far as `past` does."""
    known = Known(past.deployments)
    failed, ends = failures(known, past.blames, past.bakes), recoveries(known, past.blames)
    within = [d for d in past.deployments if since <= d.at < until]
    over = [i for i in past.incidents if _counts(i) and i.resolved_at is not None and since <= i.resolved_at < until]
    names = sorted({d.service for d in within} | {i.service for i in over})
    services = [
        _figures(name, [d for d in within if d.service == name], [i for i in over if i.service == name], failed, ends, past)
        for name in names
    ]
    return DeliveryFigures(
        since,
        until,
        _figures("", _together(within, failed), over, failed, ends, past),
        tuple(sorted(services, key=lambda s: (-s.deployments, s.service))),
        _weeks(past.deployments, failed, until),
        past.on_call,
        past.notes,
    )


def _counts(incident: Incident) -> bool:
    """It hurt somebody: a notice did not, and one that was merged is counted where its problems are."""
    return not incident.merged_into and incident.severity is not Severity.SEV4


def _figures(
    name: str,
    mine: Sequence[Deployment],
    over: Sequence[Incident],
    failed: Mapping[Deployment, Failed],
    ends: Mapping[Deployment, datetime],
    past: Past,
) -> ServiceFigures:
    new = [d for d in mine if d.kind is Kind.NEW]
    leads = {d: _leads(d, past.commits.get(d, ())) for d in new}
    return ServiceFigures(
        service=name,
        deployments=len(new),
        back=sum(d.kind is Kind.BACK for d in mine),
        again=sum(d.kind is Kind.AGAIN for d in mine),
        failed=dict(Counter(failed[d] for d in new if d in failed)),
        lead=spread(lead for every in leads.values() for lead in every),
        left_out=sum(not every for every in leads.values()),
        restore=spread(i.resolved_at - i.opened_at for i in over if i.resolved_at is not None),
        recover=spread(ends[d] - d.at for d in new if d in ends and ends[d] >= d.at),
    )


def _leads(deployment: Deployment, commits: Iterable[datetime]) -> list[timedelta]:
    """From each commit until it ran; a commit that is dated after that tells nothing."""
    return [max(deployment.at - at, timedelta()) for at in commits if at <= deployment.at + SKEW]


def spread(spans: Iterable[timedelta]) -> Spread:
    """How many, and the median if they are enough."""
    seconds = sorted(span.total_seconds() for span in spans)
    return Spread(len(seconds), timedelta(seconds=median(seconds)) if len(seconds) >= LEAST else None)


def _together(within: Sequence[Deployment], failed: Mapping[Deployment, Failed]) -> list[Deployment]:
    """Each deployment once, also one that several services shared: the one that failed stands for all, else one that was new."""
    found: dict[str, Deployment] = {}
    for one in sorted(within, key=lambda d: (d in failed, d.kind is Kind.NEW), reverse=True):
        if not any(id in found for id in one.changes):
            found |= dict.fromkeys(one.changes, one)
    return list(dict.fromkeys(found.values()))


def _weeks(every: Sequence[Deployment], failed: Mapping[Deployment, Failed], until: datetime) -> tuple[Week, ...]:
    found = []
    for back in range(WEEKS, 0, -1):
        start, end = until - back * WEEK, until - (back - 1) * WEEK
        mine = [d for d in every if d.kind is Kind.NEW and start <= d.at < end]
        once = _together(mine, failed)
        bad = sum(d in failed for d in once)
        found.append(Week(start, len(once) - bad, bad))
    return tuple(found)
