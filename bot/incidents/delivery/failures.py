"""Which deployments failed: they caused an incident, were taken back, or did not settle in; and when that was over."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.delivery import Blame, Deployment, Failed, Kind
from bot.domain.watch import Bake, BakeVerdict
from bot.incidents.delivery.deployments import introduced

AHEAD = timedelta(minutes=15)  # an alert may be dated before the report of the deployment that caused it


class Known:
    """Deployments, by time, found by their reports and by their service."""

    def __init__(self, every: Sequence[Deployment]) -> None:
        self.every = tuple(every)
        self._by_change: dict[str, list[Deployment]] = {}
        self._by_service: dict[str, list[Deployment]] = {}
        for one in self.every:
            self._by_service.setdefault(one.service, []).append(one)
            for id in one.changes:
                self._by_change.setdefault(id, []).append(one)

    def blamed(self, blame: Blame) -> tuple[Deployment, ...]:
        """The new deployments that this change is: by its id, of the named service if it shipped several; else by version."""
        by_id = [d for d in self._by_change.get(blame.change_id, ()) if d.kind is Kind.NEW]
        if by_id:
            return tuple([d for d in by_id if d.service == blame.service] or by_id)
        late = blame.opened_at + AHEAD
        mine = self._by_service.get(blame.service, ())
        named = [d for d in mine if d.kind is Kind.NEW and d.at <= late and _names(blame, d)]
        return tuple(named[-1:])

    def taken_back(self) -> tuple[tuple[Deployment, Deployment], ...]:
        """Each way back, oldest first, with the new deployment that ran until then."""
        pairs = ((one, introduced(one, self._by_service[one.service])) for one in self.every if one.kind is Kind.BACK)
        return tuple((back, new) for back, new in pairs if new is not None)

    def of(self, bake: Bake) -> tuple[Deployment, ...]:
        """The new deployments that this watch was over."""
        found = (d for id in bake.changes for d in self._by_change.get(id, ()))
        return tuple(d for d in dict.fromkeys(found) if d.kind is Kind.NEW and d.service == bake.service)


def _names(blame: Blame, deployment: Deployment) -> bool:
    if blame.version and deployment.version:
        return blame.version == deployment.version
    return len(blame.commit) >= 7 and deployment.commit[:7] == blame.commit[:7]


def failures(known: Known, blames: Sequence[Blame], bakes: Sequence[Bake]) -> Mapping[Deployment, Failed]:
    """The new deployments that failed, each with the first reason that holds."""
    found: dict[Deployment, Failed] = {}
    for blame in sorted(blames, key=lambda b: not b.confirmed):
        for one in known.blamed(blame):
            found.setdefault(one, Failed.CONFIRMED if blame.confirmed else Failed.CONVICTED)
    for _, one in known.taken_back():
        found.setdefault(one, Failed.ROLLED_BACK)
    for bake in bakes:
        if bake.verdict is BakeVerdict.SUSPECT:
            for one in known.of(bake):
                found.setdefault(one, Failed.SUSPECT)
    return found


def recoveries(known: Known, blames: Sequence[Blame]) -> Mapping[Deployment, datetime]:
    """When failed deployments did no harm any more: their last incident was over; without one, they were taken back.

    One with an incident that is still open is not in it, nor one that only did not settle in: there is no such moment.
    """
    guilty: dict[Deployment, list[datetime | None]] = {}
    for blame in blames:
        for one in known.blamed(blame):
            guilty.setdefault(one, []).append(blame.resolved_at)
    found: dict[Deployment, datetime] = {}
    for back, one in known.taken_back():
        if one not in guilty:
            found.setdefault(one, back.at)
    for one, ends in guilty.items():
        over = [end for end in ends if end is not None]
        if len(over) == len(ends):
            found[one] = max(over)
    return found
