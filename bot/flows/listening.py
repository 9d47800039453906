"""Alerts that other apps post into a channel: who switched listening on, and each message kept before Slack hears of it."""

from collections.abc import Collection

from bot.domain.request import CommandRequest
from bot.domain.view import NoteView
from bot.flows.desk import Desk
from bot.ports import Delivery, Transaction

ON, OFF = "on", "off"


def switch_of(channel: str) -> str:
    """The switch of a channel: it turns with `/tocsin listen here on|off`, and wins over the settings."""
    return f"listen:{channel}"[:64]


def hears(tx: Transaction, channel: str, settings: Collection[str], desk: Desk) -> bool:
    """This channel opted in."""
    turned = desk.switches.get(tx, switch_of(channel))
    return turned == ON or (turned != OFF and channel in settings)


async def overheard(delivery: Delivery, id: str, channel: str, settings: Collection[str], desk: Desk) -> bool:
    """A message of another app is kept like a webhook's delivery if its channel opted in; False if it did not."""
    if not await desk.db.read(lambda tx: hears(tx, channel, settings, desk)):
        return False
    await desk.db.keep(lambda tx: desk.inbox.add(tx, [(delivery, id)]))
    return True


async def listen(request: CommandRequest, desk: Desk) -> NoteView:
    """`/tocsin listen here on|off`: whoever is in the channel may say so, and it is audited."""
    wanted = request.words[-1].lower() if len(request.words) > 1 else "status"
    channel, person = request.channel, request.person
    if wanted not in (ON, OFF):
        turned = await desk.db.read(lambda tx: desk.switches.get(tx, switch_of(channel)))
        told = {ON: "I listen here to what other apps post.", OFF: "I do not listen here."}
        return NoteView(f"{told.get(turned, 'Nobody switched listening on here.')} `/tocsin listen here on|off` changes it.")

    def turn(tx: Transaction) -> None:
        now = desk.clock()
        desk.switches.turn(tx, switch_of(channel), wanted, person.id, now)
        desk.ledger.append(tx, now, person.id, f"listen {wanted}", switch_of(channel), {"by": "/tocsin listen"})

    await desk.db.write(turn)
    if wanted == OFF:
        return NoteView("I no longer listen here; what I kept stays.")
    return NoteView(
        "From now on alerts that other apps post here become incidents; what people write is not kept. "
        "I hear only channels that I am a member of: `/invite @tocsin` if I am not."
    )
