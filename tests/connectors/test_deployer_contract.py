"""What every deployer promises, over its vendor's documented wire format; a new one is a record of STAGES."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions import execute
from bot.domain.action import ActionStatus
from bot.errors import BadSettings, BotError, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable
from bot.ports import Connector, Deployer, RunState
from connectors import CONNECTORS
from tests.connectors.company import ORDER, STAGES, action, history
from tests.connectors.stages import ACCEPTED, SECRET, Promise, Stage, Theatre, Trouble
from tests.fakes import NOON

QUESTIONS = ("current", "versions", "status")


@pytest.fixture(params=[pytest.param(s, marks=pytest.mark.slow if s.slow else ()) for s in STAGES], ids=str)
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


async def ask(deployer: Deployer, question: str) -> object:
    if question == "status":
        return await deployer.status(ORDER)
    answer = deployer.current if question == "current" else deployer.versions
    return await answer("payments", "production")


async def test_a_plan_is_told_what_runs_and_what_ran_and_nothing_is_started(
    stage: Stage, theatre: Theatre, deployer: Deployer
) -> None:
    history(theatre)
    current = await deployer.current("payments", "production")
    versions = await deployer.versions("payments", "production")
    runs, ago = stage.runs
    assert (current.version, current.deployed_at) == (runs, NOON - ago)
    assert tuple((v.version, v.healthy) for v in versions) == stage.ran
    assert theatre.started == []
    assert theatre.only_asked


async def test_what_never_ran_is_not_made_up(stage: Stage, deployer: Deployer) -> None:
    if Promise.NOTHING in stage.lacks:
        with pytest.raises(BotError):
            await deployer.current("elsewhere", "production")
    stage.needs(Promise.NOTHING)
    with pytest.raises(NotFound, match="payments"):
        await deployer.current("payments", "production")
    assert await deployer.versions("payments", "production") == ()


async def test_a_key_starts_one_run(theatre: Theatre, deployer: Deployer) -> None:
    assert (await deployer.status(ORDER)).state is RunState.UNKNOWN
    first = await deployer.start(ORDER)
    again = await deployer.start(replace(ORDER, run=first.id))
    assert theatre.started == [ORDER.key]
    assert first.state is again.state is RunState.RUNNING
    assert await deployer.start(ORDER) == again
    theatre.finish(ORDER.key, RunState.SUCCEEDED)
    assert (await deployer.start(ORDER)).state is RunState.SUCCEEDED
    assert theatre.started == [ORDER.key]


async def test_another_key_is_another_run_and_neither_runs_again(stage: Stage, theatre: Theatre, deployer: Deployer) -> None:
    first, other = ORDER, replace(ORDER, version="v43", key="0193-key-2")
    one = await deployer.start(first)
    if Promise.SIDE_BY_SIDE in stage.lacks:
        with pytest.raises(NotStarted):
            await deployer.start(other)
        theatre.finish(first.key, RunState.SUCCEEDED)
    two = await deployer.start(other)
    assert theatre.started == [first.key, other.key]
    assert two.state is RunState.RUNNING
    assert one.id != two.id
    assert (await deployer.start(other)).state is RunState.RUNNING
    assert theatre.started == [first.key, other.key]
    stage.needs(Promise.REMEMBERS)
    await deployer.start(first)
    assert theatre.started == [first.key, other.key]


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED])
async def test_a_run_is_followed_to_its_end(stage: Stage, theatre: Theatre, deployer: Deployer, state: RunState) -> None:
    if state is RunState.CANCELLED and not deployer.cancels:
        state = RunState.SUCCEEDED
    run = await deployer.start(ORDER)
    order = replace(ORDER, run=run.id)
    assert [(await deployer.status(order)).state for _ in range(3)] == [RunState.RUNNING] * 3
    theatre.finish(ORDER.key, state)
    ended = await deployer.status(order)
    assert (ended.state, ended.version) == (state, "v42")
    assert ended.link.startswith("https://") or Promise.LINK in stage.lacks
    assert (await deployer.status(ORDER)) == ended, "whoever knows the key alone finds it too"
    if state is RunState.FAILED:
        assert ended.output


async def test_a_run_is_stopped_where_the_vendor_can(theatre: Theatre, deployer: Deployer) -> None:
    await deployer.start(ORDER)
    if not deployer.cancels:
        with pytest.raises(IllegalMove):
            await deployer.cancel(ORDER)
        return
    assert (await deployer.cancel(ORDER)).state is RunState.CANCELLED
    assert (await deployer.status(ORDER)).state is RunState.CANCELLED
    assert (await deployer.cancel(replace(ORDER, key="0193-unheard"))).state is RunState.UNKNOWN
    assert theatre.started == [ORDER.key]


async def test_what_has_ended_stays_as_it_is_when_it_is_stopped(theatre: Theatre, deployer: Deployer) -> None:
    await deployer.start(ORDER)
    theatre.finish(ORDER.key, RunState.SUCCEEDED)
    if deployer.cancels:
        assert (await deployer.cancel(ORDER)).state is RunState.SUCCEEDED
    assert (await deployer.status(ORDER)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_a_refusal_started_nothing_and_says_so_without_the_secret(
    stage: Stage, theatre: Theatre, deployer: Deployer, status: int
) -> None:
    stage.needs(Promise.STATUSES)
    theatre.refusal = status, {}
    with pytest.raises(BotError) as caught:
        await deployer.start(ORDER)
    assert not isinstance(caught.value, Unavailable)
    assert str(status) in str(caught.value)
    assert SECRET not in str(caught.value) + caught.value.for_people
    assert theatre.started == []


async def test_a_vendor_that_is_too_busy_says_when_to_come_again(stage: Stage, theatre: Theatre, deployer: Deployer) -> None:
    stage.needs(Promise.STATUSES)
    theatre.refusal = 429, {"retry-after": "30"}
    with pytest.raises(NotStarted, match="30 s") as caught:
        await deployer.start(ORDER)
    assert caught.value.retry_after == 30
    assert theatre.started == []


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_after_an_error_of_the_vendor_nobody_claims_to_know(
    stage: Stage, theatre: Theatre, deployer: Deployer, status: int
) -> None:
    stage.needs(Promise.STATUSES)
    theatre.refusal = status, {}
    with pytest.raises(Unavailable) as caught:
        await deployer.start(ORDER)
    assert SECRET not in str(caught.value)


async def test_what_was_never_sent_was_not_started(stage: Stage, theatre: Theatre, deployer: Deployer) -> None:
    stage.needs(Promise.UNREACHABLE)
    theatre.trouble = Trouble.UNREACHABLE
    with pytest.raises(NotStarted) as caught:
        await deployer.start(ORDER)
    assert SECRET not in str(caught.value)
    assert theatre.started == []


async def test_an_order_that_is_lost_is_unheard_of(theatre: Theatre, deployer: Deployer) -> None:
    theatre.trouble = Trouble.LOST_BEFORE
    with pytest.raises(Unavailable):
        await deployer.start(ORDER)
    assert (await deployer.status(ORDER)).state is RunState.UNKNOWN
    assert theatre.started == []


@pytest.mark.parametrize("trouble", ACCEPTED)
async def test_an_order_whose_answer_is_lost_is_found_by_its_key(
    stage: Stage, theatre: Theatre, deployer: Deployer, trouble: Trouble
) -> None:
    if trouble not in stage.troubles:
        stage.needs(Promise.CUT_ANSWER)
    theatre.trouble = trouble
    with pytest.raises(Unavailable):
        await deployer.start(ORDER)
    found = await deployer.status(ORDER)
    assert found.state is RunState.RUNNING
    assert found.id
    assert await deployer.start(ORDER) == found
    assert theatre.started == [ORDER.key]


async def test_a_run_that_the_vendor_lost_is_unknown_and_handed_to_a_person(theatre: Theatre, deployer: Deployer) -> None:
    run = await deployer.start(ORDER)
    theatre.forget(ORDER.key)
    assert (await deployer.status(replace(ORDER, run=run.id))).state is RunState.UNKNOWN
    step = await execute.follow(replace(action(), run=run.id), deployer, 0, NOON)
    assert step.to is ActionStatus.UNCERTAIN
    assert deployer.how_to_ask(ORDER) in step.text
    assert theatre.started == [ORDER.key]


async def test_a_run_that_never_ends_is_handed_to_a_person_and_left_alone(theatre: Theatre, deployer: Deployer) -> None:
    run = await deployer.start(ORDER)
    later = NOON + execute.LONGEST + timedelta(seconds=1)
    assert (await execute.follow(replace(action(), run=run.id), deployer, 40, later - timedelta(seconds=2))).to is None
    step = await execute.follow(replace(action(), run=run.id), deployer, 40, later)
    assert step.to is ActionStatus.UNCERTAIN
    assert "still runs" in step.text
    assert theatre.started == [ORDER.key]
    assert (await deployer.status(ORDER)).state is RunState.RUNNING


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("status", "error"), [(500, Unavailable), (429, Unavailable), (401, NotAllowed)])
async def test_questions_that_are_not_answered_say_why(
    stage: Stage, theatre: Theatre, deployer: Deployer, question: str, status: int, error: type[BotError]
) -> None:
    stage.needs(Promise.STATUSES)
    theatre.down = status, {"retry-after": "7"} if status == 429 else {}
    with pytest.raises(error) as caught:
        await ask(deployer, question)
    assert SECRET not in str(caught.value)


async def test_where_nobody_can_be_asked_before_the_start_nothing_starts(
    stage: Stage, theatre: Theatre, deployer: Deployer
) -> None:
    stage.needs(Promise.STATUSES)
    theatre.down = 503, {}
    with pytest.raises(NotStarted):
        await deployer.start(ORDER)
    assert theatre.started == []


@pytest.mark.parametrize("value", ["-rf", "v1; rm -rf /", "$(id)", "a b", "v1\n", "", "../../etc", "v1\0", "x" * 129])
async def test_a_value_that_could_be_more_than_a_name_starts_nothing(theatre: Theatre, deployer: Deployer, value: str) -> None:
    for order in (replace(ORDER, version=value), replace(ORDER, service=value), replace(ORDER, key=value)):
        with pytest.raises(BadSettings):
            await deployer.start(order)
    with pytest.raises(BadSettings):
        await deployer.current("payments", value)
    assert theatre.untouched


async def test_its_examination_asks_only_and_finds_what_the_token_lacks(theatre: Theatre, deployer: Deployer) -> None:
    assert await deployer.check() == ()
    theatre.weak = True
    lacks = await deployer.check()
    assert lacks
    assert all(sentence.endswith(".") and SECRET not in sentence for sentence in lacks)
    assert theatre.only_asked
    assert theatre.started == []


async def test_a_person_is_told_how_to_find_out(deployer: Deployer) -> None:
    how = deployer.how_to_ask(ORDER)
    assert ORDER.key in how
    assert not how.endswith(".")
    assert SECRET not in how + repr(deployer)


@pytest.mark.parametrize("trouble", [None, *Trouble])
async def test_whatever_befalls_the_start_an_action_runs_once_at_most(
    stage: Stage, theatre: Theatre, deployer: Deployer, trouble: Trouble | None
) -> None:
    """The action's own steps: begun, then asked about until it is known what became of it."""
    if trouble and trouble not in stage.troubles:
        stage.needs(Promise.UNREACHABLE if trouble is Trouble.UNREACHABLE else Promise.CUT_ANSWER)
    theatre.trouble = trouble
    under_way = action()
    step = await execute.begin(under_way, deployer)
    for look in range(execute.PATIENCE + 1):
        if step.to is not None:
            break
        under_way = replace(under_way, run=step.run.id if step.run else under_way.run)
        if theatre.started:
            theatre.finish(ORDER.key, RunState.SUCCEEDED)
        step = await execute.follow(under_way, deployer, look, NOON)
    ends = {Trouble.UNREACHABLE: "failed", Trouble.LOST_BEFORE: "verifying" if deployer.idempotent else "uncertain"}
    assert step.to is not None
    assert step.to.value == ends.get(trouble, "verifying") if trouble else "verifying"
    assert theatre.started == ([ORDER.key] if step.to is ActionStatus.VERIFYING else [])


@pytest.mark.parametrize("connector", [c for c in CONNECTORS if c.deployer], ids=lambda c: c.name)
def test_settings_that_are_wrong_name_the_key_and_never_the_value(connector: Connector) -> None:
    make = connector.deployer
    assert make is not None
    with pytest.raises(BadSettings) as caught:
        make({"token": [SECRET], "no_such_key": SECRET})
    assert SECRET not in str(caught.value)
    assert "A good one" in str(caught.value)
