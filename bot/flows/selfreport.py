"""A part of the bot itself fails, or works again: said once each, to the channel that routing.yaml names for it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from bot.domain.view import NoteView, Place
from bot.errors import NotAllowed, NotFound
from bot.flows.announce import post_once
from bot.flows.desk import Desk
from bot.ports import Scalar, Transaction
from bot.redact import redact

GONE, BACK = "gone", "back"
LONGEST = 64  # characters of a switch's name


def switch_of(part: str) -> str:
    """The switch that remembers over restarts and replicas what was last said of a part."""
    return f"part:{part}"[:LONGEST]


def was_gone(tx: Transaction, part: str, desk: Desk) -> bool:
    """The last that was said of it is that it fails."""
    return desk.switches.get(tx, switch_of(part)) == GONE


def tell(tx: Transaction, part: str, state: str, why: str, at: datetime, desk: Desk, *, said: bool = False) -> bool:
    """Have it said, unless that was the last thing said of this part, by this process or another one; `said`: it was already."""
    if (desk.switches.get(tx, switch_of(part)) or BACK) == state:
        return False
    desk.switches.turn(tx, switch_of(part), state, "tocsin", at)
    if said:
        return True
    args = {"part": part, "state": state, "why": redact(why)[:300], "at": at.isoformat()}
    desk.work.start(tx, "slack", "part_report", f"part:{part}:{state}:{at.isoformat()}", args, partition="part_report")
    return True


def words(part: str, state: str, why: str, at: datetime) -> str:
    """The sentence for people and the log."""
    if state == BACK:
        return f"Tocsin: {part} works again, since {at:%H:%M} UTC."
    return f"Tocsin: {part} does not work, since {at:%H:%M} UTC: {why}"


async def part_report(args: Mapping[str, Scalar], desk: Desk) -> None:
    """One such sentence stands in the channel."""
    part, state, at = str(args["part"]), str(args["state"]), str(args["at"])
    said = NoteView(words(part, state, str(args["why"]), datetime.fromisoformat(at)))
    await said_aloud(lambda place: post_once(f"part:{part}:{state}:{at}", place, said, desk), desk)


async def said_aloud(post: Callable[[Place], Awaitable[object]], desk: Desk) -> None:
    """Posted in the channel that routing.yaml names for it, or in the default one where the bot is not let into that."""
    routing = desk.routing()
    try:
        await post(Place(await desk.channel.channel_id(routing.health)))
    except (NotFound, NotAllowed):
        if routing.health == routing.default.channel:
            raise
        await post(Place(await desk.channel.channel_id(routing.default.channel)))
