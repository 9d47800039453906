"""Several services at once, by `+` between them or by a commit that shipped several: one batch, each with a plan of its own."""

from uuid import NAMESPACE_URL, uuid5

from bot.actions.approvals import NotYours
from bot.actions.sequence import MOST, Ordered, in_order, ordered
from bot.domain.action import Action, ActionKind, Claim, Ties
from bot.domain.incident import Incident
from bot.domain.request import CommandRequest, Person, SeveralRequest
from bot.domain.view import NoteView, Place, Shown
from bot.errors import IllegalMove
from bot.flows.acting.gathering import back_from, deployer_of
from bot.flows.acting.ordering import claimed
from bot.flows.acting.proposing import Wish, propose_all
from bot.flows.desk import Desk
from bot.flows.locking.guarding import refusal
from bot.ports import Transaction

BETWEEN = ("+", ",")


def several(words: tuple[str, ...]) -> bool:
    """A command names several services: `checkout + payments`, `checkout, payments`."""
    words = claimed(words)[0]
    return any(w == "+" or w.endswith(",") or w.startswith(",") or ("," in w) for w in words)


def from_words(request: CommandRequest, kind: ActionKind, desk: Desk) -> SeveralRequest | None:
    """What was asked in words; None if they cannot be read so. The last word may be an environment, for all of them.

    A deploy names each version; a rollback without one goes to the version before.
    """
    words, claim, reason = claimed(request.words)
    pieces = [piece.split() for piece in " ".join(words).replace(",", " + ").split("+")]
    environment = ""
    if pieces and len(pieces[-1]) > 1 and pieces[-1][-1] in desk.catalogue().get(pieces[-1][0]).environments:
        environment = pieces[-1].pop()
    least = 2 if kind is ActionKind.DEPLOY else 1
    if len(pieces) < 2 or not all(least <= len(piece) <= 2 for piece in pieces):
        return None
    parts = tuple((piece[0], piece[1] if len(piece) > 1 else "") for piece in pieces)
    return SeveralRequest(request.person, request.channel, kind, parts, environment, reason, request.id, claim)


async def on_several(asked: SeveralRequest, desk: Desk) -> Shown:
    """All of them have their plans, which wait for approval on one message; the same request again is one batch."""
    where = asked.environment or desk.default_environment

    def open_one(tx: Transaction) -> Incident | None:
        names = {desk.catalogue().get(name).name for name, _ in asked.parts}
        mine = [i for i in desk.incidents.live(tx) if names & set(i.services) and i.environment == where]
        return mine[-1] if mine else None

    try:
        order, batch = await propose_batch(asked, await desk.db.read(open_one), desk)
    except NotYours as error:
        return refusal(error)
    return NoteView(told(order, batch))


async def propose_batch(asked: SeveralRequest, incident: Incident | None, desk: Desk) -> tuple[Ordered, tuple[Action, ...]]:
    """The batch in the order of the graph, all of it or nothing. Raises as `propose_all` does; IllegalMove of a wrong number."""
    versions = {desk.catalogue().get(name).name: version for name, version in asked.parts}
    if len(versions) < len(asked.parts):
        raise IllegalMove("A service is named twice; name each once.")
    if not 2 <= len(versions) <= MOST:
        raise IllegalMove(f"A batch is of two to {MOST} services; these are {len(versions)}.")
    order = ordered(tuple(versions), desk.catalogue().whole, asked.kind)
    batch = str(uuid5(NAMESPACE_URL, f"tocsin:batch:{asked.id}"))
    there = await desk.db.read(lambda tx: desk.actions.of_batch(tx, batch))
    if there:
        return order, in_order(there)
    wishes, after = [], ""
    for service in order.services:
        wishes.append(_wish(asked, incident, service, versions[service], Ties(batch=batch, after=after), desk))
        after = _id_of(wishes[-1].key)
    place = Place(asked.channel) if asked.channel else None
    return order, await propose_all(wishes, asked.person, asked.channel, place, desk)


def _wish(asked: SeveralRequest, incident: Incident | None, service: str, version: str, ties: Ties, desk: Desk) -> Wish:
    return Wish(
        asked.kind,
        service,
        version,
        asked.environment or desk.default_environment,
        asked.reason,
        f"{ties.batch}:{service}",
        incident,
        asked.claim,
        ties,
    )


def _id_of(key: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"tocsin:action:{key}"))


def usage(command: str) -> str:
    """How several services are written."""
    version = "<version>" if command == ActionKind.DEPLOY else "[version]"
    return f"Usage: /{command} <service> {version} + <service> {version} … [environment] [--override | --break-glass reason]"


def told(order: Ordered, batch: tuple[Action, ...]) -> str:
    """For whoever asked."""
    verb = "roll back" if batch[0].kind is ActionKind.ROLLBACK else "deploy"
    names = ", then ".join(f"{a.service} to {a.target}" for a in batch)
    return f"The plan to {verb} {names} is posted; it is {batch[0].status.value}." + (f" {order.said}." if order.said else "")


async def still_there(services: tuple[str, ...], guilty: str, environment: str, desk: Desk) -> tuple[tuple[str, str], ...]:
    """Those of these services that run the guilty version now, each with the version to go back to ("": the one before)."""
    found = []
    for name in services:
        service = desk.catalogue().get(name)
        if (await deployer_of(service, desk).current(name, environment)).version == guilty:
            found.append((name, await back_from(guilty, service, environment, desk)))
    return tuple(found)


async def roll_back_all(
    incident: Incident, versions: tuple[tuple[str, str], ...], reason: str, person: Person, channel: str, id: str, desk: Desk
) -> Shown:
    """The services that one guilty change shipped go back together; asked for by a button on the card."""
    asked = SeveralRequest(person, channel, ActionKind.ROLLBACK, versions, incident.environment, reason, id, Claim.NONE)
    order, batch = await propose_batch(asked, incident, desk)
    return NoteView(told(order, batch))
