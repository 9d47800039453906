"""How dangerous a plan is, with every reason that counts, and what people should know besides."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.actions.planning.around import Surroundings, Vicinity
from bot.domain.action import Action, ActionKind, CommitCheck, Risk
from bot.domain.change import Commit, Version
from bot.domain.service import Service

MIGRATION = re.compile(r"(^|/)(migrations?|alembic|flyway|liquibase|db/migrate)(/|$)|\.sql$", re.IGNORECASE)
LONG_AGO = timedelta(days=14)
MANY_COMMITS = 20
ORDER = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about an action, to be judged."""

    action: Action
    service: Service
    target: Version
    commits: tuple[Commit, ...]  # that ship with the service
    files: tuple[str, ...]
    checks: tuple[CommitCheck, ...]
    unasked: tuple[str, ...]
    vicinity: Vicinity
    knobs: tuple[str, ...] = ()  # past incidents that began with the same knob, each for people

    @property
    def migrations(self) -> tuple[str, ...]:
        """The files that change a database."""
        return tuple(f for f in self.files if MIGRATION.search(f))


def judge_risk(found: Found) -> tuple[Risk, tuple[str, ...]]:
    """The highest of the single risks, with every reason that counts, the gravest first."""
    reasons = [*_of_the_change(found)]
    if found.action.kind is ActionKind.DEPLOY:  # a way back is mostly wanted because of what goes on around it
        reasons += _of_the_moment(found)
    if found.unasked:
        many = f" and {len(found.unasked) - 1} more" if found.unasked[1:] else ""
        reasons.append((Risk.MEDIUM, f"not everything could be asked ({found.unasked[0].partition(':')[0]}{many})"))
    if not reasons:
        ran, well = found.target.deployed_at is not None, " and was healthy" if found.target.healthy else ""
        known = f"{found.target.version} ran here before{well}" if ran or well else "nothing speaks against it"
        return Risk.LOW, (known,)
    reasons.sort(key=lambda one: -ORDER.index(one[0]))
    return reasons[0][0], tuple(reason for _, reason in reasons)


def _of_the_change(found: Found) -> list[tuple[Risk, str]]:
    """What lies in the versions themselves."""
    action, target = found.action, found.target
    reasons: list[tuple[Risk, str]] = []
    if found.migrations:
        reasons.append((Risk.HIGH, f"a database migration lies between the versions ({found.migrations[0]})"))
    if len(found.commits) > MANY_COMMITS:
        reasons.append((Risk.HIGH, f"{len(found.commits)} commits at once"))
    if target.healthy is None and target.deployed_at is None:  # most vendors know that it ran, and not whether it was well
        seen = "was never seen healthy here" if action.kind is ActionKind.ROLLBACK else "has not run here yet"
        reasons.append((Risk.MEDIUM, f"{target.version} {seen}"))
    return reasons


def _of_the_moment(found: Found) -> list[tuple[Risk, str]]:
    """What makes it a bad moment, or a bad commit, for something new."""
    service, vicinity = found.service, found.vicinity
    reasons: list[tuple[Risk, str]] = []
    if service.tier == 1:
        reasons.append((Risk.MEDIUM, f"{service.name} is a tier 1 service"))
    if vicinity.own_incidents:
        reasons.append((Risk.HIGH, f"{vicinity.own_incidents[0].key} is open on {service.name}"))
    if vicinity.hurt_neighbours:
        reasons.append((Risk.MEDIUM, f"an incident is open on its neighbour {vicinity.hurt_neighbours[0]}"))
    if vicinity.running:
        whose = (Risk.HIGH, service.name) if vicinity.own_running else (Risk.MEDIUM, "a neighbour")
        reasons.append((whose[0], f"another deployment of {whose[1]} has not ended"))
    failed = [c.name for c in found.checks if c.passed is False]
    if failed:
        grave = any(c.required for c in found.checks if c.passed is False)
        reasons.append((Risk.HIGH if grave else Risk.MEDIUM, f"failed checks: {', '.join(failed[:3])}"))
    if waited := [c.name for c in found.checks if c.required and c.passed is None]:
        reasons.append((Risk.MEDIUM, f"required checks have not passed: {', '.join(waited[:3])}"))
    reasons += [(Risk.HIGH, knob) for knob in found.knobs[:2]]
    return reasons


def warn(found: Found, between: Sequence[Commit], around: Surroundings, now: datetime) -> tuple[str, ...]:
    """What people should know besides the risk; `between` are all commits that a repository told of."""
    action, target = found.action, found.target
    told: list[str] = []
    if found.migrations and action.kind is ActionKind.ROLLBACK:
        told.append("The code goes back, the database does not: check that the old version can read the new schema.")
    others = [a for a in around.unfinished if a.id != action.id and a.environment == action.environment]
    told += [f"A {a.kind.value} of {a.service} to {a.target} is {a.status.value}." for a in others if a.service == action.service]
    busy = [a for a in others if a.service != action.service]
    if busy:
        told.append(f"Also under way here: {', '.join(f'{a.service} to {a.target}' for a in busy[:3])}.")
    if target.deployed_at is not None and now - target.deployed_at > LONG_AGO:
        told.append(f"{target.version} last started {(now - target.deployed_at).days} days ago.")
    if not target.commit and found.service.repository and action.kind is ActionKind.DEPLOY:
        told.append(f"Nobody knows the commit of {target.version}, so neither commits nor checks can be told.")
    if not between and target.commit:
        told.append("No repository could tell the commits between the two versions.")
    return (*told, *found.vicinity.warnings)
