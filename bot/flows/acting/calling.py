"""People are addressed by name about an action, once, in the thread of its message."""

from bot.actions.policy import BOT
from bot.domain.action import Action
from bot.domain.incident import Incident
from bot.domain.view import NoteView, Place
from bot.flows.announce import message_key
from bot.flows.desk import Desk
from bot.flows.showing import route_of
from bot.ports import Transaction


async def call(action: Action, key: str, text: str, desk: Desk) -> None:
    """Whoever is on call, asked for it or approved it reads this text by name; the same `key` is one message."""

    def read(tx: Transaction) -> tuple[Incident | None, Place]:
        incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
        return incident, _stands(tx, action, desk)

    incident, place = await desk.db.read(read)
    if not place.channel:
        route = route_of(incident, action.service, desk) if incident else desk.routing().default
        place = Place(await desk.channel.channel_id(route.channel))
    where = Place(place.channel, "", place.thread or place.ts)
    for thread in dict.fromkeys((where.thread, "")):  # it may have been said before there was a thread
        if await desk.channel.find(where.channel, key, thread=thread) is not None:
            return
    await desk.channel.post(where, NoteView(text, concerned(action, incident, desk)), key=key)


def _stands(tx: Transaction, action: Action, desk: Desk) -> Place:
    """Where the message of this action, or of its batch, stands."""
    card = desk.cards.get(tx, message_key(action))
    return card.place if card is not None else Place("")


def concerned(action: Action, incident: Incident | None, desk: Desk) -> tuple[str, ...]:
    """The people who must know what becomes of an action, each once."""
    on_call = incident.on_call if incident else desk.routing().default.on_call
    people = (*on_call, action.requested_by, action.on_behalf_of, *action.approvers)
    return tuple(p for p in dict.fromkeys(people) if p and p != BOT)
