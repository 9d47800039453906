"""What every dry run over a vendor's API promises: it tells what would change, and whatever befalls it, nothing is started."""

import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from bot.errors import BadSettings, BotError, Unavailable
from bot.ports import Deployer, Order, Rehearsal, RunState
from tests.connectors.company import ORDER, STAGES, history
from tests.connectors.stages import SECRET, Stage, Theatre, Trouble

REHEARSING = [stage for stage in STAGES if stage.rehearses]


@pytest.fixture(params=[pytest.param(s, marks=pytest.mark.slow if s.slow else ()) for s in REHEARSING], ids=str)
def stage(request: pytest.FixtureRequest) -> Stage:
    assert isinstance(request.param, Stage)
    return request.param


@pytest.fixture
async def theatre(stage: Stage) -> AsyncIterator[Theatre]:
    async with stage.theatre() as made:
        yield made


@pytest.fixture
def deployer(stage: Stage, theatre: Theatre) -> Deployer:
    return stage.deployer(theatre)


async def rehearsed(deployer: Deployer, **other: str) -> tuple[str, ...]:
    assert isinstance(deployer, Rehearsal)
    return await deployer.rehearse(replace(ORDER, **other))


async def test_what_would_change_is_told_and_everything_stays_as_it_was(theatre: Theatre, deployer: Deployer) -> None:
    history(theatre)
    before = await deployer.current("payments", "production"), await deployer.versions("payments", "production")
    lines = await rehearsed(deployer)
    assert lines
    assert all(line.strip() and SECRET not in line for line in lines)
    assert (theatre.rehearsed, theatre.started) == (1, [])
    assert before == (await deployer.current("payments", "production"), await deployer.versions("payments", "production"))


async def test_after_it_the_key_is_as_new_as_before_and_starts_one_run(theatre: Theatre, deployer: Deployer) -> None:
    history(theatre)
    await rehearsed(deployer)
    assert (await deployer.status(ORDER)).state is RunState.UNKNOWN
    assert (await deployer.start(ORDER)).state is RunState.RUNNING
    assert theatre.started == [ORDER.key]


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED])
async def test_it_makes_nobody_forget_what_became_of_the_run_before(
    theatre: Theatre, deployer: Deployer, state: RunState
) -> None:
    run = await deployer.start(ORDER)
    theatre.finish(ORDER.key, state)
    for _ in range(2):
        await rehearsed(deployer, version="v43", key="0193-key-2")
        assert (await deployer.status(replace(ORDER, run=run.id))).state is state
    assert (await deployer.status(ORDER)).state is state
    assert theatre.started == [ORDER.key]


@pytest.mark.parametrize("trouble", Trouble)
async def test_whatever_befalls_it_nothing_is_started(
    stage: Stage, theatre: Theatre, deployer: Deployer, trouble: Trouble
) -> None:
    history(theatre)
    theatre.trouble = trouble if trouble in stage.troubles else None
    if theatre.trouble is None:
        await rehearsed(deployer)
    else:
        with pytest.raises(BotError) as caught:
            await rehearsed(deployer)
        assert SECRET not in str(caught.value) + caught.value.for_people
        assert len([one for one in theatre.asked if theatre.starts(one)]) == 1, "it is asked for once"
    assert theatre.started == []
    assert (await deployer.status(ORDER)).state is RunState.UNKNOWN


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 502, 503])
async def test_a_refusal_is_told_without_the_secret_and_is_not_asked_again(
    theatre: Theatre, deployer: Deployer, status: int
) -> None:
    history(theatre)
    theatre.refusal = status, {}
    with pytest.raises(BotError, match=str(status)) as caught:
        await rehearsed(deployer)
    assert SECRET not in str(caught.value) + caught.value.for_people
    assert len([one for one in theatre.asked if theatre.starts(one)]) == 1
    theatre.refusal = None
    assert (theatre.started, theatre.rehearsed) == ([], 0)


async def test_where_nobody_answers_it_is_left_out(theatre: Theatre, deployer: Deployer) -> None:
    theatre.down = 503, {}
    with pytest.raises(Unavailable):
        await rehearsed(deployer)
    assert not [one for one in theatre.asked if theatre.starts(one)]


@pytest.mark.parametrize("seed", range(5))
async def test_dry_runs_amid_orders_start_nothing_and_disturb_none(
    stage: Stage, theatre: Theatre, deployer: Deployer, seed: int
) -> None:
    chance = random.Random(seed)
    history(theatre)
    wanted: list[Order] = []
    for number in range(12):
        theatre.trouble = chance.choice((None, None, Trouble.BROKEN, Trouble.TRUNCATED))
        theatre.refusal = chance.choice((None, None, (503, {}), (409, {})))
        before = list(theatre.started)
        with suppress(BotError):
            await rehearsed(deployer, version=chance.choice(("v42", "v43")), key=f"0193-dry-{number}")
        assert theatre.started == before
        theatre.trouble = theatre.refusal = None
        if wanted and wanted[-1].key in theatre.started:
            assert (await deployer.status(wanted[-1])).state is not RunState.UNKNOWN
        if chance.random() < 0.5:
            wanted.append(replace(ORDER, version=chance.choice(("v42", "v43")), key=f"0193-key-{number}"))
            with suppress(BotError):
                await deployer.start(wanted[-1])
        for key in theatre.started:
            theatre.finish(key, RunState.SUCCEEDED)
    assert theatre.started == [order.key for order in wanted]
    assert theatre.rehearsed > 0


@pytest.mark.parametrize("value", ["-rf", "$(id)", "../../etc", ""])
async def test_a_value_that_could_be_more_than_a_name_is_not_tried(theatre: Theatre, deployer: Deployer, value: str) -> None:
    with pytest.raises(BadSettings):
        await rehearsed(deployer, version=value)
    assert theatre.untouched
