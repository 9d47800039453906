"""Somebody pinned a message: it goes to the timeline of the incident that its thread or channel is about, once."""

from collections.abc import Mapping

from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.request import Pin
from bot.domain.view import NoteView, Place, Said, Shown
from bot.flows.desk import Desk
from bot.flows.following import follow
from bot.ports import Scalar, Transaction
from bot.redact import redact

QUOTED = 1000


async def on_pin(pin: Pin, desk: Desk) -> Shown | None:
    """The message will be read and kept; who asked in words is told what becomes of it, a reaction is answered by nothing."""
    args: Mapping[str, Scalar] = {"channel": pin.place.channel, "ts": pin.place.ts, "by": pin.person.id}
    mark = mark_of(pin.place)

    def go(tx: Transaction) -> Shown | None:
        if desk.ledger.entries(tx, mark):
            return NoteView("That message is in a timeline already.")
        incident = about(tx, pin.place, desk)
        if incident is None and pin.asked:
            return NoteView("No incident is open in this channel or thread, so there is no timeline for this message.")
        desk.work.start(tx, "slack", "pin", f"{mark}:{pin.id}", args, partition=f"pin:{pin.place.channel}")
        return NoteView(f"This message goes to the timeline of {incident.key}.") if incident else None

    said = await desk.db.write(go)
    return said if pin.asked else None


async def pin(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The message stands in the timeline at the time when it was said, with who said it and who pinned it."""
    place = Place(str(args["channel"]), str(args["ts"]))
    said = await desk.channel.read(place)
    if said is not None:
        await desk.db.write(lambda tx: _keep(tx, said, str(args["by"]), desk))


def about(tx: Transaction, place: Place, desk: Desk) -> Incident | None:
    """The incident that a thread is about, else the newest live one whose card stands in the channel."""
    card = desk.cards.at(tx, place.channel, place.thread or place.ts)
    if card is not None and (incident := desk.incidents.get(tx, card.key.split(":")[1])):
        return incident
    for incident in reversed(desk.incidents.live(tx)):
        home = desk.cards.get(tx, f"card:{incident.id}")
        if home is not None and home.place.ts and home.place.channel == place.channel:
            return incident
    return None


def mark_of(place: Place) -> str:
    """The name under which the audit trail knows that a message was pinned."""
    return f"pin:{place.channel}:{place.ts}"


def _keep(tx: Transaction, said: Said, by: str, desk: Desk) -> None:
    mark = mark_of(said.place)
    incident = about(tx, said.place, desk)
    if incident is None or desk.ledger.entries(tx, mark):
        return
    words = " ".join(redact(said.text).split())[:QUOTED] or "a message without words"
    text = f"pinned: @{said.by} said “{words}”"
    desk.timeline.add(tx, [Entry(incident.id, said.at, EntryKind.NOTE, text, by)])
    follow(tx, incident, desk)
    desk.ledger.append(tx, desk.clock(), by, "pinned", mark, {"incident": incident.key, "said_by": said.by})
