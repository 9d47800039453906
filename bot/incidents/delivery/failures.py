"""Which deployments failed: they caused an incident, were taken back, or did not settle in."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.delivery import Blame, Deployment, Failed, Kind
from bot.domain.watch import Bake, BakeVerdict
from bot.incidents.delivery.deployments import introduced

AHEAD = timedelta(minutes=15)  # an alert may be dated before the report of the deployment that caused it


def failures(every: Sequence[Deployment], blames: Sequence[Blame], bakes: Sequence[Bake]) -> Mapping[Deployment, Failed]:
    """The new deployments that failed, each with the first reason that holds."""
    found: dict[Deployment, Failed] = {}
    for blame in sorted(blames, key=lambda b: not b.confirmed):
        guilty = blamed(blame, every)
        for one in guilty:
            found.setdefault(one, Failed.CONFIRMED if blame.confirmed else Failed.CONVICTED)
    for one in every:
        if one.kind is Kind.BACK and (taken := introduced(one, every)) is not None:
            found.setdefault(taken, Failed.ROLLED_BACK)
    suspect = {id for bake in bakes if bake.verdict is BakeVerdict.SUSPECT for id in bake.changes}
    by_service = {bake.service for bake in bakes if bake.verdict is BakeVerdict.SUSPECT}
    for one in every:
        if one.kind is Kind.NEW and one.service in by_service and suspect & {*one.changes}:
            found.setdefault(one, Failed.SUSPECT)
    return found


def blamed(blame: Blame, every: Sequence[Deployment]) -> tuple[Deployment, ...]:
    """The deployments that this change is: by its id, of the service that is named if it shipped several; else by version."""
    by_id = [d for d in every if d.kind is Kind.NEW and blame.change_id in d.changes]
    mine = [d for d in by_id if d.service == blame.service]
    if by_id:
        return tuple(mine or by_id)
    late = blame.opened_at + AHEAD
    named = [d for d in every if d.kind is Kind.NEW and d.service == blame.service and d.at <= late and _names(blame, d)]
    return tuple(named[-1:])


def _names(blame: Blame, deployment: Deployment) -> bool:
    if blame.version and deployment.version:
        return blame.version == deployment.version
    return len(blame.commit) >= 7 and deployment.commit[:7] == blame.commit[:7]


def recovered(deployment: Deployment, every: Sequence[Deployment], blames: Sequence[Blame]) -> datetime | None:
    """When a failed deployment did no harm any more: its last incident was over, or before that it was taken back; None: not yet.

    One that did not settle in, without an incident and without a way back, has no such moment.
    """
    mine = [b for b in blames if deployment in blamed(b, every)]
    if mine:
        ends = [b.resolved_at for b in mine if b.resolved_at is not None]
        return max(ends) if len(ends) == len(mine) else None
    return next(
        (d.at for d in every if d.kind is Kind.BACK and d.at > deployment.at and introduced(d, every) == deployment), None
    )
