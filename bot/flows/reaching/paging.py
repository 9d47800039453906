"""Somebody is reached: in the card's thread, in another channel, or by a pager; once, retried, and visible if it fails."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.view import NoteView, Place
from bot.errors import BotError, NotFound, Unavailable
from bot.flows.announce import post_once, want
from bot.flows.desk import Desk
from bot.flows.reaching.oncall import in_slack, persons_of
from bot.incidents.routing import Target
from bot.ports import Page, Reached, Scalar, Transaction

NOT_NEEDED = "not needed any more"  # the detail of an attempt that was spared


async def reach(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The one attempt with this key is made, unless somebody has the incident by now. Twice is once."""
    key = str(args["key"])
    found = await desk.db.read(lambda tx: _due(tx, key, desk))
    if found is None:
        return
    one, incident = found
    if incident.status is not Status.OPEN:
        await desk.db.write(lambda tx: desk.reach.put(tx, replace(one, state="done", page="", detail=NOT_NEEDED)))
        return
    try:
        said = await _reach(one, incident, desk)
    except BotError as error:
        await _failed(one, error, desk)
        return
    desk.vitals.well(one.how)
    await desk.db.write(lambda tx: ended(tx, one, "done", said, desk))


async def _failed(one: Reached, error: BotError, desk: Desk) -> None:
    """Raised again where another try can help; in any case it can be read."""
    if isinstance(error, Unavailable):
        desk.vitals.failed(one.how, str(error))
        await desk.db.write(lambda tx: trouble(tx, one, error, desk))
        raise error
    await desk.db.write(lambda tx: ended(tx, one, "failed", f"{_name(one)} could not be called: {error}", desk))


def _due(tx: Transaction, key: str, desk: Desk) -> tuple[Reached, Incident] | None:
    one = desk.reach.get(tx, key)
    incident = desk.incidents.get(tx, one.incident_id) if one is not None else None
    return (one, incident) if one is not None and one.state == "due" and incident is not None else None


def trouble(tx: Transaction, one: Reached, error: BotError, desk: Desk) -> None:
    """The first failure of an attempt is in the timeline; the others are only tried again."""
    latest = desk.reach.get(tx, one.key) or one
    if not latest.detail.startswith("trouble"):
        desk.reach.put(tx, replace(latest, detail=f"trouble: {error}"[:500]))
        text = f"{_name(one)} cannot be reached yet, it is tried again: {error}"[:500]
        desk.timeline.add(tx, [Entry(one.incident_id, desk.clock(), EntryKind.NOTE, text)])


def ended(tx: Transaction, one: Reached, state: str, said: str, desk: Desk) -> None:
    """An attempt is over: the row, the timeline and the card say how."""
    latest = desk.reach.get(tx, one.key) or one
    if latest.state != "due":
        return
    page = one.page if state == "done" else ""
    desk.reach.put(tx, replace(latest, at=desk.clock(), state=state, page=page, detail=said[:500]))
    desk.timeline.add(tx, [Entry(one.incident_id, desk.clock(), EntryKind.NOTE, said[:500])])
    want(tx, f"card:{one.incident_id}", desk)


def _name(one: Reached) -> str:
    return str(Target(one.how, one.target))


async def _reach(one: Reached, incident: Incident, desk: Desk) -> str:
    """Do it; what was done, for the timeline."""
    target = Target(one.how, one.target)
    if target.kind == "channel":
        return await _tell_channel(one, incident, desk)
    if target.kind in ("person", "rota"):
        return await _tell_person(one, incident, target, desk)
    pager = desk.pagers.get(target.kind)
    if pager is None:
        raise NotFound(f"{target.kind} cannot page: its credentials are not set. See docs/connectors/{target.kind}.md.")
    await pager.page(await _page(one, incident, desk))
    return f"{target} was paged"


async def _page(one: Reached, incident: Incident, desk: Desk) -> Page:
    """What a pager shows; the link only where the chat has the card and answers."""
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"card:{incident.id}"))
    link = ""
    if card is not None and card.place.ts:
        try:
            link = await desk.channel.permalink(card.place)
        except BotError:  # waking somebody matters more than the link
            link = ""
    title = f"{incident.key} {incident.service} {incident.severity.value}: {incident.title}"
    what = "1 alert fires" if incident.firing == 1 else f"{incident.firing} alerts fire"
    text = f"{what}, in {', '.join(incident.services[:5])}. {one.detail.removeprefix('trouble: ')}"
    return Page(one.page, title, incident.severity, incident.service, text, link, one.target)


async def _thread(incident: Incident, desk: Desk) -> Place:
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"card:{incident.id}"))
    if card is None or not card.place.ts:
        raise Unavailable(f"The card of {incident.key} is not in Slack yet.")
    return card.place


async def _tell_person(one: Reached, incident: Incident, target: Target, desk: Desk) -> str:
    persons = await persons_of(target, desk.routing(), desk.clock(), desk.schedules.get)
    people, unknown = await in_slack(persons, desk)
    if not people:
        mail, address = desk.pagers.get("email"), next((p.email for p in persons if p.email), "")
        if mail is None or not address:
            who = ", ".join(unknown) or "nobody"
            raise NotFound(f"{who} is no user of this Slack; `people` in routing.yaml can say who that is.")
        await mail.page(replace(await _page(one, incident, desk), key=f"{incident.id}:{address}", target=address))
        return f"{target} was told by e-mail to {address}"
    card = await _thread(incident, desk)
    said = NoteView(f"{incident.key} {incident.severity.value} is yours if you take it: {_why(one)}.", people)
    await post_once(f"reach:{one.key}", Place(card.channel, "", card.ts), said, desk)
    return f"{target} was called in the thread ({', '.join(people)})"


async def _tell_channel(one: Reached, incident: Incident, desk: Desk) -> str:
    card = await _thread(incident, desk)
    link = await desk.channel.permalink(card)
    said = NoteView(f"{incident.key} {incident.severity.value} {incident.service}: {incident.title}\n{_why(one)}. {link}")
    await post_once(f"reach:{one.key}", Place(await desk.channel.channel_id(one.target)), said, desk)
    return f"{one.target} was told"


def _why(one: Reached) -> str:
    return one.detail if not one.detail.startswith("trouble") else "nobody has acknowledged it"


async def morning(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The quiet hours of a channel are over: what came up in them is told once, and who is on call addressed."""
    channel, until = str(args["channel"]), str(args["until"])

    def look(tx: Transaction) -> list[Incident]:
        kept = [(i, desk.reach.get(tx, f"{i.id}:quiet")) for i in desk.incidents.recent(tx, 300)]
        return [i for i, row in kept if row is not None and row.target == channel and row.detail == until]

    quiet = await desk.db.read(look)
    if not quiet:
        return
    still = [i for i in quiet if i.live]
    people = tuple(dict.fromkeys(p for i in still if i.status is Status.OPEN for p in i.on_call))
    lines = [f"{len(quiet)} came up in the quiet hours, {len(still)} still open:", *(_line(i, desk.clock()) for i in quiet[:30])]
    place = Place(await desk.channel.channel_id(channel))
    await post_once(f"morning:{channel}:{until}", place, NoteView("\n".join(lines), people), desk)


def _line(incident: Incident, now: datetime) -> str:
    state = incident.status.value if incident.live else f"{incident.status.value}, {incident.resolved_by or 'over'}"
    hours = (now - incident.opened_at).total_seconds() / 3600
    return f"{incident.key} {incident.service} {incident.severity.value}, {hours:.1f} h ago, {state}: {incident.title[:120]}"
