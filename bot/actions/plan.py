"""What an action would do, from what was asked of the world just now; nothing is assumed and nothing is changed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from bot.actions.planning.matter import plan_hash
from bot.domain.action import Action, ActionKind, Plan, Risk
from bot.domain.change import Change, Commit, Version
from bot.domain.incident import Incident
from bot.domain.service import Catalogue, Service
from bot.errors import IllegalMove, NotFound
from bot.ports import ChangeSource, Deployer
from bot.redact import clean, redact

MIGRATION = re.compile(r"(^|/)(migrations?|alembic|flyway|liquibase|db/migrate)(/|$)|\.sql$", re.IGNORECASE)
LONG_AGO = timedelta(days=14)
MANY_COMMITS = 20
ANY_TARGET = ""  # the action does not say which version; the plan does
ORDER = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else goes on: other actions that have not ended, and live incidents."""

    unfinished: tuple[Action, ...] = ()
    incidents: tuple[Incident, ...] = ()


def known_service(name: str, catalogue: Catalogue) -> Service:
    """The service of this name or alias that we can deploy. Raises NotFound naming the closest ones."""
    service = catalogue.resolve(name)
    if service is None:
        every = sorted({*catalogue.services, *(a for s in catalogue.services.values() for a in s.aliases)})
        close = get_close_matches(name, every, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known are: {', '.join(every[:15]) or 'none'}."
        raise NotFound(f"There is no service {name[:80]!r}; {hint}")
    if service.external:
        raise NotFound(f"{service.name} is not ours; there is nothing of it that can be deployed or rolled back.")
    if not service.deployer:
        raise NotFound(f"{service.name} has no deployer; name one for it in services.yaml (`deployer:`).")
    return service


async def make_plan(
    action: Action,
    deployer: Deployer,
    change_sources: Sequence[ChangeSource],
    catalogue: Catalogue,
    changes: Sequence[Change],
    around: Surroundings,
    now: datetime,
) -> Plan:
    """The plan of an action whose `target` may be ANY_TARGET; `plan.target_version` says which version it is.

    `changes` are what was shipped lately. Raises NotFound or IllegalMove with a sentence for people, Unavailable if the
    deployer cannot be asked.
    """
    service = known_service(action.service, catalogue)
    current = await deployer.current(service.name, action.environment)
    history = await deployer.versions(service.name, action.environment)
    target = _target(action, current, history, changes)
    base, head = (current, target) if action.kind is ActionKind.DEPLOY else (target, current)
    commits = await _between(service.repository, base.commit, head.commit, change_sources)
    mine = tuple(_to_be_shown(c) for c in _shipped_with(service, commits))
    files = tuple(dict.fromkeys(f for c in mine for f in c.files))
    risk, reasons = _risk(action, target, mine, files, service, around)
    plan = Plan(
        current_version=current.version,
        current_commit=current.commit,
        target_version=target.version,
        target_commit=target.commit,
        commits=mine,
        files=files,
        risk=risk,
        reasons=reasons,
        warnings=_warnings(action, target, commits, files, around, now),
        made_at=now,
    )
    return replace(plan, hash=plan_hash(action, plan))


def _target(action: Action, current: Version, history: Sequence[Version], changes: Sequence[Change]) -> Version:
    if action.target == ANY_TARGET:
        target = _before(current, history)
        if target is None:
            raise NotFound(
                f"No version of {action.service} in {action.environment} before {current.version} is known to have been healthy; "
                f"name one: /rollback {action.service} <version>."
            )
        return target
    if action.target == current.version:
        raise IllegalMove(f"{action.service} {current.version} runs in {action.environment} already; there is nothing to do.")
    target = next((v for v in history if v.version == action.target), None)
    if action.kind is ActionKind.ROLLBACK and target is None:
        ran = ", ".join(v.version for v in history[:8]) or "none"
        raise NotFound(f"{action.service} {action.target} never ran in {action.environment}; those that did: {ran}.")
    if action.kind is ActionKind.ROLLBACK and target is not None and target.healthy is False:
        raise IllegalMove(
            f"{action.service} {action.target} was never seen healthy in {action.environment}; name another version."
        )
    return target or _announced(action, changes)


def _before(current: Version, history: Sequence[Version]) -> Version | None:
    """The newest healthy version before the current one; where nobody tells health, the newest not known to be bad."""
    at = next((n for n, v in enumerate(history) if v.version == current.version), -1)
    earlier = [v for v in history[at + 1 :] if v.version != current.version and v.healthy is not False]
    return next((v for v in earlier if v.healthy), earlier[0] if earlier else None)


def before_guilty(guilty: str, history: Sequence[Version]) -> str:
    """The newest healthy version before the guilty one, or "" if nobody knows one; `history` is newest first."""
    if all(v.version != guilty for v in history):
        return ""
    found = _before(Version(guilty), history)
    return found.version if found else ""


def _announced(action: Action, changes: Sequence[Change]) -> Version:
    """A version that never ran here, with the commit that some change event told of it."""
    told = [c for c in changes if action.service in c.services and c.version == action.target and c.commit]
    return Version(action.target, commit=told[-1].commit if told else "")


async def _between(repository: str, base: str, head: str, sources: Sequence[ChangeSource]) -> tuple[Commit, ...]:
    if not (repository and base and head) or base == head:
        return ()
    for source in sources:
        if found := await source.between(repository, base, head):
            return found
    return ()


def _shipped_with(service: Service, commits: Sequence[Commit]) -> tuple[Commit, ...]:
    """The commits that touch what ships with the service; all where nobody said what does."""
    if not service.paths:
        return tuple(commits)
    mine = Catalogue({service.name: service})
    return tuple(c for c in commits if not c.files or mine.shipping(service.repository, c.files))


def _to_be_shown(commit: Commit) -> Commit:
    """The commit as a plan keeps and shows it: nothing secret in its words and its files' names, and no diff."""
    files = tuple(redact(clean(file)) for file in commit.files)
    return replace(commit, author=redact(clean(commit.author)), message=redact(clean(commit.message)), files=files, diff="")


def _risk(
    action: Action,
    target: Version,
    commits: Sequence[Commit],
    files: Sequence[str],
    service: Service,
    around: Surroundings,
) -> tuple[Risk, tuple[str, ...]]:
    """The highest of the single risks, with every reason that counts."""
    found: list[tuple[Risk, str]] = []
    if migrations := [f for f in files if MIGRATION.search(f)]:
        found.append((Risk.HIGH, f"a database migration lies between the versions ({migrations[0]})"))
    if len(commits) > MANY_COMMITS:
        found.append((Risk.HIGH, f"{len(commits)} commits at once"))
    if target.healthy is None:
        seen = "was never seen healthy here" if action.kind is ActionKind.ROLLBACK else "has not run here yet"
        found.append((Risk.MEDIUM, f"{target.version} {seen}"))
    if service.tier == 1 and action.kind is ActionKind.DEPLOY:
        found.append((Risk.MEDIUM, f"{service.name} is a tier 1 service"))
    hurt = [i.key for i in around.incidents if service.name in i.services and i.id != action.incident_id]
    if hurt and action.kind is ActionKind.DEPLOY:
        found.append((Risk.HIGH, f"{hurt[0]} is open on {service.name}"))
    if not found:
        known = f"{target.version} ran here before and was healthy" if target.healthy else "nothing speaks against it"
        return Risk.LOW, (known,)
    return max((r for r, _ in found), key=ORDER.index), tuple(reason for _, reason in found)


def _warnings(
    action: Action,
    target: Version,
    commits: Sequence[Commit],
    files: Sequence[str],
    around: Surroundings,
    now: datetime,
) -> tuple[str, ...]:
    found: list[str] = []
    migrations = [f for f in files if MIGRATION.search(f)]
    if migrations and action.kind is ActionKind.ROLLBACK:
        found.append("The code goes back, the database does not: check that the old version can read the new schema.")
    others = [a for a in around.unfinished if a.id != action.id and a.environment == action.environment]
    found += [
        f"A {a.kind.value} of {a.service} to {a.target} is {a.status.value}." for a in others if a.service == action.service
    ]
    busy = [a for a in others if a.service != action.service]
    if busy:
        found.append(f"Also under way here: {', '.join(f'{a.service} to {a.target}' for a in busy[:3])}.")
    if target.deployed_at is not None and now - target.deployed_at > LONG_AGO:
        found.append(f"{target.version} last started {(now - target.deployed_at).days} days ago.")
    if not commits and target.commit:
        found.append("No repository could tell the commits between the two versions.")
    return tuple(found)
