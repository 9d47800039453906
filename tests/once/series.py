"""Many trials, some at once, and what was seen in them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.once.house import House, a_house
from tests.once.plan import LANES, Lane, calm, plan
from tests.once.trial import Report, run
from tests.postgres import Postgres

AT_ONCE = 6  # most of a trial is waiting
Steps = Mapping[Lane, Sequence[tuple[str, int]]]


async def series(
    numbers: Sequence[int], folder: Path, postgres: Postgres | None, say: Callable[[str], None], at_once: int = AT_ONCE
) -> list[Report]:
    """The trials of these numbers; first a calm one per lane, from which the steps are learnt."""
    lanes = sorted({n % len(LANES) for n in numbers})
    async with a_house(folder, max(numbers) + 1 + len(LANES), postgres) as house:
        gate = asyncio.Semaphore(at_once)
        base = max(numbers) + 1
        learnt = await asyncio.gather(*(_calm(LANES[n], base + n, house, gate) for n in lanes))
        for report in learnt:
            say(str(report))
        steps = {r.plan.lane: _counted(r.steps) for r in learnt}
        trials = await asyncio.gather(*(_told(number, steps, house, gate, say) for number in numbers))
        say(f"{len(house.nursery.cpu)} processes of {sum(house.nursery.cpu) / len(house.nursery.cpu):.2f} s CPU each")
        return [*learnt, *trials]


async def _calm(lane: Lane, number: int, house: House, gate: asyncio.Semaphore) -> Report:
    from dataclasses import replace

    async with gate:
        return await run(replace(calm(lane), number=number), house, house.folder / f"calm-{number}")


async def _told(number: int, steps: Steps, house: House, gate: asyncio.Semaphore, say: Callable[[str], None]) -> Report:
    async with gate:
        report = await run(plan(number, steps), house, house.folder / f"trial-{number}")
    say(str(report))
    if report.wrong:
        say(f"     again: python -m tests.once {number}\n     {report.plan}\n     {report.outcome}")
    return report


def _counted(steps: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(steps).items())


def summary(reports: Sequence[Report]) -> str:
    """What was seen, in a few lines."""
    ends = Counter(r.status for r in reports)
    known = {s for r in reports if r.plan.lane for s in r.steps}
    fatal = Counter(f for r in reports for f in r.fatal)
    lines = [
        f"{len(reports)} trials, {sum(r.blows for r in reports)} blows at {len(fatal)} different steps of {len(known)} seen",
        f"runs: {dict(Counter(r.runs for r in reports))}; ends: {dict(ends)}",
        f"uncertain for a while: {sum(bool(r.uncertain) for r in reports)}",
        f"wrong: {sum(bool(r.wrong) for r in reports)}",
    ]
    return "\n".join(lines)


def missed(reports: Sequence[Report]) -> list[str]:
    """The steps that calm trials took and at which no process was ever killed or made to stand still."""
    taken = {step for report in reports if not report.plan.blows for step in report.steps}
    return sorted(taken - {words.partition(" ")[2] for report in reports for words in report.fatal})
