"""What people see is kept current: one message per thing, posted once, edited in place.

A message of ours has a key: `card:<incident>`, `evidence:<incident>`, `thought:<incident>`, `pointer:<incident>:<channel>`,
`confirm:<incident>`, `action:<action>`. `want` asks for it to be brought up to date; `refresh` is the durable work that does
so. At most one refresh per key is outstanding; it reads the latest state when it runs, and ends if that is what people see
already.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.action import Action, ActionStatus
from bot.domain.evidence import Diagnosis, Verdict
from bot.domain.incident import Incident
from bot.domain.view import (
    ActionView,
    ConfirmView,
    EvidenceView,
    IncidentView,
    Place,
    PointerView,
    Shown,
    ThoughtView,
)
from bot.errors import NotAllowed, NotFound
from bot.flows.desk import Desk
from bot.flows.homepage import stir
from bot.flows.spending import notice
from bot.incidents.routing import Route
from bot.investigation.thought import unread
from bot.ports import Card, Scalar, Transaction

EPOCH = datetime.fromtimestamp(0, tz=UTC)
STALE = timedelta(minutes=2)  # a refresh outstanding for longer is asked for again


def announce(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """The card of this incident is brought up to date; the first one waits a moment for the first diagnosis."""
    seen = desk.cards.get(tx, f"card:{incident.id}")
    if seen is None and desk.diagnoses.latest(tx, incident.id) is None:
        later = desk.clock() + desk.limits.first_card
        desk.work.start(
            tx,
            "housekeeping",
            "first_card",
            f"first_card:{incident.id}",
            {"incident_id": incident.id},
            not_before=later,
        )
        return
    want(tx, f"card:{incident.id}", desk)


def show_action(tx: Transaction, action: Action, desk: Desk, place: Place | None = None) -> None:
    """The one message of this action is brought up to date; `place` is where it first appears without an incident."""
    key = f"action:{action.id}"
    if place is not None and not action.incident_id and desk.cards.hold(tx, key) is None:
        desk.cards.put(tx, Card(key=key, place=Place(place.channel, "", place.thread)))
    want(tx, key, desk)


def want(tx: Transaction, key: str, desk: Desk) -> None:
    """This message is brought up to date soon; asking again while that is outstanding changes nothing."""
    now = desk.clock()
    card = desk.cards.hold(tx, key) or Card(key=key, place=Place(""))
    if card.pending and now - datetime.fromisoformat(card.pending) < STALE:
        return
    desk.cards.put(tx, replace(card, pending=now.isoformat()))
    partition = card.place.channel if card.place.ts else key  # nobody looks for a message while another run may be posting it
    desk.work.start(tx, "slack", "refresh", f"refresh:{key}:{desk.new_id()}", {"key": key}, partition=partition)


async def first_card(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The first card appears now, with or without a diagnosis."""

    def go(tx: Transaction) -> None:
        if desk.incidents.get(tx, str(args["incident_id"])) is not None:
            want(tx, f"card:{args['incident_id']}", desk)

    await desk.db.write(go)


async def refresh(args: Mapping[str, Scalar], desk: Desk) -> None:
    """One message shows the latest state, whatever happened since this was asked for."""
    key = str(args["key"])

    def read(tx: Transaction) -> tuple[Card, Shown, Place] | None:
        built = build(tx, key, desk)
        card = desk.cards.hold(tx, key) or Card(key=key, place=Place(""))
        desk.cards.put(tx, replace(card, pending=""))
        return None if built is None else (card, *built)

    now_seen = await desk.db.write(read)
    if now_seen is None:
        return
    card, view, home = now_seen
    if isinstance(view, PointerView):
        view = replace(view, permalink=await desk.channel.permalink(view.card))
    shown = digest(view)
    if card.shown == shown:
        return
    place = await _put(card, view, home, desk)

    def record(tx: Transaction) -> None:
        _companions(tx, view, desk)
        stir(tx, desk)
        latest = desk.cards.hold(tx, key) or card
        desk.cards.put(tx, replace(latest, place=place, shown=shown, posts=latest.posts + 1))

    await desk.db.write(record)


async def _put(card: Card, view: Shown, home: Place, desk: Desk) -> Place:
    if card.place.ts:
        try:
            await desk.channel.edit(card.place, view)
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
    """Post it; if an earlier attempt may have posted it and died before it could say so, look for it first."""
    if tried and (found := await desk.channel.find(place.channel, card.key, place.thread)):
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
        want(tx, f"action:{view.action.id}", desk)


def pointer_channels(incident: Incident, diagnosis: Diagnosis | None, desk: Desk) -> tuple[str, ...]:
    """The other channels that should know: those of every service involved, and the overview."""
    services = [*incident.services, *((diagnosis.cause.service,) if diagnosis and diagnosis.cause else ())]
    wanted = [route_of(incident, s, desk).channel for s in services]
    overview = desk.routing().overview
    return tuple(c for c in dict.fromkeys((*wanted, *((overview,) if overview else ()))) if c != incident.channel)


def route_of(incident: Incident, service: str, desk: Desk) -> Route:
    """Where things about this service of this incident go."""
    owner = desk.catalogue().get(service).owner
    return desk.routing().route(
        owner=owner,
        service=service,
        severity=incident.severity,
        environment=incident.environment,
        at=incident.opened_at,
    )


