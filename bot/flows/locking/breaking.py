"""Somebody went past every guard: written down apart, told and paged to the service's owner, and told again in the digest."""

from collections.abc import Mapping
from datetime import datetime

from bot.domain.action import Action, Claim
from bot.domain.alert import Severity
from bot.domain.view import NoteView, Place
from bot.flows.announce import post_once
from bot.flows.desk import Desk
from bot.flows.reaching.oncall import whose_turn
from bot.incidents.routing import Route, Target
from bot.ports import Page, Scalar, Transaction

SUBJECT = "break-glass"  # of its lines in the audit
SEVERITY = Severity.SEV2  # whoever is paged for this severity is paged for it
IN_SLACK = ("person", "rota", "channel")


def broke(tx: Transaction, action: Action, desk: Desk) -> None:
    """An action that goes past the guards is in the audit by itself, and its owner hears of it."""
    if action.claim is not Claim.BREAK_GLASS:
        return
    detail = {
        "action": action.id,
        "kind": action.kind.value,
        "service": action.service,
        "environment": action.environment,
        "target": action.target,
        "reason": action.claim_reason,
    }
    desk.ledger.append(tx, desk.clock(), action.requested_by, "broke the glass", SUBJECT, detail)
    desk.work.start(tx, "reach", "glass_broken", f"glass:{action.id}", {"action": action.id}, partition=f"glass:{action.id}")


async def glass_broken(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The owner's pagers are called, and the owner's channel hears of it with whoever is on call by name; twice is once."""
    action = await desk.db.read(lambda tx: desk.actions.get(tx, str(args["action"])))
    if action is None:
        return
    route = _route(action, desk)
    what = f"{action.kind.value} of {action.service} to {action.target} in {action.environment}"
    said = f"Break-glass: {action.requested_by} goes past every guard with the {what}. Why: {action.claim_reason}"
    for target in _pagers(route, desk):
        key = f"glass:{action.id}:{target.kind}:{target.name}"
        title = f"Break-glass: {what}"
        page = Page(key, title, SEVERITY, action.service, action.claim_reason, "", target.name)
        await desk.pagers[target.kind].page(page)
    place = Place(await desk.channel.channel_id(route.channel))
    people = (await whose_turn(route, desk)).people
    await post_once(f"glass:{action.id}", place, NoteView(said, people, (action.requested_by,)), desk)


def _route(action: Action, desk: Desk) -> Route:
    owner = desk.catalogue().get(action.service).owner
    return desk.routing().route(
        owner=owner, service=action.service, severity=SEVERITY, environment=action.environment, at=desk.clock()
    )


def _pagers(route: Route, desk: Desk) -> tuple[Target, ...]:
    """The pagers of the owner's escalation, each once, however late they come in it."""
    steps = desk.routing().steps(route, SEVERITY)
    return tuple(dict.fromkeys(s.to for s in steps if s.to.kind not in IN_SLACK and s.to.kind in desk.pagers))


def digest_lines(tx: Transaction, desk: Desk, since: datetime) -> tuple[str, ...]:
    """What went past the guards since a time; nothing if nothing did."""
    found = [e for e in desk.ledger.entries(tx, SUBJECT) if e.at >= since]
    told = [f"{e.detail['kind']} of {e.detail['service']} by {e.actor} ({e.detail['reason'][:120]})" for e in found if e.detail]
    if not found:
        return ()
    often = "once" if len(found) == 1 else f"{len(found)} times"
    return (f"break-glass {often}: {'; '.join(told[:5]) or 'its details were erased'}",)
