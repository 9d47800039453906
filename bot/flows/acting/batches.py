"""A batch goes on: one press decides for all its parts, one part runs after the other, and the first that fails is the last."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.actions.approvals import AlreadyDecided, NotYours, hear, make_way
from bot.actions.policy import Ruling
from bot.actions.sequence import HELD, halted, in_order, standing, turn
from bot.domain.action import Action, ActionStatus
from bot.domain.request import Deed, Press
from bot.domain.view import NoteView, Shown
from bot.errors import IllegalMove, NotFound, Outrun
from bot.flows.acting.calling import call
from bot.flows.acting.steps import set_going
from bot.flows.acting.telling import BOT, tell
from bot.flows.desk import Desk
from bot.flows.locking.guarding import involved, memberships, refusal, remember, world_of
from bot.ports import Scalar, Transaction
from bot.redact import redact


async def batch_turn(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The next part is started, or what can no longer be done is refused; people hear what stands when it stopped midway."""
    batch = str(args["batch"])

    def go(tx: Transaction) -> tuple[Action, ...]:
        parts = desk.actions.of_batch(tx, batch)
        now = turn(parts)
        if now.start is not None:
            set_going(tx, now.start, desk)
        for part in now.refuse:
            ended = desk.actions.move(tx, part, part.move(ActionStatus.REFUSED, desk.clock(), now.why))
            if ended is not None:
                tell(tx, ended, BOT, "refused", desk)
        return desk.actions.of_batch(tx, batch)

    parts = await desk.db.write(go)
    stopped = halted(parts)
    if stopped is not None:
        await call(stopped, f"halted:{batch}", f"{stopped.outcome}\n{standing(parts)}".strip(), desk)


@dataclass(slots=True)
class _Word:
    """What one person's word did: the parts it counted for, and why not for the others."""

    done: list[Action] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)
    refusals: list[NotYours] = field(default_factory=list)


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """One press is a word on every part where this person may say it; where not is told, and is in the audit."""
    approved = press.action_id is Deed.BATCH_APPROVE
    parts = await _parts(press, desk)
    people = [who for part in parts for who in involved(part, press.person.id)]
    groups = await memberships(people, desk)

    def go(tx: Transaction) -> _Word:
        word = _Word()
        for part in in_order(desk.actions.of_batch(tx, press.value)):
            world = world_of(tx, desk.catalogue().get(part.service), groups, desk)
            try:
                after = hear(part, press.person.id, approved, world, redact(press.text)[:300])
                if after.status is ActionStatus.APPROVED:
                    make_way(after, desk.actions.unfinished(tx))
            except (NotYours, IllegalMove) as error:
                word.not_done.append(f"{part.service}: {error.for_people}")
                word.refusals += [error] if isinstance(error, NotYours) else []
                continue
            moved = desk.actions.move(tx, part, after)
            if moved is None:
                raise Outrun("Somebody decided this a moment before you; its message shows how.")
            tell(tx, moved, press.person.id, "approved" if approved else "rejected", desk)
            word.done.append(moved)
        return word

    return await _answer(await desk.db.write(go), press, "Approved" if approved else "Rejected", desk)


async def stop(press: Press, desk: Desk) -> Shown | None:
    """What has not begun is not begun any more; the part that runs is stopped by itself, with its own button."""
    groups = await memberships([press.person.id], desk)
    await _parts(press, desk)

    def go(tx: Transaction) -> _Word:
        word, policies = _Word(), desk.policies()
        for part in in_order(desk.actions.of_batch(tx, press.value)):
            if part.status not in HELD:
                continue
            service = desk.catalogue().get(part.service)
            ruling: Ruling = policies.may_cancel(press.person.id, part, service, groups.get(press.person.id, frozenset()))
            if not ruling.allowed:
                word.refusals.append(NotYours(ruling))
                word.not_done.append(f"{part.service}: {word.refusals[-1].for_people}")
                continue
            said = f"Stopped by {press.person.id} before it started. Nothing was started."
            moved = desk.actions.move(tx, part, part.move(ActionStatus.REFUSED, desk.clock(), said))
            if moved is None:
                raise Outrun("It moved on a moment before you; its message shows how.")
            tell(tx, moved, press.person.id, "stopped", desk)
            word.done.append(moved)
        return word

    return await _answer(await desk.db.write(go), press, "Stopped", desk)


async def _parts(press: Press, desk: Desk) -> tuple[Action, ...]:
    parts = await desk.db.read(lambda tx: desk.actions.of_batch(tx, press.value))
    if not parts:
        raise NotFound("That batch is no longer kept.")
    return parts


async def _answer(word: _Word, press: Press, verb: str, desk: Desk) -> Shown | None:
    """What the person is told: nothing where all went well, as the message shows it; else what counted, and what did not."""
    for error in word.refusals:
        await remember(error, press.person.id, press.action_id.value, press.value, desk)
    if not word.done:
        if word.refusals:
            return refusal(word.refusals[0])
        raise AlreadyDecided(
            word.not_done[0] if word.not_done else "Nothing of it waits any more; its message shows how it went."
        )
    if not word.not_done:
        return None
    return NoteView(f"{verb}: {', '.join(p.service for p in word.done)}. Not {' Not '.join(word.not_done)}")
