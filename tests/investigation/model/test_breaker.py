"""A model that hangs is left alone, so that nobody waits behind it; the next good answer makes it whole again."""

from bot.domain.conversation import Abilities, Failure, Reply
from bot.investigation.model.breaker import REST, Breaker
from tests.fakes import FakeModel
from tests.investigation.model.room import asking

SLOW, FINE = Reply(failure=Failure.SLOW, why="no word in 60 s"), Reply(text="fine")


async def test_after_two_costly_failures_it_is_not_asked_for_a_while() -> None:
    now = [100.0]
    inner = FakeModel([SLOW, SLOW, FINE], can=Abilities(tools=True, small=False))
    model = Breaker(inner, now=lambda: now[0])
    assert [(await model.ask(asking())).failure for _ in range(5)] == [Failure.SLOW] * 5
    assert len(inner.asked) == 2
    assert "asked again in 30 s" in (await model.ask(asking())).why
    assert await model.abilities() == Abilities()
    now[0] += REST
    assert (await model.abilities()).tools
    assert (await model.ask(asking())).text == "fine"


async def test_a_try_after_the_rest_that_fails_again_rests_again() -> None:
    now = [0.0]
    inner = FakeModel([SLOW])
    model = Breaker(inner, now=lambda: now[0])
    for _ in range(3):
        await model.ask(asking())
    now[0] += REST
    for _ in range(3):
        await model.ask(asking())
    assert len(inner.asked) == 3


async def test_failures_that_cost_no_time_and_good_answers_between_trip_nothing() -> None:
    refused = Reply(failure=Failure.REFUSED, why="no")
    for replies in ([refused], [SLOW, FINE, SLOW, FINE, SLOW, FINE]):
        inner = FakeModel(replies)
        model = Breaker(inner)
        for _ in range(6):
            await model.ask(asking())
        assert len(inner.asked) == 6
