"""What vendors report becomes deployments: a new version counts, a way back and the same version again are told apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.change import Change, ChangeKind
from bot.domain.delivery import Deployment, Kind

ONE = timedelta(minutes=3)  # reports of different vendors that lie so close are of one deployment
SAME = timedelta(hours=1)  # ... and so close if they name the same version
RAN = frozenset({ActionStatus.SUCCEEDED, ActionStatus.ROLLED_BACK})  # what such an action brought did run


@dataclass(frozen=True, slots=True)
class _Report:
    service: str
    at: datetime
    version: str
    commit: str
    repository: str
    teller: str
    change: str
    back: bool = False  # it is known to be a way back


def deployments(changes: Iterable[Change], actions: Iterable[Action], environment: str) -> tuple[Deployment, ...]:
    """The deployments of one environment, by time. Only what reached it counts, and only the kind `deploy`.

    An action of ours that no vendor reported is a deployment too. `changes` should begin some weeks before the span that is
    looked at: what ran before then is not known.
    """
    reports: dict[str, list[_Report]] = {}
    for change in changes:
        if change.shipped and change.kind is ChangeKind.DEPLOY and change.environment in ("", environment):
            for service in dict.fromkeys(change.services):
                one = _Report(service, change.at, change.version, change.commit, change.repository, change.connector, change.id)
                reports.setdefault(service, []).append(one)
    for action in actions:
        if action.status in RAN and action.environment == environment:
            _told_by_us(action, reports.setdefault(action.service, []))
    found = [one for every in reports.values() for one in _of_service(sorted(every, key=lambda r: (r.at, r.change)))]
    return tuple(sorted(found, key=lambda d: (d.at, d.service)))


def _told_by_us(action: Action, reports: list[_Report]) -> None:
    """An action marks the vendor's report of it as a way back, or stands in for it where there is none."""
    back = action.kind is ActionKind.ROLLBACK
    target = action.plan.target_version if action.plan and not action.target else action.target
    commit = action.plan.target_commit if action.plan else ""
    near = [
        n
        for n, r in enumerate(reports)
        if action.created_at - ONE <= r.at <= action.updated_at + SAME and _same(r.version, r.commit, target, commit)
    ]
    if near:
        reports[near[0]] = replace(reports[near[0]], back=back or reports[near[0]].back)
        return
    reports.append(_Report(action.service, action.updated_at, target, commit, "", "tocsin", f"action:{action.id}", back))


def _same(version: str, commit: str, other_version: str, other_commit: str) -> bool:
    if version and version == other_version:
        return True
    short = min(len(commit), len(other_commit))
    return short >= 7 and commit[:short] == other_commit[:short]


def _of_service(reports: Sequence[_Report]) -> list[Deployment]:
    """One service's deployments, oldest first; each version's rank is when it first ran."""
    found: list[Deployment] = []
    tellers: set[str] = set()
    for report in reports:
        current = found[-1] if found else None
        if current is not None and _one(current, report, tellers):
            found[-1] = _joined(current, report, found[:-1])
            tellers.add(report.teller)
            continue
        tellers = {report.teller}
        made = Deployment(
            report.service, report.at, report.version, report.commit, report.repository, Kind.NEW, (report.change,),
            current.commit if current else "",
        )  # fmt: skip
        found.append(replace(made, kind=Kind.BACK if report.back else _kind(made, found)))
    return found


def _joined(current: Deployment, report: _Report, before: Sequence[Deployment]) -> Deployment:
    """The deployment with what one more vendor tells of it; what it brought may only be known now."""
    more = replace(
        current,
        version=current.version or report.version,
        commit=current.commit or report.commit,
        repository=current.repository or report.repository,
        changes=(*current.changes, report.change),
    )
    back = report.back or current.kind is Kind.BACK
    return replace(more, kind=Kind.BACK if back else _kind(more, before))


def _one(current: Deployment, report: _Report, tellers: set[str]) -> bool:
    """Another vendor tells of the deployment that is known already."""
    if report.teller in tellers:
        return False
    late = report.at - current.at
    return late <= ONE or (late <= SAME and _same(current.version, current.commit, report.version, report.commit))


def _kind(one: Deployment, before: Sequence[Deployment]) -> Kind:
    rank = next((n for n, d in enumerate(before) if _same(d.version, d.commit, one.version, one.commit)), None)
    if rank is None:
        return Kind.NEW
    return Kind.BACK if rank < _rank(before[-1], before) else Kind.AGAIN


def _rank(deployment: Deployment, before: Sequence[Deployment]) -> int:
    """When this version first ran, in the order of the service's deployments."""
    return next(
        n
        for n, d in enumerate(before)
        if d is deployment or _same(d.version, d.commit, deployment.version, deployment.commit)
    )  # fmt: skip


def introduced(deployment: Deployment, every: Sequence[Deployment]) -> Deployment | None:
    """The new deployment that brought the version which ran right before this one; None if that was before all we know."""
    mine = [d for d in every if d.service == deployment.service and d.at < deployment.at]
    if not mine:
        return None
    ran = mine[-1]
    if ran.kind is Kind.NEW:
        return ran
    return next((d for d in mine if d.kind is Kind.NEW and _same(d.version, d.commit, ran.version, ran.commit)), None)
