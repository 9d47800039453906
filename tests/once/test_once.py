"""At most once: whatever befalls the bot, its executors and the vendor, the vendor counts one run.

`python -m tests.once N` repeats trial N.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.once.house import a_house
from tests.once.plan import Blow, Click, Lane, Plan
from tests.once.series import missed, series, summary
from tests.once.steps import KILL
from tests.once.trial import Report, run
from tests.once.vendor import Script
from tests.postgres import Postgres

pytestmark = pytest.mark.promise

TRIALS = 200
TRIES = 5
CLICKS = tuple(Click(who, mark, 0.0, 0) for who, mark in (("U0APPROVER", "a"), ("U0APPROVER", "a"), ("U0OUTSIDER", "b")))
DISPATCH = "vendor POST /repos/acme/shop/actions/workflows/deploy.yml/dispatches"


def sample(number: int, nature: str, step: str, script: Script | None = None, asks: int = 1) -> Plan:
    """A trial with one kill -9, on SQLite."""
    blow = Blow(step, 1, KILL, 0.0)
    return Plan(number, Lane(nature, False), script or Script(nature), (blow,), "", ("command",), asks, CLICKS, 1)


SAMPLE = (
    sample(0, "promising", "after write executing._start.claim", asks=2),
    sample(1, "workflow", f"during {DISPATCH}", Script("workflow", ("slow",))),
    sample(2, "workflow", f"after {DISPATCH}"),
    sample(3, "promising", "during program start", Script("promising", ("slow", "422"), ends="failed")),
)


def told(reports: Sequence[Report]) -> str:
    return "\n".join(f"{report}\nagain: python -m tests.once {report.plan.number}\n{report.plan}" for report in reports)


async def test_some_kills_where_it_matters_most_leave_one_run(tmp_path: Path) -> None:
    async with a_house(tmp_path / "once", len(SAMPLE), None, fork=True, incidents=("",)) as house:
        reports = await asyncio.gather(*(run(plan, house, house.folder / str(plan.number)) for plan in SAMPLE))
    for report in reports:
        assert report.wrong == [], report
        assert report.blows == 1, f"no process takes the step {report.plan.blows[0].step!r} any more"
        assert report.runs == 1, report


@pytest.mark.slow
async def test_a_vendor_that_does_not_keep_its_promise_is_found_out(tmp_path: Path) -> None:
    """The count is one that can be two: the same kill as in the sample, with a deployer that promises it and lies.

    Which moment of the program's start the kill meets is chance, so there are some of them.
    """
    async with a_house(tmp_path / "once", TRIES, None, incidents=("",)) as house:
        for number in range(TRIES):
            plan = sample(number, "lying", "during program start", Script("lying", ("slow",)))
            report = await run(plan, house, house.folder / str(number))
            if report.runs == 2:
                break
    assert report.runs == 2
    assert report.wrong[0].startswith("2 runs")


@pytest.mark.slow
@pytest.mark.timeout(2400)
async def test_two_hundred_random_trials_leave_one_run_each_at_most(
    tmp_path: Path, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kills at every step, two replicas, two executors, double clicks, redelivery, a vendor that accepts and says nothing;

    single actions, batches, actions that somebody wants stopped, and those that the bot starts by itself. Nothing runs twice,
    without exception. One trial may still wait for its end when its time is up: it is printed, and no promise is broken by it.
    """

    def say(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    reports = await series(range(TRIALS), tmp_path / "once", postgres, say, sweep=True)
    say(summary(reports))
    assert all(report.runs <= 1 for report in reports)
    waiting = [r for r in reports if r.wrong and all(words.startswith("waited ") for words in r.wrong)]
    say(told(waiting))
    assert len(waiting) <= 1, told(waiting)
    wrong = [r for r in reports if r.wrong and r not in waiting]
    assert not wrong, told(wrong)
    assert Counter(report.runs for report in reports)[1] > TRIALS / 2
    assert sum(report.blows for report in reports) >= TRIALS / 2
    assert len(missed(reports)) <= 5, "a process should die at every step; some are taken by chance only"
