"""Deployments that settle in are looked at until they are clean, suspect or unclear, even when nothing alerts."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.telemetry import Series, Window
from bot.domain.watch import Bake, BakeVerdict, Sort, Warned
from bot.flows.desk import Desk
from bot.flows.watching.bakes import look_again
from bot.flows.watching.reading import BATCH, on, read
from bot.flows.watching.telling import neighbours, note, over, tell, worded
from bot.ports import Scalar, Transaction
from bot.signals.settling import LEAST, Look, look_at

MOST_NEIGHBOURS = 12
ATTACHES = 4  # times the watch: so long after it a suspect deployment is still a signal that alerts can join
SAID = {
    BakeVerdict.CLEAN: "settled in, nothing got worse",
    BakeVerdict.SUSPECT: "is suspect",
    BakeVerdict.UNCLEAR: "is unclear",
    BakeVerdict.OVERTAKEN: "was overtaken",
    BakeVerdict.WATCHING: "is watched",
}


async def bake_look(args: Mapping[str, Scalar], desk: Desk) -> None:
    """All deployments that settle in are looked at once; the next look is set in the same write."""
    slot, now = str(args["slot"]), desk.clock()
    bakes = await desk.db.read(desk.watches.bakes)
    found: dict[str, Look] = {}
    if bakes and on(desk):
        unusual = await desk.db.read(desk.watches.warnings)
        series, whole = await _read(bakes, now, desk)
        for bake in bakes:
            near = set(_around(bake.service, desk))
            about = [s for s in series if s.service in near]
            odd = frozenset((w.service, w.metric) for w in unusual if w.sort is Sort.ANOMALY and w.at >= bake.began_at)
            found[bake.id] = await asyncio.to_thread(look_at, about, bake.service, bake.began_at, now, odd, whole=whole)
    await desk.db.write(lambda tx: _judge(tx, found, slot, now, desk))


def said(bake: Bake) -> str:
    """For people: "payments v43 by ines-d is suspect: latency_p99 of payments went from 0.1 to 0.9"."""
    return worded(f"{bake.what} {SAID[bake.verdict]}" + (f": {bake.reason}" if bake.reason else ""))


async def _read(bakes: Iterable[Bake], now: datetime, desk: Desk) -> tuple[list[Series], bool]:
    """Every series that a bake needs, each service asked for once, and whether every source answered."""
    bakes = list(bakes)
    start = min(bake.began_at - max(now - bake.began_at, LEAST) for bake in bakes)
    services = list(dict.fromkeys(s for bake in bakes for s in _around(bake.service, desk)))
    series: list[Series] = []
    whole = True
    for first in range(0, len(services), BATCH):
        answer = await read(services[first : first + BATCH], Window(start, now), desk)
        series += answer.series
        whole = whole and answer.whole
    return series, whole


def _around(service: str, desk: Desk) -> tuple[str, ...]:
    return (service, *neighbours(service, desk)[:MOST_NEIGHBOURS])


def _judge(tx: Transaction, found: Mapping[str, Look], slot: str, now: datetime, desk: Desk) -> None:
    """Verdicts of those that were not overtaken meanwhile; one slot counts once."""
    judged = []
    for bake in desk.watches.bakes(tx):
        look = found.get(bake.id)
        if look is not None and bake.looked != slot:
            judged.append(_verdict(replace(bake, looked=slot), look, now))
        elif look is None and now >= bake.ends_at:
            reason = "it could not be looked at"
            judged.append(replace(bake, verdict=BakeVerdict.UNCLEAR, reason=reason, ended_at=now))
    desk.watches.bake(tx, judged)
    ended = [bake for bake in judged if not bake.active]
    tell(tx, [_warned(bake, now, desk) for bake in ended if bake.verdict is BakeVerdict.SUSPECT], desk)
    _note(tx, ended, desk)
    _let_go(tx, now, desk)
    look_again(tx, desk)


def _verdict(bake: Bake, look: Look, now: datetime) -> Bake:
    """Worse at two looks in a row, or at the last one, is suspect."""
    hits = tuple(worse.name for worse in look.worse)
    again = set(hits) & set(bake.hits)
    bake = replace(bake, hits=hits)
    if again or (hits and now >= bake.ends_at):
        reason = "; ".join(worse.text for worse in look.worse[:3])
        return replace(bake, verdict=BakeVerdict.SUSPECT, reason=reason, ended_at=now)
    if now < bake.ends_at:
        return bake
    verdict = BakeVerdict.UNCLEAR if look.doubt else BakeVerdict.CLEAN
    return replace(bake, verdict=verdict, reason=look.doubt, ended_at=now)


def _warned(bake: Bake, now: datetime, desk: Desk) -> Warned:
    return Warned(desk.new_id(), Sort.BAKE, bake.service, bake.environment, "deployment", now, said(bake), bake.changes[-1])


def _note(tx: Transaction, ended: Sequence[Bake], desk: Desk) -> None:
    """A deployment that ended well or unclear is noted in live incidents of its service; a suspect one is an alert already."""
    live = desk.incidents.live(tx) if ended else ()
    for bake in ended:
        for incident in live:
            here = bake.service in incident.services and bake.environment == incident.environment
            if here and bake.verdict is not BakeVerdict.SUSPECT:
                note(tx, incident, said(bake), desk)


def _let_go(tx: Transaction, now: datetime, desk: Desk) -> None:
    old = [w for w in desk.watches.warnings(tx) if w.sort is Sort.BAKE and now - w.at >= ATTACHES * desk.watching.bake]
    over(tx, old, "long enough ago", desk)