def build(tx: Transaction, key: str, desk: Desk) -> tuple[Shown, Place] | None:
    """What the message with this key shows now, and where it first appears; None if there is nothing to show."""
    kind, id, *rest = key.split(":", 2)
    if kind == "action":
        return _build_action(tx, id, desk)
    incident = desk.incidents.get(tx, id)
    if incident is None:
        return None
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    if kind == "card":
        incident = _at_home(tx, incident, diagnosis, desk)
        return incident_view(tx, incident, desk), Place(incident.channel)
    card = desk.cards.get(tx, f"card:{incident.id}")
    if card is None or not card.place.ts:
        return None
    thread = Place(card.place.channel, "", card.place.ts)
    if kind == "evidence":
        return (EvidenceView(incident, diagnosis), thread) if diagnosis else None
    if kind == "thought":
        stands = desk.cards.get(tx, key)
        return _build_thought(incident, diagnosis, stands is not None and bool(stands.place.ts), thread)
    if kind == "confirm":
        return ConfirmView(incident, diagnosis), thread
    return PointerView(incident, why=_why(incident, diagnosis, rest[0], desk), card=card.place), Place(rest[0])


def _build_thought(incident: Incident, diagnosis: Diagnosis | None, stands: bool, thread: Place) -> tuple[Shown, Place] | None:
    """What the model thinks; that it failed is told by the card alone unless an earlier thought stands in the thread."""
    if diagnosis is None or diagnosis.thought is None or (diagnosis.thought.failure and not stands):
        return None
    return ThoughtView(incident.key, diagnosis.thought), thread


def _build_action(tx: Transaction, id: str, desk: Desk) -> tuple[Shown, Place] | None:
    action = desk.actions.get(tx, id)
    if action is None:
        return None
    incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
    rule = desk.policies().rule_for(action.kind, action.service, action.environment)
    asked = desk.policies().members(rule.approve) if rule else ()
    able = tuple(p for p in asked if desk.policies().may_approve(p, action).allowed)
    view = ActionView(action, incident, as_of=action.updated_at, approvers=able)
    card = desk.cards.get(tx, f"card:{incident.id}") if incident else None
    if card is not None and card.place.ts:
        return view, Place(card.place.channel, "", card.place.ts)
    own = desk.cards.get(tx, f"action:{id}")
    if own is not None and own.place.channel:
        return view, own.place
    service = desk.catalogue().get(action.service)
    default = desk.routing().default.channel
    channel = default if incident is None else route_of(incident, service.name, desk).channel
    return view, Place(channel)


def _at_home(tx: Transaction, incident: Incident, diagnosis: Diagnosis | None, desk: Desk) -> Incident:
    """The incident with its home channel, chosen once: the owner of the convicted service, else of the first one alerting."""
    if incident.channel:
        return incident
    convicted = diagnosis is not None and diagnosis.cause is not None
    service = diagnosis.cause.service if convicted and diagnosis and diagnosis.cause else incident.service
    route = route_of(incident, service, desk)
    return desk.incidents.save(tx, replace(incident, channel=route.channel, on_call=route.on_call))


def incident_view(tx: Transaction, incident: Incident, desk: Desk) -> IncidentView:
    """All that the card tells."""
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    actions = desk.actions.of_incident(tx, incident.id)
    return IncidentView(
        incident=incident,
        diagnosis=diagnosis,
        action=actions[0] if actions else None,
        may_propose=rollback_target(tx, incident, diagnosis, actions, desk),
        as_of=desk.clock(),
        looking=diagnosis is None,
        notices=(notice(tx, incident, diagnosis, desk),),
    )


def rollback_target(
    tx: Transaction, incident: Incident, diagnosis: Diagnosis | None, actions: tuple[Action, ...], desk: Desk
) -> str:
    """The version that a rollback would bring back, or "" where none is offered.

    It is offered only for a convicted change of a service that we can deploy, while nothing else is under way for it.
    """
    if diagnosis is None or diagnosis.verdict is not Verdict.CONVICTED or diagnosis.cause is None or not incident.live:
        return ""
    cause = diagnosis.cause
    if not desk.catalogue().get(cause.service).deployer or any(not a.ended for a in actions):
        return ""
    if any(a.status is ActionStatus.SUCCEEDED and a.service == cause.service for a in actions):
        return ""
    before = [
        c
        for c in desk.changes.between(tx, desk.clock() - timedelta(days=30), cause.shipped_at or desk.clock())
        if c.shipped and cause.service in c.services and c.version and c.version != cause.version
    ]
    return before[-1].version if before else "the version before"


def _why(incident: Incident, diagnosis: Diagnosis | None, channel: str, desk: Desk) -> str:
    cause = diagnosis.cause if diagnosis else None
    if cause is not None and route_of(incident, cause.service, desk).channel == channel:
        return f"{cause.service} is the likely cause"
    here = [s for s in incident.services if route_of(incident, s, desk).channel == channel]
    return f"{', '.join(here)} is affected" if len(here) == 1 else f"{', '.join(here)} are affected" if here else "overview"


def digest(view: Shown) -> str:
    """Equal for views that look the same to people; the time of looking does not count."""
    same = replace(view, as_of=EPOCH) if isinstance(view, IncidentView | ActionView) else view
    if isinstance(same, IncidentView | EvidenceView | ConfirmView) and same.diagnosis is not None:
        same = replace(same, diagnosis=replace(same.diagnosis, at=EPOCH, trace_id="", thought=None))
    return hashlib.sha256(repr(same).encode()).hexdigest()[:24]
