"""Somebody opened an incident by hand, from a message: it is looked into like any other, and the message's thread is told."""

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.request import Opening
from bot.domain.view import NoteView, Place, Shown
from bot.errors import NotAllowed, NotFound, Outrun, Unavailable
from bot.flows.announce import announce, post_once
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.flows.showing import route_of
from bot.ports import Card, Scalar, Transaction
from bot.redact import redact

TRIES = 3  # another replica may take the same number at the same moment
QUOTED = 500


async def open_by_hand(asked: Opening, desk: Desk) -> Shown:
    """The incident stands, with the message in its timeline; the same request again is the same incident."""
    link = await _link(asked.place, desk)
    for left in reversed(range(TRIES)):
        try:
            incident = await desk.db.write(lambda tx: _open(tx, asked, link, desk))
            break
        except Outrun:
            if not left:
                raise
    return NoteView(f"{incident.key} is open: {incident.title}. Its card follows in {_home(incident, desk)}.")


async def opened_by_hand(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The thread of the message says which incident was opened from it; where the bot may not post, the person is told."""
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, str(args["incident_id"])))
    if incident is None:
        return
    person = str(args["by"])
    place = Place(str(args["channel"]), "", str(args["thread"]))
    said = NoteView(f"{incident.key} was opened from this message. Its card is in {_home(incident, desk)}.", (person,))
    try:
        await post_once(f"opened:{incident.id}", place, said, desk)
    except (NotAllowed, NotFound):
        await desk.channel.whisper(Place(""), person, said)


def _open(tx: Transaction, asked: Opening, link: str, desk: Desk) -> Incident:
    id = str(uuid5(NAMESPACE_URL, f"tocsin:incident:{asked.id}"))
    there = desk.incidents.get(tx, id)
    if there is not None:
        return there
    now, person, thread = desk.clock(), asked.person.id, asked.place.thread or asked.place.ts
    incident = desk.incidents.save(
        tx,
        Incident(
            id=id,
            number=desk.incidents.next_number(tx),
            title=redact(asked.title) or f"Something is wrong with {asked.service}",
            service=desk.catalogue().get(asked.service).name,
            environment=desk.default_environment,
            severity=asked.severity,
            status=Status.OPEN,
            opened_at=now,
            updated_at=now,
            waiting_since=now,
            opened_by=person,
        ),
    )
    desk.timeline.add(tx, [Entry(id, now, EntryKind.STATUS, _told(asked, link), person)])
    desk.ledger.append(tx, now, person, "opened", id, {"incident": incident.key, "from": link or asked.place.channel})
    if asked.place.ts:
        desk.cards.put(tx, Card(f"thread:{id}", Place(asked.place.channel, thread)))  # what is said there is about it
        args = {"incident_id": id, "channel": asked.place.channel, "thread": thread, "by": person}
        desk.work.start(tx, "slack", "opened_by_hand", f"opened:{id}", args, partition=asked.place.channel)
    announce(tx, incident, desk)
    look(tx, incident, desk)
    return incident


def _told(asked: Opening, link: str) -> str:
    said = " ".join(redact(asked.text).split())[:QUOTED]
    quoted = f": “{said}”" if said else ""
    return f"opened by hand from a message{quoted}" + (f" {link}" if link else "")


def _home(incident: Incident, desk: Desk) -> str:
    channel = incident.channel or route_of(incident, incident.service, desk).channel
    return channel if channel.startswith("#") else "its channel"


async def _link(place: Place, desk: Desk) -> str:
    try:
        return await desk.channel.permalink(place) if place.ts else ""
    except (NotAllowed, Unavailable):  # the incident matters more than its link
        return ""
