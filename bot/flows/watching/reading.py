"""Series of many services, read in bounded batches; a source that fails is a value."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.domain.watch import WatchMode
from bot.flows.desk import Desk
from bot.investigation.gather import ask_source
from bot.signals.golden import name

BATCH = 10  # services that are asked for at once
MOST_SERVICES = 500
PATIENCE = 30.0  # seconds for one source and batch


@dataclass(frozen=True, slots=True)
class Read:
    """What came back for some services; `whole`: every source answered."""

    series: tuple[Series, ...]
    whole: bool


def on(desk: Desk) -> bool:
    """There is something to watch with, and it is wanted."""
    return desk.watching.mode is not WatchMode.OFF and bool(desk.number_sources)


def batches(desk: Desk) -> Iterator[tuple[str, ...]]:
    """The services of the catalogue that are ours, the most important ones first."""
    services = desk.catalogue().services.values()
    ours = iter(sorted((s.tier, s.name) for s in services if not s.external)[:MOST_SERVICES])
    while some := tuple(name for _, name in islice(ours, BATCH)):
        yield some


async def read(services: Sequence[str], window: Window, desk: Desk, patience: float = PATIENCE) -> Read:
    """Every series of these services, each name once; a source gets so many seconds. Logs and traces are not asked."""
    answers = await asyncio.gather(*(ask_source(source, services, window, patience) for source in desk.number_sources))
    readings = [reading for answer in answers for reading in answer]
    return Read(_once(readings, set(services)), all(r.status is not SourceStatus.FAILED for r in readings))


def _once(readings: Iterable[Readings], services: set[str]) -> tuple[Series, ...]:
    found: dict[tuple[str, str], Series] = {}
    for reading in readings:
        for one in reading.series:
            if one.service in services:
                found.setdefault((one.service, name(one)), one)
    return tuple(found.values())
