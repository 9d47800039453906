"""Somebody says yes or no to a plan: weighed, written, and set going when it is enough."""

from dataclasses import replace

from bot.actions.approvals import NotYours, hear, make_way
from bot.actions.policy import BOT, Moment
from bot.domain.action import ActionStatus
from bot.domain.request import Deed, Press
from bot.errors import NotFound, Outrun
from bot.flows.acting.steps import set_going
from bot.flows.acting.telling import tell
from bot.flows.desk import Desk
from bot.flows.locking.guarding import allow, involved, memberships, remember, whereabouts, world_of
from bot.ports import Transaction
from bot.redact import redact


async def decide(press: Press, desk: Desk) -> None:
    """The word of a person is weighed, written and acted upon in one transaction."""
    approved = press.action_id is Deed.ACTION_APPROVE
    waiting = await desk.db.read(lambda tx: desk.actions.get(tx, press.value))
    groups = await memberships(involved(waiting, press.person.id) if waiting else (), desk)
    here = await whereabouts(press.place.channel, desk) if waiting and waiting.step else frozenset[str]()

    def go(tx: Transaction) -> None:
        action = desk.actions.get(tx, press.value)
        if action is None:
            raise NotFound("That action is no longer kept.")
        note = redact(press.text)[:300]
        world = world_of(tx, desk.catalogue().get(action.service), groups, desk, here)
        after = hear(action, press.person.id, approved, world, note)
        if approved and action.step and action.requested_by == BOT:  # one press asks for it too
            allow(replace(action, requested_by=press.person.id), press.person.id, Moment.REQUEST, world)
        if after.status is ActionStatus.APPROVED:
            make_way(after, desk.actions.unfinished(tx))
        moved = desk.actions.move(tx, action, after)
        if moved is None:
            raise Outrun("Somebody decided this a moment before you; its message shows how.")
        tell(tx, moved, press.person.id, "approved" if approved else "rejected", desk)
        if moved.status is ActionStatus.APPROVED and not moved.batch:
            set_going(tx, moved, desk)

    try:
        await desk.db.write(go)
    except NotYours as error:
        await remember(error, press.person.id, press.action_id.value, press.value, desk)
        raise
