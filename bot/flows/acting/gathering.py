"""What a plan is made from: one look at what is kept, then the questions to the world outside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.actions.plan import Patience, Surroundings, Wanted, before_guilty, make_plan, taken_out, without_taken_out
from bot.actions.policy import Policies, World, required_checks
from bot.domain.action import Action, ActionKind, ActionStatus, Plan
from bot.domain.change import Change, Commit, Version
from bot.domain.document import Document, DocumentKind
from bot.domain.service import Catalogue, Service
from bot.errors import IllegalMove, NotFound
from bot.flows.desk import Desk
from bot.flows.mapping.impacting import cause_of, past_causes
from bot.investigation.foresight import PastCause, same_knobs
from bot.ports import (
    ActionStore,
    ChangeSource,
    ChangeStore,
    Clock,
    CommitChecks,
    Database,
    Deployer,
    DiagnosisStore,
    IncidentStore,
    LockStore,
    Transaction,
    WatchStore,
)
from bot.redact import clean, redact

REMEMBERED = timedelta(days=30)  # how far back changes are asked which commit a version is
HASTE = 0.5  # of the time that a deployer's own dry run may take is for that of a way back: production may be down meanwhile
KNOBS = 3


@dataclass(frozen=True, slots=True)
class Means:
    """What a plan is made from; a desk has all of it, and a command needs no more. Without `db` nothing that is kept is told."""

    db: Database | None
    clock: Clock
    actions: ActionStore
    incidents: IncidentStore
    diagnoses: DiagnosisStore
    changes: ChangeStore
    locks: LockStore
    watches: WatchStore
    catalogue: Callable[[], Catalogue]
    policies: Callable[[], Policies]
    deployers: Mapping[str, Deployer]
    change_sources: Sequence[ChangeSource]
    documents: Callable[[], Iterable[Document]] = tuple
    patience: Patience = field(default_factory=Patience)


def means_of(desk: Desk) -> Means:
    """Those of a desk."""
    return Means(
        db=desk.db,
        clock=desk.clock,
        actions=desk.actions,
        incidents=desk.incidents,
        diagnoses=desk.diagnoses,
        changes=desk.changes,
        locks=desk.locks,
        watches=desk.watches,
        catalogue=desk.catalogue,
        policies=desk.policies,
        deployers=desk.deployers,
        change_sources=desk.change_sources,
        documents=lambda: desk.library.documents,
        patience=Patience(rehearsal=desk.limits.rehearse.total_seconds()),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of the surroundings of an action."""

    around: Surroundings = field(default_factory=Surroundings)
    changes: tuple[Change, ...] = ()
    past: tuple[PastCause, ...] = ()
    taken: Mapping[str, datetime] = field(default_factory=dict)


async def plan_of(action: Action, service: Service, means: Means, *, hurry: bool = False) -> Plan:
    """The plan of this action as of now; nothing is kept. In a hurry its deployer's dry run gets less time.

    Raises as `make_plan` does.
    """
    deployer = deployer_of(service, means)
    kept = await means.db.read(lambda tx: _look(tx, action, means)) if means.db else _Kept()
    rule = means.policies().rule_for(action.kind, service, action.environment)
    patience = means.patience
    wanted = Wanted(
        required=required_checks(action, rule) if rule else (),
        checkers=tuple(d for d in means.deployers.values() if isinstance(d, CommitChecks)),
        same_knobs=lambda commits, of: _knobs(commits, of, kept.past, means.documents()),
        patience=replace(patience, rehearsal=HASTE * patience.rehearsal) if hurry else patience,
        taken=kept.taken,
    )
    now = means.clock()
    return await make_plan(action, deployer, means.change_sources, means.catalogue(), kept.changes, kept.around, now, wanted)


async def world_beside(service: Service, means: Means) -> World:
    """What a decision about this service looks at, without anybody's groups; for a plan that nobody in the chat asked for."""
    now, policies = means.clock(), means.policies()
    if means.db is None:
        return World(policies, service, now)
    incidents, locks = await means.db.read(lambda tx: (means.incidents.live(tx), means.locks.held(tx, now)))
    return World(policies, service, now, incidents, locks)


def deployer_of(service: Service, means: Means | Desk) -> Deployer:
    """The deployer that services.yaml names for this service. Raises NotFound."""
    deployer = means.deployers.get(service.deployer)
    if deployer is None:
        known = ", ".join(means.deployers) or "none"
        raise NotFound(f"services.yaml gives {service.name} the deployer {service.deployer!r}; tocsin.toml has: {known}.")
    return deployer


async def ran_before(service: Service, environment: str, desk: Desk) -> tuple[Version, ...]:
    """The versions that ran there, newest first, as its deployer tells; those that were rolled back count as unhealthy."""
    history = await deployer_of(service, desk).versions(service.name, environment)
    return without_taken_out(history, await desk.db.read(lambda tx: _taken(tx, service.name, environment, desk)))


async def back_from(guilty: str, service: Service, environment: str, desk: Desk) -> str:
    """The version to go back to from a convicted one, "" if nobody knows one.

    Raises IllegalMove where the convicted one was rolled back already: going back further is for a person to ask for by name.
    """
    taken = await desk.db.read(lambda tx: _taken(tx, service.name, environment, desk))
    deployer = deployer_of(service, desk)
    if guilty in taken and (current := (await deployer.current(service.name, environment)).version) != guilty:
        raise IllegalMove(
            f"{service.name} {guilty} was rolled back in {environment} at {taken[guilty]:%Y-%m-%d %H:%M} UTC already; "
            f"{current} runs. To go back further: /rollback {service.name} <version> {environment}"
        )
    return before_guilty(guilty, without_taken_out(await deployer.versions(service.name, environment), taken))


def _look(tx: Transaction, action: Action, means: Means) -> _Kept:
    now = means.clock()
    around = Surroundings(
        tuple(a for a in means.actions.unfinished(tx) if a.status is not ActionStatus.PLANNED),
        means.incidents.live(tx),
        means.watches.bakes(tx),
        means.locks.held(tx, now),
    )
    fresh = action.kind is ActionKind.DEPLOY
    past = past_causes(tx, means.incidents, means.diagnoses) if fresh else ()
    taken = _taken(tx, action.service, action.environment, means)
    return _Kept(around, means.changes.between(tx, now - REMEMBERED, now), past, taken)


def _taken(tx: Transaction, service: str, environment: str, means: Means | Desk) -> Mapping[str, datetime]:
    now = means.clock()
    return taken_out(reversed(means.actions.between(tx, now - REMEMBERED, now, service=service, environment=environment)))


def _knobs(
    commits: Sequence[Commit], service: Service, past: Sequence[PastCause], documents: Iterable[Document]
) -> tuple[str, ...]:
    """What the commits turn that was turned when a past incident began."""
    there = {p.name for p in past}
    written = [cause_of(d) for d in documents if d.kind is DocumentKind.INCIDENT and d.name not in there]
    found = same_knobs(commits, [service.name], [*past, *written])
    return tuple(redact(clean(f"same knob as {k.incident}: {k.edit} in {k.path}"))[:200] for k in found[:KNOBS])
