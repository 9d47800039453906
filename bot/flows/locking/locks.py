"""Somebody locks, unlocks or freezes by hand: compare-and-set, in the audit, and over by itself when its time is."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.actions.approvals import NotYours
from bot.actions.locks import LONGEST, may_lock, may_take, may_unlock
from bot.actions.plan import known_service
from bot.actions.policy import BOT, Ruling
from bot.domain.lock import EVERYTHING, Lock
from bot.domain.request import CommandRequest, Person
from bot.domain.service import Service
from bot.domain.view import NoteView
from bot.errors import IllegalMove, NotFound, Outrun
from bot.flows.desk import Desk
from bot.flows.locking.guarding import memberships, remember, world_of
from bot.flows.locking.telling import explain
from bot.ports import Scalar, Transaction
from bot.redact import clean, redact

VERBS = ("lock", "unlock", "freeze", "unfreeze", "explain")
USUAL = timedelta(hours=2)
USAGE = (
    '/deploy lock <service> "reason" [2h] [environment] | unlock <service> ["reason"] [environment] '
    '| freeze "reason" [2h] [environment] | unfreeze ["reason"] [environment] '
    "| explain <service> [deploy or rollback] [environment]"
)
Spans = Callable[[str], timedelta]
_SPAN = re.compile(r"\d{1,4}[mhd]")
_FASTER = "Somebody changed that lock a moment before you; `/deploy status` shows it."


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked about a lock; `service` is "*" for a freeze."""

    person: Person
    service: Service
    environment: str
    reason: str
    span: timedelta


async def on_words(request: CommandRequest, span: Spans, desk: Desk) -> NoteView:
    """`/deploy lock | unlock | freeze | unfreeze | explain ...`. Raises NotFound or IllegalMove; a refusal is a note."""
    verb, *rest = request.words
    if verb == "explain":
        return await explain(request.person, request.channel, rest, desk)
    wish = _wish(request.person, verb, rest, span, desk)
    deed = take if verb in ("lock", "freeze") else give_back
    return await deed(wish, desk)


def _wish(person: Person, verb: str, words: Sequence[str], span: Spans, desk: Desk) -> Wish:
    """The service comes first, time and environment last, and what is between them is the reason."""
    left = list(words)
    if verb in ("freeze", "unfreeze"):
        service = Service(EVERYTHING)
        places = {e for s in desk.catalogue().services.values() for e in s.environments} | {desk.default_environment}
    elif left:
        service = known_service(left.pop(0), desk.catalogue())
        places = set(service.environments)
    else:
        raise NotFound(f"Which service? {USAGE}")
    lasting, environment = USUAL, ""
    while left and ((timed := _SPAN.fullmatch(left[-1].lower())) or (left[-1] in places and not environment)):
        word = left.pop()
        if timed:
            lasting = min(span(word.lower()), LONGEST)
        else:
            environment = word
    reason = redact(clean(" ".join(left)))[:300].strip()
    if not environment and desk.default_environment not in places:
        raise NotFound(f"{service.name} has no {desk.default_environment}; name one of {', '.join(sorted(places))}.")
    if verb in ("lock", "freeze") and not reason:
        raise IllegalMove(f'Say why: /deploy {verb} {"" if service.name == EVERYTHING else service.name + " "}"reason" 2h')
    return Wish(person, service, environment or desk.default_environment, reason, lasting)


