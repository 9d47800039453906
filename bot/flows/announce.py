"""What people see is kept current: one message per thing, posted once, edited in place.

A message of ours has a key: `card:<incident>`, `evidence:<incident>`, `thought:<incident>`, `pointer:<incident>:<channel>`,
`charts:<incident>`, `confirm:<incident>`, `action:<action>`, `batch:<several actions>`. `want` asks for it to be brought up to
date; `refresh` is the durable work that does so. At most one refresh per key is outstanding; it reads the latest state when it
runs, and ends if that is what people see already.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.action import Action, ActionStatus, way_back
from bot.domain.incident import Incident
from bot.domain.view import ActionView, EvidenceView, IncidentView, Place, PointerView, Shown
from bot.errors import NotAllowed, NotFound, Unavailable
from bot.flows.desk import Desk
from bot.flows.following import follow
from bot.flows.homepage import stir
from bot.flows.reaching.escalation import begin
from bot.flows.reaching.oncall import choose_owner
from bot.flows.runbooks.knowing import fit_for
from bot.flows.showing import build, digest, pointer_channels
from bot.flows.waiting import by_name, unrung
from bot.investigation.thought import unread
from bot.ports import Card, Scalar, Start, Transaction

STALE = timedelta(minutes=2)  # a refresh outstanding for longer is asked for again by its id, which starts it only if it was lost
AT_ONCE = timedelta()
PROGRESS = timedelta(seconds=3)  # how often at most a message that only tells of progress is edited
LOST = timedelta(hours=1)  # ... and for longer than this by another one: whatever became of it, the message does not freeze


def announce(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """The card of this incident is brought up to date; the first one waits a moment for the first diagnosis."""
    announce_all(tx, [incident], desk)


def announce_all(tx: Transaction, incidents: Sequence[Incident], desk: Desk) -> None:
    """`announce` for each of many, in a handful of statements."""
    for incident in incidents:
        follow(tx, incident, desk)
        begin(tx, incident, desk)
    cards = desk.cards.hold_all(tx, [f"card:{incident.id}" for incident in incidents])
    unseen = [incident.id for incident in incidents if f"card:{incident.id}" not in cards]
    waiting = set(unseen) - desk.diagnoses.known(tx, unseen)
    later = desk.clock() + desk.limits.first_card
    desk.work.start_all(
        tx,
        [
            Start("housekeeping", "first_card", f"first_card:{id}", {"incident_id": id}, not_before=later)
            for id in unseen
            if id in waiting
        ],
    )
    _want(tx, [f"card:{incident.id}" for incident in incidents if incident.id not in waiting], cards, desk)


def show_action(tx: Transaction, action: Action, desk: Desk, place: Place | None = None) -> None:
    """The one message of this action is brought up to date; `place` is where it first appears without an incident."""
    key = message_key(action)
    if place is not None and not action.incident_id and desk.cards.hold(tx, key) is None:
        desk.cards.put(tx, Card(key=key, place=Place(place.channel, "", place.thread)))
    want(tx, key, desk)
    if action.batch and (action.status is ActionStatus.UNCERTAIN or way_back(action)):  # there people have more to press
        want(tx, f"action:{action.id}", desk)


def message_key(action: Action) -> str:
    """The key of the message that tells of this action: its own, or that of its batch."""
    return f"batch:{action.batch}" if action.batch else f"action:{action.id}"


def show_progress(tx: Transaction, action: Action, desk: Desk) -> None:
    """The message of an action that goes on shows how far it is, edited every few seconds at most."""
    want(tx, message_key(action), desk, PROGRESS)


def want(tx: Transaction, key: str, desk: Desk, wait: timedelta = AT_ONCE) -> None:
    """This message is brought up to date soon, or after `wait`; asking again while that is outstanding changes nothing.

    What is wanted at once does not wait for what was wanted later.
    """
    held = desk.cards.hold(tx, key)
    _want(tx, [key], {} if held is None else {key: held}, desk, wait)


def _want(tx: Transaction, keys: Iterable[str], cards: Mapping[str, Card], desk: Desk, wait: timedelta = AT_ONCE) -> None:
    """These messages are brought up to date soon; `cards` are held."""
    now = desk.clock()
    due = now + wait
    new: list[Card] = []
    stale: list[Card] = []
    for key in keys:
        card = cards.get(key) or Card(key=key, place=Place(""))
        waits = now - _asked_at(card) if card.pending else LOST
        if waits >= LOST or (_asked_at(card) - due > AT_ONCE and not wait):
            new.append(replace(card, pending=f"{due.isoformat()} {desk.new_id()}"))
        elif waits >= STALE:
            stale.append(card)
    desk.cards.put_all(tx, new)
    desk.work.start_all(tx, [_refreshing(card, wait) for card in (*new, *stale)])


def _asked_at(card: Card) -> datetime:
    return datetime.fromisoformat(card.pending.partition(" ")[0])


def _refreshing(card: Card, wait: timedelta) -> Start:
    """The refresh that `pending` stands for: when it is due, and an id."""
    key, id = card.key, card.pending.partition(" ")[2] or card.pending
    partition = card.place.channel if card.place.ts else key  # nobody looks for a message while another run may be posting it
    args: Mapping[str, Scalar] = {"key": key, "asked": card.pending}
    due = _asked_at(card) if wait else None
    return Start("slack", "refresh", f"refresh:{key}:{id}", args, partition=partition, not_before=due)


async def first_card(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The first card appears now, with or without a diagnosis."""

    def go(tx: Transaction) -> None:
        if desk.incidents.get(tx, str(args["incident_id"])) is not None:
            want(tx, f"card:{args['incident_id']}", desk)

    await desk.db.write(go)


