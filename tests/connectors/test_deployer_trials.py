"""Two hundred lives of an action over vendors' wire formats, in which whatever can go wrong does by chance: one run at most.

The process dies and forgets what it heard, answers are lost or cut, the vendor is down for a while, runs are listed late.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot.actions import execute
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.ports import RunState
from tests.connectors.company import ORDER, STAGES, history
from tests.connectors.stages import Stage, Theatre
from tests.fakes import NOON

pytestmark = pytest.mark.promise

WIRES = [stage for stage in STAGES if stage.wire]  # those of real processes have trials of their own in tests/once
TRIALS = 200 // len(WIRES) + 1  # of each, in `make test-all`
ENDS = (RunState.SUCCEEDED, RunState.FAILED)


@dataclass(frozen=True)
class End:
    """How a life ended: what was made of the action, and what the vendor knows."""

    status: ActionStatus
    started: list[str]
    really: RunState | None
    text: str


def hindered(theatre: Theatre, chance: random.Random) -> None:
    """The vendor is down by chance; some list a run late."""
    theatre.down = (chance.choice((500, 503)), {}) if chance.random() < 0.25 else None
    if hasattr(theatre, "late"):
        theatre.late = chance.random() < 0.3


async def a_life(stage: Stage, theatre: Theatre, chance: random.Random) -> End:
    """From the approved action to what is known at its end; then the vendor is well again and is asked once more."""
    history(theatre)
    theatre.trouble = chance.choice((None, None, *stage.troubles))
    ends, after = chance.choice(ENDS), chance.randrange(8)
    action = Action(ORDER.key, ActionKind.DEPLOY, "payments", "production", "v42", ActionStatus.EXECUTING, "U1", NOON, NOON)
    if chance.random() < 0.2:
        hindered(theatre, chance)
    step = await execute.begin(action, stage.deployer(theatre))
    if chance.random() < 0.3:  # kill -9 before what was heard was written
        step = execute.Step(None)
    for look in range(execute.PATIENCE + 8):
        if step.to is not None:
            break
        action = replace(action, run=step.run.id if step.run and step.run.id else action.run)
        if look >= after and theatre.started:
            theatre.finish(ORDER.key, ends)
        hindered(theatre, chance)
        step = await execute.follow(action, stage.deployer(theatre), look, NOON + timedelta(seconds=look))
    theatre.down = None
    if hasattr(theatre, "late"):
        theatre.late = False
    if step.to is ActionStatus.UNCERTAIN:
        if theatre.started:
            theatre.finish(ORDER.key, ends)
        later = await execute.settle(replace(action, status=step.to), stage.deployer(theatre), NOON + execute.SETTLED * 2)
        step = later if later.to is not None else step
    really = next((p.state for p in theatre.plays if p.order.key == ORDER.key), None)
    return End(step.to or ActionStatus.EXECUTING, theatre.started, really, step.text)


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, TRIALS), marks=pytest.mark.slow)], ids=["some", "all"])
@pytest.mark.parametrize("stage", [pytest.param(s, marks=pytest.mark.slow if s.slow else ()) for s in WIRES], ids=str)
async def test_by_whatever_chance_there_is_one_run_at_most_and_nothing_is_claimed_that_is_not_so(
    stage: Stage, seeds: range
) -> None:
    for seed in seeds:
        async with stage.theatre() as theatre:
            end = await a_life(stage, theatre, random.Random(seed))
        assert end.started in ([], [ORDER.key]), seed
        if end.status is ActionStatus.VERIFYING:
            assert end.really is RunState.SUCCEEDED, seed
        elif end.status is ActionStatus.FAILED and end.started:
            assert end.really is RunState.FAILED, (seed, end.text)
        else:
            assert not end.started, (seed, end)
