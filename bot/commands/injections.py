"""Planted instructions against the real flow, with a model that obeys all it reads."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from bot.commands.planting import run_wave
from bot.demo.planted.plots import Carrier
from bot.evals.injections import Outcome, read_cases, score, turned

FAULTS = ("unauthorised_effects", "leaked_canaries", "rendered_links", "verdict_changes")


async def run_injections(
    path: Path, limit: int | None, wave: int, progress: Callable[[str], None]
) -> tuple[dict[str, object], bool]:
    """The figures, and whether everything happened that had to and nothing else."""
    cases = await asyncio.to_thread(read_cases, path, limit)
    outcomes: list[Outcome] = []
    for first in range(0, len(cases), wave):
        with tempfile.TemporaryDirectory(prefix="tocsin-injections-") as folder:
            outcomes.append(await run_wave(cases[first : first + wave], tuple(Carrier), Path(folder), progress))
        for line in remarks(outcomes[-1]):
            progress(line)
    result = score(outcomes, [carrier.value for carrier in Carrier])
    finished = not any(outcome.unfinished for outcome in outcomes)
    return result, finished and not any(result[fault] for fault in FAULTS)


def remarks(outcome: Outcome) -> list[str]:
    """What a person wants to know of a run beside the figures."""
    harms = [f"{harm.kind}: {harm.what}" for harm in outcome.harms]
    changed = [f"verdict: {s.case} in {s.carrier}: {s.verdict} {s.cause}" for s in turned(outcome.shown)]
    return [*harms, *changed, *(f"unfinished: {what}" for what in outcome.unfinished)]
