"""Who may lock what, for how long, and who may take a lock away."""

from datetime import datetime, timedelta

from bot.actions.policy import Policies, Rule, Ruling, World
from bot.actions.policy.rules import spelt
from bot.domain.action import ActionKind
from bot.domain.lock import EVERYTHING, Lock
from bot.domain.service import Service

LONGEST = timedelta(days=7)


def may_lock(person: str, service: Service, environment: str, world: World) -> Ruling:
    """A service is locked by whoever may ask for or approve something there; an environment by whoever may approve there."""
    whole = service.name == EVERYTHING
    rules = _rules(service, environment, world.policies, whole=whole)
    groups = tuple(dict.fromkeys(g for r in rules for g in (*(() if whole else r.request), *r.approve)))
    where = environment if whole else f"{service.name} in {environment}"
    names = ", ".join(dict.fromkeys(r.name for r in rules))
    if not rules:
        return Ruling(False, "", f"No rule of policies.yaml speaks about {where}, so nobody may lock it; add one")
    deed = "freeze" if whole else "lock"
    if world.policies.is_in(person, groups, world.groups_of(person)):
        return Ruling(True, names, f"{spelt(groups)} may {deed} {where}")
    return Ruling(False, names, f"Only {spelt(groups)} may {deed} {where}", world.policies.members(groups), "Ask one of them.")


def may_take(lock: Lock, there: Lock | None, now: datetime) -> Ruling:
    """A lock may be set where none is held, or where one's own is."""
    if there is None or not there.held(now) or there.owner == lock.owner:
        return Ruling(True, "", "nobody else holds it")
    did = "frozen" if lock.freezes else "locked"
    reason = f"{there.owner} has {did} it already until {there.until:%Y-%m-%d %H:%M} UTC: {there.reason}"
    return Ruling(False, "locks", reason, (there.owner,), "Wait, or ask them.", (there.owner,))


def may_unlock(person: str, lock: Lock, service: Service, reason: str, world: World) -> Ruling:
    """Its owner may; others may who override locks, and say why."""
    if person == lock.owner:
        return Ruling(True, "", "it is their own")
    what = f"This {'freeze' if lock.freezes else 'lock'} is of {lock.owner}"
    override = world.policies.file.locks.override
    if override is None:
        rules = _rules(service, lock.environment, world.policies, whole=lock.freezes)
        override = tuple(dict.fromkeys(g for r in rules for g in r.approve))
    if not world.policies.is_in(person, override, world.groups_of(person)):
        only = f"{what}; only they and {spelt(override)} may end it"
        able = tuple(dict.fromkeys((lock.owner, *world.policies.members(override))))
        return Ruling(False, "locks", only, able, "Ask one of them, or wait until it ends.", (lock.owner,))
    if not reason.strip():
        return Ruling(False, "locks", what, (), 'Say why you end it: add "reason".', (lock.owner,))
    return Ruling(True, "locks", f"{spelt(override)} may override locks")


def _rules(service: Service, environment: str, policies: Policies, *, whole: bool) -> tuple[Rule, ...]:
    """The rules that speak about the service, or about the whole environment."""
    if whole:
        return tuple(r for r in policies.rules if {EVERYTHING, environment} & set(r.environments))
    found = (policies.rule_for(kind, service, environment) for kind in ActionKind)
    return tuple({r.name: r for r in found if r is not None}.values())