async def take(wish: Wish, desk: Desk) -> NoteView:
    """The lock is held, or lasts longer if it was one's own."""
    groups = await memberships([wish.person.id], desk)

    def go(tx: Transaction) -> Lock:
        now = desk.clock()
        _allow(may_lock(wish.person.id, wish.service, wish.environment, world_of(tx, wish.service, groups, desk)))
        lock = Lock(wish.service.name, wish.environment, wish.person.id, wish.reason, now, now + wish.span)
        there = desk.locks.get(tx, lock.service, lock.environment)
        _allow(may_take(lock, there, now))
        kept = desk.locks.put(tx, there, lock)
        if kept is None:
            raise Outrun(_FASTER)
        _write(tx, kept, wish.person.id, "locked", {"until": f"{kept.until:%Y-%m-%dT%H:%M:%SZ}", "reason": kept.reason}, desk)
        args: Mapping[str, Scalar] = {"service": kept.service, "environment": kept.environment}
        id = f"{kept.key}:{kept.since.timestamp():.0f}:{kept.version}"
        desk.work.start(tx, "actions", "end_lock", id, args, partition=kept.key, not_before=kept.until)
        return kept

    try:
        kept = await desk.db.write(go)
    except NotYours as error:
        await remember(error, wish.person.id, "lock", f"lock:{wish.service.name}/{wish.environment}", desk)
        return NoteView(error.for_people, error.who, error.named)
    what, end = ("Deploys are frozen", "unfreeze") if kept.freezes else (f"{kept.service} is locked", f"unlock {kept.service}")
    return NoteView(
        f"{what} in {kept.environment} until {kept.until:%Y-%m-%d %H:%M} UTC: {kept.reason}\n`/deploy {end}` ends it."
    )


async def give_back(wish: Wish, desk: Desk) -> NoteView:
    """The lock is gone; one of somebody else only for whoever may override it, with a reason."""
    groups = await memberships([wish.person.id], desk)
    what = "Deploys are" if wish.service.name == EVERYTHING else f"{wish.service.name} is"
    key = f"lock:{wish.service.name}/{wish.environment}"

    def go(tx: Transaction) -> str:
        lock = desk.locks.get(tx, wish.service.name, wish.environment)
        if lock is None or not lock.held(desk.clock()):
            return f"{what} not {'frozen' if wish.service.name == EVERYTHING else 'locked'} in {wish.environment}."
        world = world_of(tx, wish.service, groups, desk)
        _allow(may_unlock(wish.person.id, lock, wish.service, wish.reason, world))
        if not desk.locks.drop(tx, lock):
            raise Outrun(_FASTER)
        theirs = {} if lock.owner == wish.person.id else {"owner": lock.owner}
        _write(tx, lock, wish.person.id, "unlocked", {"reason": wish.reason, **theirs}, desk)
        return f"{what} free again in {wish.environment}."

    try:
        return NoteView(await desk.db.write(go))
    except NotYours as error:
        await remember(error, wish.person.id, "unlock", key, desk)
        return NoteView(error.for_people, error.who, error.named)


async def end_lock(args: Mapping[str, Scalar], desk: Desk) -> None:
    """A lock whose time is over leaves, and the audit says so; one that was made longer stays."""

    def go(tx: Transaction) -> None:
        lock = desk.locks.get(tx, str(args["service"]), str(args["environment"]))
        if lock is not None and not lock.held(desk.clock()) and desk.locks.drop(tx, lock):
            _write(tx, lock, BOT, "lock ended", {"owner": lock.owner}, desk)

    await desk.db.write(go)


def held_lines(tx: Transaction, service: Service | None, desk: Desk) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is locked and frozen now, of one service or of all, in words; and the owners that the words name."""
    now = desk.clock()
    held = [k for k in desk.locks.held(tx, now) if service is None or k.freezes or k.service == service.name]
    lines = [_line(lock) for lock in held]
    for freeze in desk.policies().freezes:
        until = freeze.until(now)
        if until is not None:
            why = f": {freeze.reason}" if freeze.reason else ""
            lines.append(f"Freeze {freeze.name} ({', '.join(freeze.environments)}) until {until:%Y-%m-%d %H:%M %Z}{why}")
    return tuple(lines), tuple(dict.fromkeys(k.owner for k in held))


def _line(lock: Lock) -> str:
    what, how = ("All deploys", "frozen") if lock.freezes else (lock.service, "locked")
    return f"{what} ({lock.environment}): {how} by {lock.owner} until {lock.until:%Y-%m-%d %H:%M} UTC: {lock.reason}"


def _allow(ruling: Ruling) -> None:
    if not ruling.allowed:
        raise NotYours(ruling)


def _write(tx: Transaction, lock: Lock, actor: str, deed: str, detail: Mapping[str, str], desk: Desk) -> None:
    told = {"service": lock.service, "environment": lock.environment, **detail}
    desk.ledger.append(tx, desk.clock(), actor, deed, lock.key, {k: v for k, v in told.items() if v})
