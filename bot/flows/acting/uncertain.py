"""Nobody knew whether an action ran; a person has looked and says so. The first word counts, and it is written down."""

from dataclasses import replace

from bot.actions.approvals import AlreadyDecided, NotYours
from bot.actions.cancel import settled
from bot.domain.action import ActionStatus
from bot.domain.request import Deed, Press
from bot.errors import NotFound
from bot.flows.acting.steps import look_again
from bot.flows.acting.telling import tell
from bot.flows.desk import Desk
from bot.flows.locking.guarding import memberships, remember
from bot.ports import Transaction

RAN = "says that it ran; its effect is watched."
DID_NOT_RUN = "says that it did not run."


async def settle_by_hand(press: Press, desk: Desk) -> None:
    """An action that ran is verified like any other, one that did not has failed.

    Raises NotYours (which is written down too), NotFound, or AlreadyDecided if it is uncertain no more.
    """
    ran = press.action_id is Deed.ACTION_RAN
    groups = await memberships([press.person.id], desk)

    def go(tx: Transaction) -> None:
        action = desk.actions.get(tx, press.value)
        if action is None:
            raise NotFound("That action is no longer kept.")
        if action.status is not ActionStatus.UNCERTAIN:
            raise AlreadyDecided(f"It is no longer uncertain: this {action.kind.value} is {action.status.value}.")
        ruling = desk.policies().may_settle(
            press.person.id, action, desk.catalogue().get(action.service), groups.get(press.person.id, frozenset())
        )
        if not ruling.allowed:
            raise NotYours(ruling)
        to = ActionStatus.VERIFYING if ran else ActionStatus.FAILED
        said = f"A person {RAN if ran else DID_NOT_RUN}"
        after = replace(action, cancel=settled(action, to, None)).move(to, desk.clock(), said)
        moved = desk.actions.move(tx, action, after)
        if moved is None:
            raise AlreadyDecided("Somebody, or the deployer, said so a moment before you; its message shows what.")
        tell(tx, moved, press.person.id, "settled: it ran" if ran else "settled: it did not run", desk)
        if not moved.ended:
            look_again(tx, moved, 0, desk)

    try:
        await desk.db.write(go)
    except NotYours as error:
        await remember(error, press.person.id, press.action_id.value, press.value, desk)
        raise
