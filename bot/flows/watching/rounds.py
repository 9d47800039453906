"""Every few minutes each golden signal meets its memory; what is unusual is told of once, and is over when it is usual again."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from bot.domain.telemetry import Series, Window
from bot.domain.watch import Sort, Warned, Watched
from bot.flows.desk import Desk
from bot.flows.watching.bakes import look_again
from bot.flows.watching.reading import batches, on, read
from bot.flows.watching.telling import over, tell, worded
from bot.ports import Scalar, Transaction
from bot.signals.direction import bad_direction
from bot.signals.golden import floor, golden, name
from bot.signals.novelty import VERSION, Memory, Novel

log = logging.getLogger(__name__)
LEARNS = timedelta(days=1)  # nothing is told of a series that is watched for less
STANDS = timedelta(minutes=10)  # a warning stands for so long at least, so that others may join it
LOST = timedelta(hours=1)  # a warning whose series is gone for so long is over
_LOAD = msgspec.json.Decoder(Memory)
_DUMP = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Met:
    """What became of one series in this round; `why` is set for one that is told of."""

    watched: Watched
    score: float
    value: float
    why: str = ""


async def watch_round(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """The golden signals of all services are read once; twice is once, since no point counts twice."""
    if not on(desk):
        return
    now = desk.clock()
    window = Window(now - desk.watching.every, now)
    scores: dict[tuple[str, str], float] = {}
    room = desk.watching.most - await desk.db.read(desk.watches.count)
    for services in batches(desk):
        series = golden((await read(services, window, desk)).series)
        known = await desk.db.read(lambda tx, services=services: desk.watches.states(tx, services))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        met = await asyncio.to_thread(_meet, series, known, room, desk, now)
        room -= sum(1 for one in met if one.watched.service + one.watched.metric not in {k.service + k.metric for k in known})
        scores |= {(one.watched.service, one.watched.metric): one.score for one in met}
        await desk.db.write(lambda tx, met=met: _keep(tx, met, now, desk))  # type: ignore[misc]  # as above
    await desk.db.write(lambda tx: _end(tx, scores, now, desk))


def restored(watched: Watched) -> Memory:
    """What is remembered; nothing, if another version of the bot remembered it."""
    try:
        memory = _LOAD.decode(watched.state)
    except msgspec.DecodeError as error:
        if watched.state:
            log.warning(
                "what is remembered of %s %s cannot be read and is learned anew: %s", watched.service, watched.metric, error
            )
        return Memory()
    return memory if memory.version == VERSION else Memory()


def _meet(series: Iterable[Series], known: Sequence[Watched], room: int, desk: Desk, now: datetime) -> list[Met]:
    states = {(one.service, one.metric): one for one in known}
    found = []
    for one in series:
        key = (one.service, name(one)[:255])
        values = [value for _, value in one.points]
        if not values or (key not in states and room <= 0):
            continue
        room -= key not in states
        watched = states.get(key) or Watched(*key, now, "")
        memory = restored(watched)
        at = one.points[-1][0]
        novel = memory.meet(at.timestamp(), sum(values) / len(values), floor(one.metric))
        if novel is None:
            continue
        unusual = _unusual(novel, memory, one.metric, watched, desk)
        told_at = at if unusual else watched.told_at
        why = memory.why(novel) if unusual else ""
        found.append(Met(Watched(*key, at, _DUMP.encode(memory).decode(), told_at), novel.score, novel.value, why))
    return found


def _unusual(novel: Novel, memory: Memory, metric: str, watched: Watched, desk: Desk) -> bool:
    """It is far enough from all that was seen, in a direction that may be bad, and nothing was told of it lately."""
    limits = desk.watching
    at = datetime.fromtimestamp(novel.at, tz=watched.at.tzinfo)
    if novel.score < limits.threshold or novel.at - memory.since < LEARNS.total_seconds():
        return False
    if watched.told_at is not None and at - watched.told_at < limits.pause:
        return False
    strongest = max(novel.views, key=abs)
    return strongest * (bad_direction(metric) or strongest) > 0


def _keep(tx: Transaction, met: Sequence[Met], now: datetime, desk: Desk) -> None:
    desk.watches.keep(tx, [one.watched for one in met])
    tell(tx, [_warned(one, now, desk) for one in met if one.why], desk)


def _warned(one: Met, now: datetime, desk: Desk) -> Warned:
    text = worded(f"{one.watched.service} {one.watched.metric} is {one.value:.4g}: {one.why}")
    return Warned(desk.new_id(), Sort.ANOMALY, one.watched.service, desk.default_environment, one.watched.metric, now, text)


def _end(tx: Transaction, scores: Mapping[tuple[str, str], float], now: datetime, desk: Desk) -> None:
    """Warnings whose series are usual again, or gone, are over; deployments that settle in are looked at, whatever happened."""
    calm, gone = [], []
    for one in desk.watches.warnings(tx):
        if one.sort is not Sort.ANOMALY or now - one.at < STANDS:
            continue
        score = scores.get((one.service, one.metric))
        if score is not None and score < desk.watching.threshold / 2:
            calm.append(one)
        elif score is None and now - one.at >= LOST:
            gone.append(one)
    over(tx, calm, "usual again", desk)
    over(tx, gone, "no readings any more", desk)
    look_again(tx, desk)
