"""What is watched and what was noticed, for the terminal and the digest."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.watch import Bake, BakeVerdict, Sort
from bot.errors import NotFound
from bot.flows.watching.baking import said
from bot.flows.watching.rounds import LEARNS, restored
from bot.ports import Transaction, WatchStore
from bot.redact import clean
from bot.signals.golden import role
from bot.signals.novelty import DAY, VIEWS

MOST = 8  # lines of a digest


class Room(Protocol):
    """Where the store is: the desk, or the stores beside a running bot."""

    @property
    def watches(self) -> WatchStore:
        """What is remembered."""


def digest_lines(tx: Transaction, room: Room, since: datetime) -> list[str]:
    """What was noticed since a time: what runs out, deployments that did not settle in well, how many metrics were unusual."""
    warned = room.watches.warnings(tx, since)
    lines = [w.text for w in warned if w.sort is Sort.FORECAST and w.ended_at is None]
    bakes = room.watches.bakes(tx, since)
    lines += [said(b) for b in bakes if b.verdict is BakeVerdict.SUSPECT]
    unusual = [w for w in warned if w.sort is Sort.ANOMALY]
    if unusual:
        services = sorted({w.service for w in unusual})
        lines.append(
            f"{_many(len(unusual), 'metric')} unusual, of {', '.join(services[:5])}{' ...' if len(services) > 5 else ''}"
        )
    if bakes:
        lines.append(_counted(bakes))
    return lines[:MOST]


def listing(tx: Transaction, room: Room, now: datetime) -> list[str]:
    """What stands, deployments of the last day, and every series that is watched."""
    lines = [f"{_ago(w.at, now):>8}  {w.sort.value}: {w.text}" for w in room.watches.warnings(tx)] or ["Nothing is warned of."]
    lines += [f"{_ago(b.began_at, now):>8}  {said(b)}" for b in room.watches.bakes(tx, now - timedelta(days=1))]
    for one in room.watches.states(tx):
        what = role(one.metric)
        lines.append(f"{_ago(one.at, now):>8}  {one.service} {one.metric}" + (f" ({what.value})" if what else ""))
    return [clean(line) for line in lines]


def explain(tx: Transaction, room: Room, service: str, metric: str, now: datetime) -> list[str]:
    """What is remembered of one series, and what its last point looked like. Raises NotFound with what there is."""
    mine = room.watches.states(tx, (service,))
    found = next((one for one in mine if one.metric == metric), None)
    if found is None:
        there = ", ".join(one.metric for one in mine) or "nothing"
        raise NotFound(f"{metric[:100]!r} of {service[:100]!r} is not watched; of that service there is: {clean(there)[:500]}.")
    memory = restored(found)
    days = (found.at.timestamp() - memory.since) / DAY
    lines = [f"{service} {metric}: watched for {days:.1f} days, last point {_ago(found.at, now)} ago"]
    if days < LEARNS.total_seconds() / DAY:
        lines.append("It is watched for less than a day: nothing is told of it yet.")
    for view, record in zip(VIEWS, memory.views, strict=True):
        if record.count:
            low, middle, high = record.spread.marks()
            lines.append(
                f"{view:20} 1 % below {low:.4g}, half below {middle:.4g}, 99 % below {high:.4g};"
                f" record {record.low:.4g} to {record.high:.4g} (fades)"
            )
    told = f"told of {_ago(found.told_at, now)} ago" if found.told_at else "never told of"
    return [clean(line) for line in (*lines, told)]


def _counted(bakes: Sequence[Bake]) -> str:
    counts = {verdict: sum(b.verdict is verdict for b in bakes) for verdict in BakeVerdict}
    return f"{_many(len(bakes), 'deployment')} watched: " + ", ".join(f"{n} {v.value}" for v, n in counts.items() if n)


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _ago(at: datetime, now: datetime) -> str:
    minutes = int((now - at).total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"
