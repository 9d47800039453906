"""Many trials, some at once, and what was seen in them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.once.house import House, a_house
from tests.once.plan import AUTOMATIC, BATCH, CANCEL, DOOR, LANES, ONE, Lane, Plan, Steps, at, calm, plan
from tests.once.trial import Report, run
from tests.postgres import Postgres

AT_ONCE = 6  # most of a trial is waiting


async def series(
    numbers: Sequence[int], folder: Path, postgres: Postgres | None, say: Callable[[str], None], *, sweep: bool = False
) -> list[Report]:
    """The trials of these numbers; first a calm one per lane, from which the steps are learnt.

    With `sweep` every step at which no blow fell gets a trial of its own afterwards.
    """
    base, spare = max(numbers) + 1, 200
    async with a_house(folder, base + len(LANES) + spare, postgres) as house:
        gate = asyncio.Semaphore(AT_ONCE)
        learnt = await asyncio.gather(*(_calm(lane, base + n, house, gate) for n, lane in enumerate(LANES)))
        for report in learnt:
            say(str(report))
        steps = {r.plan.lane: sorted(Counter(r.steps).items()) for r in learnt}
        reports = list(learnt)
        reports += await asyncio.gather(*(_told(plan(number, steps), house, gate, say) for number in numbers))
        left = missed(reports)[:spare] if sweep else []
        plans = [at(_able(step, steps), step, base + len(LANES) + n) for n, step in enumerate(left)]
        reports += await asyncio.gather(*(_told(one, house, gate, say) for one in plans))
        used = house.nursery.cpu
        say(f"{len(used)} processes of {sum(used) / len(used):.2f} s CPU each")
        return reports


def _able(step: str, steps: Steps) -> Lane:
    """A lane in which this step is taken, and surely so."""
    return max(LANES, key=lambda lane: dict(steps[lane]).get(step, 0))


async def _calm(lane: Lane, number: int, house: House, gate: asyncio.Semaphore) -> Report:
    async with gate:
        return await run(replace(calm(lane), number=number), house, house.folder / f"calm-{number}")


async def _told(plan: Plan, house: House, gate: asyncio.Semaphore, say: Callable[[str], None]) -> Report:
    async with gate:
        report = await run(plan, house, house.folder / f"trial-{plan.number}")
    say(str(report))
    if report.wrong:
        say(f"     again: python -m tests.once {plan.number}\n     {plan}\n     {report.outcome}")
    return report


def summary(reports: Sequence[Report]) -> str:
    """What was seen, in a few lines."""
    fatal = Counter(f for r in reports for f in r.fatal)
    known = {s for r in reports if not r.plan.blows for s in r.steps}
    kinds = Counter(f.partition(" ")[0] for f in fatal.elements())
    of_kind = {kind: [r for r in reports if r.plan.lane.kind == kind] for kind in (ONE, BATCH, CANCEL, AUTOMATIC)}
    stopped = Counter(f"{r.plan.stop.deed}: {r.status}" for r in reports if r.plan.stop)
    lines = [
        f"{len(reports)} trials, {sum(r.blows for r in reports)} blows: {dict(kinds)}",
        *(
            f"{kind}: {len(some)} trials, {sum(r.blows for r in some)} blows, runs {dict(Counter(r.runs for r in some))}, "
            f"{sum(bool(r.uncertain) for r in some)} uncertain for a while, ends {dict(Counter(r.status for r in some))}"
            for kind, some in of_kind.items()
        ),
        f"by the door: {sum(r.plan.lane.apart == DOOR for r in reports)} trials; wanted to stop: {dict(stopped)}",
        f"{len(known)} steps, {len(missed(reports))} of them without a blow: {missed(reports)}",
        f"runs of one action at most: {dict(Counter(r.runs for r in reports))}",
        f"uncertain for a while: {sum(bool(r.uncertain) for r in reports)}",
        f"wrong: {sum(bool(r.wrong) for r in reports)}",
    ]
    return "\n".join(lines)


def missed(reports: Sequence[Report]) -> list[str]:
    """The steps that calm trials took and at which no process was ever killed or made to stand still.

    A calm trial on a machine so busy that the vendor did not answer in time takes steps that no other can be made to take.
    """
    taken = {step for report in reports if not report.plan.blows and not report.uncertain for step in report.steps}
    return sorted(taken - {words.partition(" ")[2] for report in reports for words in report.fatal})