async def refresh(args: Mapping[str, Scalar], desk: Desk) -> None:
    """One message shows the latest state, whatever happened since this was asked for."""
    key, asked = str(args["key"]), str(args.get("asked", ""))
    if key.startswith("card:"):
        await choose_owner(key.removeprefix("card:"), desk)

    def read(tx: Transaction) -> tuple[Card, Shown, Place] | None:
        card = desk.cards.hold(tx, key) or Card(key=key, place=Place(""))
        if asked and card.pending not in ("", asked):
            return None  # a later one is outstanding, which will show all that this one would
        built = build(tx, key, desk)
        desk.cards.put(tx, replace(card, pending=""))
        return None if built is None else (card, *built)

    now_seen = await desk.db.write(read)
    if now_seen is None:
        return
    try:
        await _shown(*now_seen, desk)
    except Unavailable:
        await desk.db.write(lambda tx: _still_due(tx, key, asked, desk))
        raise


def _still_due(tx: Transaction, key: str, asked: str, desk: Desk) -> None:
    """The refresh will be tried again, so nobody needs to ask for another."""
    card = desk.cards.hold(tx, key)
    if card is not None and not card.pending:
        desk.cards.put(tx, replace(card, pending=asked))


async def _shown(card: Card, view: Shown, home: Place, desk: Desk) -> None:
    if isinstance(view, PointerView):
        view = replace(view, permalink=await desk.channel.permalink(view.card))
    if isinstance(view, ActionView) and view.groups:
        view = await by_name(view, desk)
    first = view if card.place.ts else unrung(view)
    shown = digest(first)
    if card.shown == shown:
        return
    place = await _put(card, first, home, desk)

    def record(tx: Transaction) -> None:
        latest = desk.cards.hold(tx, card.key) or card  # before its companions, as everybody else does
        _companions(tx, view, desk)
        stir(tx, desk)
        desk.cards.put(tx, replace(latest, place=place, shown=shown, posts=latest.posts + 1))
        if first != view:
            want(tx, card.key, desk)

    await desk.db.write(record)


async def _put(card: Card, view: Shown, home: Place, desk: Desk) -> Place:
    if card.place.ts:
        try:
            await desk.channel.edit(card.place, await fit_for(view, card.place.channel, desk))
        except NotFound:  # somebody deleted it
            return await _post_or_find(card, replace(card.place, ts=""), view, True, desk)
        return card.place
    tried = bool(card.place.channel)
    place = card.place if tried else await _settle(home, desk)
    try:
        return await _post_or_find(card, place, view, tried, desk)
    except (NotFound, NotAllowed):
        default = Place(await desk.channel.channel_id(desk.routing().default.channel))
        if place.channel == default.channel or place.thread or card.key.startswith("pointer:"):
            raise
        return await _post_or_find(card, default, view, True, desk)


async def post_once(key: str, place: Place, view: Shown, desk: Desk) -> Place:
    """A message that is never edited stands once, however often this is tried."""
    card = await desk.db.read(lambda tx: desk.cards.get(tx, key))
    if card is not None and card.place.ts:
        return card.place
    stands = await _post_or_find(card or Card(key, place), place, view, card is not None, desk)

    def record(tx: Transaction) -> Place:
        latest = desk.cards.hold(tx, key) or Card(key, place)
        desk.cards.put(tx, replace(latest, place=stands, posts=1))
        return stands

    return await desk.db.write(record)


async def _post_or_find(card: Card, place: Place, view: Shown, tried: bool, desk: Desk) -> Place:
    """Post it; if an earlier attempt may have posted it and died before it could say so, look for it first.

    Also where that attempt was about to post it: the thread may stand only since.
    """
    view = await fit_for(view, place.channel, desk)
    before = card.place.thread if card.place.channel == place.channel else place.thread
    for thread in dict.fromkeys((place.thread, before)) if tried else ():
        if found := await desk.channel.find(place.channel, card.key, thread):
            await desk.channel.edit(found, view)
            return found

    def about_to(tx: Transaction) -> None:  # at every try: whoever was taken over meanwhile is stopped here
        latest = desk.cards.hold(tx, card.key) or card
        desk.cards.put(tx, replace(latest, place=place))

    await desk.db.write(about_to)
    return await desk.channel.post(place, view, key=card.key)


async def _settle(home: Place, desk: Desk) -> Place:
    """Where a message goes: the wanted channel, or the default one if the bot cannot find it."""
    try:
        return Place(await desk.channel.channel_id(home.channel), "", home.thread)
    except NotFound:
        default = desk.routing().default.channel
        return Place(await desk.channel.channel_id(default))


def _companions(tx: Transaction, view: Shown, desk: Desk) -> None:
    """A card that stands brings its evidence into its thread and pointers into the other channels.

    A model is asked once the ranked evidence stands, never before.
    """
    if isinstance(view, EvidenceView) and desk.model is not None and unread(view.diagnosis) and view.incident.live:
        work = f"think:{view.incident.id}:{view.diagnosis.at.isoformat()}"
        args = {"incident_id": view.incident.id, "id": work}
        desk.work.start(tx, "model", "think", work, args, partition=view.incident.id)
    if not isinstance(view, IncidentView):
        return
    incident = view.incident
    if view.diagnosis is not None:
        want(tx, f"evidence:{incident.id}", desk)
        if view.diagnosis.thought is not None:
            want(tx, f"thought:{incident.id}", desk)
    for channel in pointer_channels(incident, view.diagnosis, desk):
        want(tx, f"pointer:{incident.id}:{channel}", desk)
    if view.action is not None:
        want(tx, message_key(view.action), desk)
