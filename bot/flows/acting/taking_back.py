"""What made things worse is taken back: offered to people, or done at once where the rule that allowed it says so.

The bot asks with the claim that it is a fix, and the rule stands in for the people who would approve; everything else is as
for any rollback: the plan, the locks of others, the one at a time, the look at what runs right before the start.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.actions.approvals import WAITING, approve_in_place, make_way
from bot.actions.policy import BOT, opposite, taking_back
from bot.domain.action import Action, ActionStatus, Authority, Claim, Ties, way_back
from bot.domain.incident import Incident
from bot.domain.request import Person
from bot.domain.verification import Judgement
from bot.domain.view import Place
from bot.errors import BotError, IllegalMove, NotAllowed
from bot.flows.acting.calling import call
from bot.flows.acting.proposing import propose
from bot.flows.acting.steps import find, partition_of, set_going
from bot.flows.acting.telling import tell
from bot.flows.announce import message_key
from bot.flows.desk import Desk
from bot.flows.locking.guarding import world_of
from bot.ports import Scalar, Transaction
from bot.redact import clean, redact

SUBJECT = "way back"  # of its lines in the audit
PAUSE = timedelta(hours=1)  # one service is taken back by itself this often at most
TRIES, WAIT = 8, timedelta(seconds=15)  # while a deployer does not answer


def after_the_end(tx: Transaction, ended: Action, desk: Desk) -> None:
    """What the end of an action causes: what it took back is rolled back, and what made things worse may be taken back."""
    if ended.undoes and ended.status is ActionStatus.SUCCEEDED:
        _rolled_back(tx, ended, desk)
    seen = ended.verification
    worse = ended.status is ActionStatus.FAILED and seen is not None and seen.judgement is Judgement.WORSE
    if worse and way_back(ended) and taking_back(ended, desk.catalogue().get(ended.service), desk.policies()):
        _soon(tx, ended, 0, desk)


async def take_back(args: Mapping[str, Scalar], desk: Desk) -> None:
    """What ran before comes back, once; people hear by name that it is on its way, or why it is not."""
    done, look = await find(args, desk), int(args.get("look") or 0)
    rule = taking_back(done, desk.catalogue().get(done.service), desk.policies()) if done else None
    if done is None or done.status is not ActionStatus.FAILED or rule is None:
        return
    try:
        back = await _begun(done, rule.name, desk)
    except BotError as error:
        if error.retry and look < TRIES:
            await desk.db.write(lambda tx: _soon(tx, done, look + 1, desk))
            return
        await _told(done, f"The way back was not taken, although rule {rule.name!r} says so: {error.for_people}", desk)
        return
    said = f"{done.service} {done.target} made things worse; rule {rule.name!r} takes it back: {back.target} is on its way."
    await _told(done, said, desk)


async def _begun(done: Action, rule: str, desk: Desk) -> Action:
    """The way back, approved by the rule; asking again gives the same one. Raises a BotError where it may not or cannot be."""

    def read(tx: Transaction) -> tuple[Incident | None, Place | None]:
        _not_too_often(tx, done, desk)
        card = desk.cards.get(tx, message_key(done))
        place = Place(card.place.channel, "", card.place.thread) if card is not None and card.place.channel else None
        return (desk.incidents.get(tx, done.incident_id) if done.incident_id else None), place

    incident, place = await desk.db.read(read)
    back = await propose(
        incident=incident,
        kind=opposite(done.kind),
        service=done.service,
        target=way_back(done),
        environment=done.environment,
        person=Person(BOT),
        desk=desk,
        reason=f"the {done.kind.value} to {done.target} made things worse: {way_back(done)} ran before",
        place=place,
        key=f"back:{done.id}",
        claim=Claim.FIX,
        ties=Ties(undoes=done.id, on_behalf_of=done.on_behalf_of or done.requested_by),
    )
    if back.requested_by != BOT:
        raise IllegalMove(f"{back.requested_by} has asked for it already; it is {back.status.value}.")
    return await desk.db.write(lambda tx: _approved(tx, done, back, rule, desk))


def _approved(tx: Transaction, done: Action, back: Action, rule: str, desk: Desk) -> Action:
    desk.actions.hold(tx)
    latest = desk.actions.get(tx, back.id) or back
    if latest.status not in WAITING:
        return latest
    _not_too_often(tx, done, desk)
    make_way(latest, desk.actions.unfinished(tx))
    world = world_of(tx, desk.catalogue().get(back.service), {}, desk)
    moved = desk.actions.move(tx, latest, approve_in_place(latest, Authority.RULE, rule, world))
    if moved is None:
        raise IllegalMove("Somebody decided it at the same moment; its message shows how.")
    tell(tx, moved, f'rule "{rule}"', "approved", desk)
    told = {"service": done.service, "environment": done.environment, "undoes": done.id, "action": moved.id, "rule": rule}
    desk.ledger.append(tx, desk.clock(), BOT, "took the way back", SUBJECT, told)
    set_going(tx, moved, desk)
    return moved


def _not_too_often(tx: Transaction, done: Action, desk: Desk) -> None:
    since = desk.clock() - PAUSE
    for line in desk.ledger.entries(tx, SUBJECT):
        told = line.detail or {}
        if line.at > since and told.get("service") == done.service and told.get("undoes") != done.id:
            raise NotAllowed(
                f"{done.service} was taken back by itself at {line.at:%H:%M} UTC already, and that happens once an hour at most. "
                "The button on the message asks for it."
            )


def _soon(tx: Transaction, done: Action, look: int, desk: Desk) -> None:
    args: Mapping[str, Scalar] = {"action": done.id, "look": look}
    due = desk.clock() + WAIT if look else None
    desk.work.start(tx, "actions", "take_back", f"back:{done.id}:{look}", args, partition=partition_of(done), not_before=due)


async def _told(done: Action, text: str, desk: Desk) -> None:
    """On the message of what made things worse, in the audit, and to people by name."""
    text = redact(clean(text))  # it may quote the vendor

    def write(tx: Transaction) -> None:
        latest = desk.actions.get(tx, done.id)
        if latest is not None and text not in latest.outcome:
            before = latest.outcome if latest.outcome.endswith((".", "!", "?")) else f"{latest.outcome}."
            kept = desk.actions.move(tx, latest, replace(latest, outcome=f"{before} {text}"))
            if kept is not None:
                tell(tx, kept, BOT, "way back", desk)

    await desk.db.write(write)
    await call(done, f"back:{done.id}", text, desk)


def _rolled_back(tx: Transaction, back: Action, desk: Desk) -> None:
    """What the action took back is rolled back, and says by what."""
    done = desk.actions.get(tx, back.undoes)
    if done is None or done.status not in (ActionStatus.SUCCEEDED, ActionStatus.FAILED):
        return
    said = f"{done.outcome} It was taken back: {back.target} runs again."
    moved = desk.actions.move(tx, done, done.move(ActionStatus.ROLLED_BACK, desk.clock(), said.strip()))
    if moved is not None:
        tell(tx, moved, BOT, "rolled back", desk)
