"""A person's home page: what is theirs, what is open, what waits for them; made anew when opened and when things change.

Whoever opened the page has a card `home:<user>`; the page is published again after a message of ours changed, until it was
published `ENOUGH` times without being opened again. At most one refresh per person is outstanding.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.action import BUSY, Action, ActionStatus
from bot.domain.incident import Incident
from bot.domain.request import Person
from bot.domain.view import HomeView, Place
from bot.flows.automating.standing import on_home
from bot.flows.desk import Desk
from bot.flows.locking.guarding import memberships
from bot.flows.showing import digest
from bot.ports import Card, Scalar, Transaction

NOBODY: frozenset[str] = frozenset()
ENOUGH = 200
STALE = timedelta(minutes=2)  # a refresh outstanding for longer is asked for again
PREFIX = "home:"


async def home(person: Person, desk: Desk) -> HomeView:
    """The page of somebody who opened it; from now on it is kept current."""

    groups = await _groups_of(person.id, desk)

    def go(tx: Transaction) -> HomeView:
        view = view_of(tx, person.id, desk, groups)
        desk.cards.put(tx, Card(PREFIX + person.id, Place(person.id), shown=digest(view)))
        return view

    return await desk.db.write(go)


def stir(tx: Transaction, desk: Desk) -> None:
    """Something changed: the pages that people look at are brought up to date soon."""
    now = desk.clock()
    for card in desk.cards.like(tx, PREFIX):
        waiting = card.pending and now - datetime.fromisoformat(card.pending) < STALE
        if waiting or card.posts >= ENOUGH:
            continue
        desk.cards.put(tx, replace(desk.cards.hold(tx, card.key) or card, pending=now.isoformat()))
        user = card.place.channel
        desk.work.start(tx, "slack", "refresh_home", f"{card.key}:{desk.new_id()}", {"user": user}, partition=card.key)


async def refresh_home(args: Mapping[str, Scalar], desk: Desk) -> None:
    """One person's page shows the latest state, if that differs from what it shows."""
    user = str(args["user"])
    groups = await _groups_of(user, desk)

    def read(tx: Transaction) -> HomeView | None:
        card = desk.cards.hold(tx, PREFIX + user)
        if card is None:
            return None
        view = view_of(tx, user, desk, groups)
        desk.cards.put(tx, replace(card, pending=""))
        return None if card.shown == digest(view) else view

    view = await desk.db.write(read)
    if view is None:
        return
    await desk.channel.publish(user, view)

    def record(tx: Transaction) -> None:
        card = desk.cards.hold(tx, PREFIX + user)
        if card is not None:
            desk.cards.put(tx, replace(card, shown=digest(view), posts=card.posts + 1))

    await desk.db.write(record)


async def _groups_of(user: str, desk: Desk) -> frozenset[str]:
    """The chat's user groups of this person, where policies.yaml names some."""
    return (await memberships([user], desk)).get(user, NOBODY)


def view_of(tx: Transaction, user: str, desk: Desk, groups: frozenset[str] = NOBODY) -> HomeView:
    """What the page of this person, who is in these user groups of the chat, shows now."""
    live = desk.incidents.live(tx)
    unfinished = desk.actions.unfinished(tx)
    return HomeView(
        mine=tuple(i for i in live if _is_mine(i, user, desk)),
        incidents=live,
        approvals=tuple(a for a in unfinished if a.status is ActionStatus.AWAITING and _may_approve(user, a, groups, desk)),
        under_way=tuple(replace(a, output=(), version=0) for a in unfinished if a.status in BUSY),  # what the page does not show
        as_of=desk.clock(),
        automation=on_home(tx, desk),
    )


def _may_approve(user: str, action: Action, groups: frozenset[str], desk: Desk) -> bool:
    return desk.policies().may_approve(user, action, desk.catalogue().get(action.service), groups).allowed


def _is_mine(incident: Incident, user: str, desk: Desk) -> bool:
    """Acknowledged by this person, who is on call for it, or whose team (a group of policies.yaml) owns the service."""
    if user == incident.acknowledged_by or user in incident.on_call:
        return True
    owners = {desk.catalogue().get(s).owner for s in incident.services} - {""}
    return user in desk.policies().members(owners)
