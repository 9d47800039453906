"""Every source of edges is asked who called whom lately; what it saw is kept under its name."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.telemetry import Window
from bot.domain.topology import SeenCall
from bot.errors import BotError
from bot.flows.desk import Desk
from bot.flows.mapping.following import read_topology
from bot.ports import EdgeSource, Scalar, Transaction

log = logging.getLogger(__name__)
LOOKS_BACK = timedelta(minutes=15)
PATIENCE = 60.0  # seconds for one source
LONGEST = 100  # characters of a name
MOST = 5_000  # calls of one source
SPANS = "traces"  # the source of what an investigation saw in spans


async def refresh_topology(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """What each source saw in the last quarter of an hour is kept; one that cannot be asked changes nothing."""
    now = desk.clock()
    window = Window(now - LOOKS_BACK, now)
    answers = await asyncio.gather(*(_asked(source, window) for source in desk.edge_sources))

    def keep(tx: Transaction) -> None:
        for source, seen in zip(desk.edge_sources, answers, strict=True):
            desk.topology.saw(tx, source.name, seen, now)

    if any(answers):
        await desk.db.write(keep)
    await read_topology(desk)


async def _asked(source: EdgeSource, window: Window) -> tuple[SeenCall, ...]:
    try:
        async with asyncio.timeout(PATIENCE):
            return named(await source.seen(window))
    except TimeoutError:
        log.warning("%s did not say within %.0f s who called whom", source.name, PATIENCE)
    except BotError as error:
        log.warning("%s cannot say who called whom: %s", source.name, error)
    return ()


def named(seen: Sequence[SeenCall]) -> tuple[SeenCall, ...]:
    """Those with a name at both ends, cut to a length, the busiest if there are too many."""
    told = [replace(s, caller=_name(s.caller), callee=_name(s.callee)) for s in seen]
    good = [s for s in told if s.caller and s.callee and s.caller != s.callee]
    return tuple(sorted(good, key=lambda s: (-s.calls, s.caller, s.callee))[:MOST])


def note_calls(tx: Transaction, ends: Iterable[tuple[str, str]], desk: Desk) -> None:
    """Callers and callees that an investigation saw in traces are kept too; a trace tells who calls whom, not how often."""
    if seen := named([SeenCall(caller, callee) for caller, callee in ends]):
        desk.topology.saw(tx, SPANS, seen, desk.clock())


def _name(name: str) -> str:
    return " ".join(name.split())[:LONGEST]
