"""The form for a deploy or rollback: what this person may choose from, and what is wrong with what they chose."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bot.actions.naming import named_environment, near
from bot.actions.plan import known_service
from bot.actions.policy import Moment, Ruling, decide
from bot.domain.action import Action, ActionKind, ActionStatus, Claim
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.deployments import Offer, OrderForm
from bot.domain.request import ChangeRequest, Person
from bot.domain.service import Service
from bot.errors import BotError, NotFound
from bot.flows.acting.proposing import VERSION
from bot.flows.desk import Desk
from bot.flows.locking.guarding import memberships, whereabouts, world_of
from bot.flows.locking.telling import supposed
from bot.ports import Transaction

ASKING = 5.0  # seconds that a deployer gets to tell its versions for a form
TYPING = 2.0  # ... while a person types: the chat waits for three
BELONGING = 1.0  # seconds that the chat gets to tell who is in which user group
REMEMBERED = timedelta(days=30)  # how far back versions are known that did not run here yet
MOST = 500
MADE = (ChangeKind.BUILD, ChangeKind.RELEASE)
EARLY = datetime.min.replace(tzinfo=UTC)
T = TypeVar("T")


async def order_form(kind: ActionKind, service: str, environment: str, person: Person, desk: Desk) -> OrderForm:
    """What the form offers this person. Without a service no deployer is asked, so that it can open at once."""
    catalogue, groups = desk.catalogue(), await _soon(memberships([person.id], desk), BELONGING)
    able = [s for s in catalogue.services.values() if s.deployer in desk.deployers]

    def places(service: Service) -> tuple[str, ...]:
        """Where this person may ask; everywhere if nobody could say who they are: it is weighed again when they send it."""
        if groups is None:
            return service.environments
        theirs = groups.get(person.id, frozenset())
        return tuple(e for e in service.environments if _may_ask(kind, service, e, person, theirs, desk))

    mine = {s.name: found for s in able if (found := places(s))}
    everywhere = tuple(dict.fromkeys(e for found in mine.values() for e in found)) or (desk.default_environment,)
    glass = groups is None or desk.policies().may_break_glass(person.id, groups.get(person.id, frozenset()))
    form = OrderForm(
        kind,
        tuple(mine),
        everywhere,
        environment or desk.default_environment,
        claims=tuple(c for c in Claim if c is not Claim.BREAK_GLASS or glass),
        trouble="" if mine else _none(kind, able),
    )
    chosen = catalogue.resolve(service) if service else None
    if chosen is None or chosen.name not in mine:
        return form
    offered = mine[chosen.name]
    where = form.environment if form.environment in offered else offered[0]
    return await _with_versions(replace(form, service=chosen.name, environments=offered, environment=where), chosen, desk)


def _none(kind: ActionKind, able: list[Service]) -> str:
    if not able:
        return f"No service of services.yaml has a deployer, so there is nothing to {kind.value}."
    return f"There is no service of which you may ask for a {kind.value}. `/deploy explain {able[0].name}` tells why."


def _may_ask(kind: ActionKind, service: Service, environment: str, person: Person, chat: frozenset[str], desk: Desk) -> bool:
    wish = supposed(kind, service.name, environment, person.id, desk.clock())
    policies = desk.policies()
    return policies.may_request(person.id, wish, service, chat).allowed or policies.may_break_glass(person.id, chat)


async def _with_versions(form: OrderForm, service: Service, desk: Desk) -> OrderForm:
    """The form with the versions that exist; without, if the deployer cannot say so in time: the person may type it."""
    deployer = desk.deployers[service.deployer]

    async def ask() -> tuple[tuple[Offer, ...], str]:
        ran = await deployer.versions(form.service, form.environment)
        current = await deployer.current(form.service, form.environment)
        return tuple(Offer(v.version, v.deployed_at, v.healthy) for v in ran if v.version), current.version

    ran, current = await _soon(ask(), ASKING) or ((), "")
    told = await _announced(form.service, desk) if form.kind is ActionKind.DEPLOY else ()
    return replace(form, versions=merged(ran, told), current=current)


async def versions_like(kind: ActionKind, service: str, environment: str, typed: str, desk: Desk) -> tuple[Offer, ...]:
    """The versions that hold what a person has typed so far, newest first; none where nobody can say so in time."""
    known = desk.catalogue().resolve(service)
    deployer = desk.deployers.get(known.deployer) if known else None
    if known is None or deployer is None:
        return ()
    found = await _soon(deployer.versions(known.name, environment), TYPING) or ()
    ran = tuple(Offer(v.version, v.deployed_at, v.healthy) for v in found if v.version)
    told = await _announced(known.name, desk) if kind is ActionKind.DEPLOY else ()
    return tuple(o for o in merged(ran, told) if typed.strip().lower() in o.version.lower())


def merged(ran: Iterable[Offer], told: Iterable[Offer]) -> tuple[Offer, ...]:
    """Each version once, what is known of its run here first; newest first, those without a time as the deployer tells them."""
    by_version = {o.version: o for o in (*told, *ran)}
    kept = list(dict.fromkeys([*(o.version for o in ran), *(o.version for o in told)]))
    return tuple(sorted((by_version[v] for v in kept), key=lambda o: o.at or EARLY, reverse=True)[:MOST])


async def _announced(service: str, desk: Desk, kinds: Collection[ChangeKind] = tuple(ChangeKind)) -> tuple[Offer, ...]:
    """Versions that some tool told of: built, released, or running elsewhere."""

    def look(tx: Transaction) -> tuple[Change, ...]:
        now = desk.clock()
        return desk.changes.between(tx, now - REMEMBERED, now)

    told = [c for c in await desk.db.read(look) if service in c.services and c.kind in kinds]
    fit = [c for c in told if c.status is ChangeStatus.SUCCEEDED and VERSION.fullmatch(c.version)]
    return tuple({c.version: Offer(c.version, c.at, ran=False) for c in fit}.values())


async def check_order(asked: ChangeRequest, desk: Desk) -> Mapping[str, str]:
    """What is wrong with a form, by field: "service", "environment", "version" or "reason". No deployer is asked."""
    try:
        service = known_service(asked.service, desk.catalogue())
    except NotFound as error:
        return {"service": error.for_people}
    if service.deployer not in desk.deployers:
        return {"service": f"{service.name} has no deployer that Tocsin knows; see services.yaml and [deployers]."}
    try:
        environment = named_environment(asked.environment or desk.default_environment, service)
    except NotFound as error:
        return {"environment": error.for_people}
    if asked.version and not VERSION.fullmatch(asked.version):
        return {"version": "Letters, digits and . _ + / - only, at most 128."}
    if asked.kind is ActionKind.DEPLOY and not asked.version:
        return {"version": "Which version?"}
    if asked.claim and not asked.reason.strip():
        return {"reason": f"Say why: a claim of {asked.claim.value} needs a reason, which is written down."}
    ruling = await _soon(_ruled(asked, service, environment, desk), BELONGING)
    if ruling is None or ruling.allowed or ruling.named:  # whose name is in the text is told in a message, which shows it
        return {}
    return {"service": f"{ruling.reason}. {ruling.advice}".strip()}


async def _ruled(asked: ChangeRequest, service: Service, environment: str, desk: Desk) -> Ruling:
    groups, here = await memberships([asked.person.id], desk), await whereabouts(asked.channel, desk)
    now = desk.clock()
    wish = Action(
        id="",
        kind=asked.kind,
        service=service.name,
        environment=environment,
        target=asked.version,
        status=ActionStatus.PROPOSED,
        requested_by=asked.person.id,
        created_at=now,
        updated_at=now,
        claim=asked.claim,
        claim_reason=asked.reason if asked.claim else "",
    )
    moment = Moment.PLAN if asked.dry else Moment.REQUEST
    return await desk.db.read(lambda tx: decide(wish, asked.person.id, moment, world_of(tx, service, groups, desk, here)))


async def unknown_version(action: Action, desk: Desk) -> str:
    """What is said of a version that no build and no release told of, where such are told of and one is close; else ""."""
    if action.kind is not ActionKind.DEPLOY or action.plan is None or action.plan.target_commit:
        return ""
    made = [o.version for o in await _announced(action.service, desk, MADE)]
    if not made or action.target in made:
        return ""
    close = near(action.target, (*made, action.plan.current_version))
    return f" No build of {action.target} was told of; did you mean {' or '.join(close)}?" if close else ""


async def _soon(asked: Awaitable[T], seconds: float) -> T | None:
    """The answer, or None where there is none in time."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except (BotError, TimeoutError):
        return None
