"""A deployment begins to settle in, or ends the watch over the one before it; the looks are durable work, one for all at once."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.change import Change, ChangeStatus
from bot.domain.watch import Bake, BakeVerdict
from bot.flows.desk import Desk
from bot.flows.watching.reading import on
from bot.ports import Transaction

ONE = timedelta(minutes=3)  # reports of deployments of a service that lie so close are of one
MOST = 10  # services of one change
BEGUN = (ChangeStatus.RUNNING, ChangeStatus.SUCCEEDED)


def begin_bakes(tx: Transaction, changes: Iterable[Change], desk: Desk) -> None:
    """What was shipped is watched from now on; a newer deployment of a service ends the watch over the older one."""
    if not on(desk) or not desk.watching.bake:
        return
    active = {bake.id: bake for bake in desk.watches.bakes(tx)}
    before, now = dict(active), desk.clock()
    for change in changes:
        if change.status in BEGUN and now - change.at < desk.watching.bake:
            for service in _services(change, desk):
                _place(change, service, active, now, desk)
    news = [bake for id, bake in active.items() if before.get(id) != bake]
    if news:
        desk.watches.bake(tx, news)
        look_again(tx, desk)


def look_again(tx: Transaction, desk: Desk) -> None:
    """The next look is due at the next slot, if anything is still looked at; asking again changes nothing."""
    if not desk.watches.bakes(tx):
        return
    step = _step(desk)
    slot = (int(desk.clock().timestamp() // step) + 1) * step
    due = datetime.fromtimestamp(slot, tz=desk.clock().tzinfo)
    args = {"slot": f"{slot:.0f}"}
    desk.work.start(tx, "housekeeping", "bake_look", f"bake_look:{slot:.0f}", args, partition="bake_look", not_before=due)


def _step(desk: Desk) -> float:
    """Seconds between two looks: six of them in a full watch, and at least one."""
    return max(1.0, min(desk.watching.every, desk.watching.bake / 6).total_seconds())


def _services(change: Change, desk: Desk) -> list[str]:
    known = (desk.catalogue().resolve(name) for name in change.services)
    return [service.name for service in known if service is not None and not service.external][:MOST]


def _place(change: Change, service: str, active: dict[str, Bake], now: datetime, desk: Desk) -> None:
    environment = change.environment or desk.default_environment
    same = [b for b in active.values() if b.active and (b.service, b.environment) == (service, environment)]
    for bake in same:
        if change.id in bake.changes:
            return
        if abs(change.at - bake.began_at) <= ONE:
            if change.shipped:
                what = _what(change, service) if change.version and change.at > bake.began_at else bake.what
                active[bake.id] = replace(bake, changes=(*bake.changes, change.id), what=what)
            return
        if change.at > bake.began_at:
            reason = f"a newer deployment began: {_what(change, service)}"
            active[bake.id] = replace(bake, verdict=BakeVerdict.OVERTAKEN, reason=reason, ended_at=now)
    if change.shipped:
        began = min(change.at, now)
        id = desk.new_id()
        ends = began + desk.watching.bake
        active[id] = Bake(id, service, environment, (change.id,), _what(change, service), began, ends)


def _what(change: Change, service: str) -> str:
    """For people: "payments v43 by ines-d"; the words of a change are clean already."""
    named = " ".join((service, change.version or change.commit[:7])).strip()
    return (f"{named} by {change.author}" if change.author else named)[:200]
