"""Somebody wants a deploy or a rollback, by command or by form: what can be wrong is said at once, the rest is planned."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from bot.actions.approvals import NotYours
from bot.domain.action import Action, ActionKind, ActionStatus, Claim
from bot.domain.incident import Incident
from bot.domain.request import ChangeRequest, CommandRequest
from bot.domain.view import NoteView, OrderForm, Place, Shown
from bot.errors import BotError
from bot.flows.acting.proposing import VERSION, propose
from bot.flows.desk import Desk
from bot.flows.locking.guarding import refusal
from bot.ports import Deployer, Transaction

ASKING = 5.0  # seconds that a deployer gets to tell its versions for a form
SHOWN = 30
DRY = "dry-run"


async def on_order(asked: ChangeRequest, desk: Desk) -> Shown:
    """The wish has its plan, which waits for approval; the same request again gives the same action. A refusal is a note."""
    try:
        return await _order(asked, desk)
    except NotYours as error:
        return refusal(error)


async def _order(asked: ChangeRequest, desk: Desk) -> NoteView:
    where = asked.environment or desk.default_environment

    def open_one(tx: Transaction) -> Incident | None:
        name = desk.catalogue().get(asked.service).name
        mine = [i for i in desk.incidents.live(tx) if name in i.services and i.environment == where]
        return mine[-1] if mine else None

    action = await propose(
        incident=await desk.db.read(open_one),
        kind=asked.kind,
        service=asked.service,
        target=asked.version,
        environment=where,
        person=asked.person,
        desk=desk,
        reason=asked.reason or ("" if asked.claim else f"/{asked.kind.value} by a person"),
        place=Place(asked.channel),
        key=asked.id,
        claim=asked.claim,
        asked_in=asked.channel,
        dry=asked.dry,
    )
    verb = "roll back" if asked.kind is ActionKind.ROLLBACK else "deploy"
    asked_nobody = " Nobody is asked until somebody presses its button." if action.status is ActionStatus.PLANNED else ""
    told = f"The plan to {verb} {action.service} to {action.target} is posted; it is {action.status.value}."
    return NoteView(told + asked_nobody)


def from_command(request: CommandRequest, kind: ActionKind, desk: Desk) -> ChangeRequest | None:
    """What `/deploy` or `/rollback` was asked in words; None if the words are too few or too many.

    `/rollback payments staging` names an environment, not a version, where the service has one of that name.
    """
    least = 2 if kind is ActionKind.DEPLOY else 1
    dry = tuple(w for w in request.words if _flag(w) == DRY)
    words, claim, reason = _claimed(tuple(w for w in request.words if _flag(w) != DRY))
    if not least <= len(words) <= 3:
        return None
    service, version, environment = (*words, "", "")[:3]
    if kind is ActionKind.ROLLBACK and not environment and version in desk.catalogue().get(service).environments:
        version, environment = "", version
    by, where = request.person, request.channel
    return ChangeRequest(by, where, kind, service, version, environment, reason, request.id, claim, bool(dry))


def _claimed(words: tuple[str, ...]) -> tuple[tuple[str, ...], Claim, str]:
    """The words before `--fix`, `--override` or `--break-glass`, which of them it is, and why: all that follows.

    Some clients make a long dash of two short ones.
    """
    for place, word in enumerate(words):
        if (name := _flag(word)) and name in list(Claim):
            return words[:place], Claim(name), " ".join(words[place + 1 :]).strip()
    return words, Claim.NONE, ""


def _flag(word: str) -> str:
    """What a word with dashes before it says; "" for any other."""
    return word.lstrip("-—–").lower() if word[:1] in ("-", "—", "–") else ""


def check_order(asked: ChangeRequest, desk: Desk) -> Mapping[str, str]:
    """What is wrong with a form, by field ("service", "environment", "version"), without asking anybody outside."""
    service = desk.catalogue().resolve(asked.service)
    if service is None:
        return {"service": f"services.yaml has no service {asked.service[:80]!r}."}
    if not service.deployer or service.deployer not in desk.deployers:
        return {"service": f"{service.name} has no deployer that Tocsin knows; see services.yaml and [deployers]."}
    environment = asked.environment or desk.default_environment
    if environment not in service.environments:
        return {"environment": f"{service.name} has no {environment[:80]}; it has {', '.join(service.environments)}."}
    if asked.version and not VERSION.fullmatch(asked.version):
        return {"version": "Letters, digits and . _ + / - only, at most 128."}
    if asked.kind is ActionKind.DEPLOY and not asked.version:
        return {"version": "Which version?"}
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
    )
    if desk.policies().asks_chat:  # who is in which user group takes too long to ask here; the plan is refused in private then
        return {}
    ruling = desk.policies().may_request(asked.person.id, wish, service)
    return {} if ruling.allowed else {"service": f"{ruling.reason}."}


async def order_form(kind: ActionKind, service: str, environment: str, desk: Desk) -> OrderForm:
    """What the form offers. Without a service nobody is asked, so that it can open at once."""
    catalogue = desk.catalogue()
    able = [s for s in catalogue.services.values() if s.deployer in desk.deployers]
    everywhere = tuple(dict.fromkeys(e for s in able for e in s.environments)) or (desk.default_environment,)
    form = OrderForm(kind, tuple(s.name for s in able), everywhere, environment or desk.default_environment)
    chosen = catalogue.resolve(service) if service else None
    if chosen is None or chosen.deployer not in desk.deployers:
        return form
    where = form.environment if form.environment in chosen.environments else chosen.environments[0]
    form = replace(form, service=chosen.name, environments=chosen.environments, environment=where)
    return await _with_versions(form, desk.deployers[chosen.deployer])


async def _with_versions(form: OrderForm, deployer: Deployer) -> OrderForm:
    """The form with what ran before; without, if the deployer cannot say so in time: the person may type it."""
    try:
        async with asyncio.timeout(ASKING):
            ran = await deployer.versions(form.service, form.environment)
            current = await deployer.current(form.service, form.environment)
    except (BotError, TimeoutError):
        return form
    names = tuple(dict.fromkeys(v.version for v in ran if v.version))[:SHOWN]
    return replace(form, versions=names, current=current.version)


def services(desk: Desk) -> tuple[str, ...]:
    """The names of the catalogue's services."""
    return tuple(desk.catalogue().services)
