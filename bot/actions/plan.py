"""What an action would do, from what was asked of the world just now; nothing is assumed and nothing is changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.actions.planning.around import Surroundings, look_around, reached
from bot.actions.planning.asking import Patience, ask_around, ask_versions, told_checks, with_commit
from bot.actions.planning.choosing import (
    ANY_TARGET,
    NONE_TAKEN,
    before_guilty,
    choose_target,
    known_service,
    taken_out,
    without_taken_out,
)
from bot.actions.planning.judging import Found, judge_risk, warn
from bot.actions.planning.matter import plan_hash, plan_matter
from bot.domain.action import Action, ActionKind, CommitCheck, Plan
from bot.domain.change import Change, Commit
from bot.domain.service import Catalogue, Service
from bot.ports import ChangeSource, CommitChecks, Deployer, Order
from bot.redact import clean, redact

__all__ = [
    "ANY_TARGET",
    "Patience",
    "Surroundings",
    "Wanted",
    "before_guilty",
    "known_service",
    "make_plan",
    "plan_hash",
    "plan_matter",
    "taken_out",
    "without_taken_out",
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What else a plan looks at, and for how long it waits.

    `required` are the names of checks by the policy, `checkers` who can be asked for the checks of a commit; `same_knobs` says
    which past incidents began with what these commits (with their diffs) turn again, in words for people. `taken` are the
    versions that were rolled back there, each with when.
    """

    required: tuple[str, ...] = ()
    checkers: Collection[CommitChecks] = ()
    same_knobs: Callable[[Sequence[Commit], Service], tuple[str, ...]] | None = None
    patience: Patience = field(default_factory=Patience)
    taken: Mapping[str, datetime] = field(default_factory=lambda: NONE_TAKEN)


async def make_plan(
    action: Action,
    deployer: Deployer,
    change_sources: Sequence[ChangeSource],
    catalogue: Catalogue,
    changes: Sequence[Change],
    around: Surroundings,
    now: datetime,
    wanted: Wanted = Wanted(),
) -> Plan:
    """The plan of an action whose `target` may be ANY_TARGET; `plan.target_version` says which version it is.

    `changes` are what was shipped lately. Raises NotFound or IllegalMove with a sentence for people, and what the deployer
    raises where it cannot say what runs; whoever else does not answer is told in the plan.
    """
    service = known_service(action.service, catalogue)
    current, history = await ask_versions(service.name, action.environment, deployer, wanted.patience.deployer)
    target = choose_target(action, current, history, changes, wanted.taken)
    ran = any(v.version == target.version and v.commit for v in history)
    target, unheard = (target, ()) if ran else await with_commit(target, service.name, deployer, wanted.patience.forge)
    base, head = (current, target) if action.kind is ActionKind.DEPLOY else (target, current)
    answers = await ask_around(
        Order(service.name, action.environment, target.version, action.id, target.commit),
        service.repository,
        (base.commit, head.commit),
        deployer,
        change_sources,
        wanted.checkers,
        told_checks(target.commit, changes),
        wanted.patience,
    )
    shipped = _shipped_with(service, answers.commits)
    mine = tuple(_to_be_shown(c) for c in shipped)
    found = Found(
        action=action,
        service=service,
        target=target,
        commits=mine,
        files=tuple(dict.fromkeys(f for c in mine for f in c.files)),
        checks=_checks(answers.checks or {}, wanted.required),
        unasked=(*unheard, *answers.unasked),
        vicinity=look_around(action, service, catalogue, changes, around, now),
        knobs=wanted.same_knobs(shipped, service) if wanted.same_knobs and action.kind is ActionKind.DEPLOY else (),
    )
    risk, reasons = judge_risk(found)
    plan = Plan(
        current_version=current.version,
        current_commit=current.commit,
        target_version=target.version,
        target_commit=target.commit,
        commits=mine,
        files=found.files,
        risk=risk,
        reasons=reasons,
        warnings=warn(found, answers.commits, around, now),
        made_at=now,
        migrations=found.migrations,
        checks=found.checks,
        nearby=found.vicinity.nearby,
        running=found.vicinity.running,
        unasked=found.unasked,
        rehearsal=answers.rehearsal,
        impact=reached(service, catalogue),
        named=found.vicinity.named,
    )
    return replace(plan, hash=plan_hash(action, plan))


def _checks(known: Mapping[str, bool], required: Sequence[str]) -> tuple[CommitCheck, ...]:
    """The required ones first, then those that failed; a required one that nobody knows has not passed."""
    needed = [CommitCheck(name, known.get(name), required=True) for name in dict.fromkeys(required)]
    others = [CommitCheck(name, passed) for name, passed in sorted(known.items()) if name not in required]
    return (*needed, *sorted(others, key=lambda c: c.passed is not False))


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
