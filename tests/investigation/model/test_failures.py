"""Every way in which a model fails ends in a Reply that names it, over real HTTP."""

import asyncio

import pytest

from bot.commands.loopback import free_port
from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Scripted, in_turn
from bot.demo.standin.server import standin
from bot.domain.conversation import Abilities, Failure, Reply
from bot.investigation.model.late import How
from bot.investigation.model.opening import open_model
from bot.investigation.model.vendors import Chat
from tests.investigation.model.room import FORM, GOOD, Ear, Pauses, a_model, able, asking


def nobody_listens() -> str:
    return f"http://127.0.0.1:{free_port()}/v1"


async def answered(*replies: Scripted, **limits: object) -> Reply:
    async with standin(in_turn(*replies)) as server:
        return await a_model(server.url).ask(asking(**limits))  # type: ignore[arg-type]  # the request's own limits


async def test_nobody_listens() -> None:
    pauses = Pauses()
    reply = await a_model(nobody_listens(), pauses=pauses).ask(asking())
    assert (reply.failure, pauses.waits) == (Failure.UNREACHABLE, [0.5, 2.0])
    assert "127.0.0.1" in reply.why


async def test_a_server_that_is_down_is_thought_small_and_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async with standin(able(in_turn(Scripted(form=GOOD)))) as server:
        server.down = True
        model = a_model(server.url)
        assert await model.abilities() == Abilities(small=True)
        asked = len(server.asked)
        reply = await model.ask(asking(form=FORM))
        assert reply.failure is Failure.BROKEN
        assert [a.form for a in server.asked[asked:]] == [None] * 3, "not probed again so soon"
        server.down = False
        monkeypatch.setattr("bot.investigation.model.late._ASK_AGAIN", 0.0)
        model._ask_at = 0.0
        assert (await model.abilities()).json_schema
        assert (await model.ask(asking(form=FORM))).parsed == GOOD


async def test_it_takes_too_long_to_begin() -> None:
    reply = await answered(Scripted("Late.", before=5.0), deadline=0.4)
    assert reply.failure is Failure.SLOW
    assert reply.latency_ms < 4500


async def test_it_takes_too_long_to_end_and_the_words_so_far_are_kept_and_counted() -> None:
    reply = await answered(Scripted("one two three four five six seven", between=0.4), deadline=2.0)
    assert reply.failure is Failure.SLOW
    assert reply.text.startswith("one")
    assert reply.parameters["tokens"] == "estimated"
    assert reply.tokens_out > 0


async def test_a_rate_limit_is_waited_out_as_told() -> None:
    pauses = Pauses()
    async with standin(in_turn(Scripted(status=429, retry_after=3), Scripted("Now."))) as server:
        reply = await a_model(server.url, pauses=pauses).ask(asking())
    assert (reply.text, reply.failure, pauses.waits, reply.calls) == ("Now.", None, [3.0], 2)


async def test_a_rate_limit_beyond_the_deadline_is_not_waited_out() -> None:
    pauses = Pauses()
    async with standin(in_turn(Scripted(status=429, retry_after=600))) as server:
        reply = await a_model(server.url, pauses=pauses).ask(asking())
    assert (reply.failure, pauses.waits, len(server.asked)) == (Failure.RATE_LIMITED, [], 1)


async def test_errors_of_the_server_are_tried_again_twice() -> None:
    reply = await answered(Scripted(status=500), Scripted(status=503), Scripted("Back."))
    assert (reply.text, reply.calls) == ("Back.", 3)
    reply = await answered(Scripted(status=502))
    assert (reply.failure, reply.calls) == (Failure.BROKEN, 3)
    assert "502" in reply.why


async def test_a_refused_key_is_said_without_the_key() -> None:
    key = "sk-proj-" + "kq7RtZp2Xv9LmB4nWc8Ys3HdJf6GaTe1"
    async with standin(in_turn(Scripted(status=403, words=f"Incorrect API key provided: {key}"))) as server:
        reply = await a_model(server.url, key=key).ask(asking())
    assert (reply.failure, len(server.asked)) == (Failure.DENIED, 1)
    assert key not in repr(reply)
    async with standin(in_turn(Scripted("no")), Offers(key="right")) as server:
        reply = await a_model(server.url, key="wrong-but-secret").ask(asking())
    assert reply.failure is Failure.DENIED
    assert "wrong-but-secret" not in repr(reply)


async def test_it_declines_to_answer() -> None:
    assert (await answered(Scripted("", finish="content_filter"))).failure is Failure.REFUSED
    async with standin(able(in_turn(Scripted(refusal="I cannot help with that.")))) as server:
        reply = await a_model(server.url).ask(asking(form=FORM))
    assert (reply.failure, reply.why) == (Failure.REFUSED, "I cannot help with that.")


async def test_an_answer_that_reaches_its_greatest_length_is_cut_off() -> None:
    reply = await answered(Scripted("word " * 400), most_tokens_out=50)
    assert reply.failure is Failure.TRUNCATED
    assert reply.text.startswith("word word")
    long = Scripted(form={"cause": "x, y " * 400, "confidence": 1})
    async with standin(able(in_turn(long))) as server:
        reply = await a_model(server.url).ask(asking(form=FORM, most_tokens_out=50))
    assert (reply.failure, reply.parsed) == (Failure.TRUNCATED, None)


async def test_a_stream_that_breaks_off_is_no_answer() -> None:
    reply = await answered(Scripted("It was the deploy of cart at noon.", cut_after=4))
    assert reply.failure in (Failure.BROKEN, Failure.TRUNCATED)
    assert reply.text.startswith("It was")


async def test_garbage_is_no_answer() -> None:
    reply = await answered(Scripted(garbage="<html>Bad gateway</html>"))
    assert reply.failure is Failure.BROKEN


async def test_nothing_is_no_answer() -> None:
    assert (await answered(Scripted(""))).failure is Failure.BROKEN


async def test_a_model_that_repeats_itself_is_stopped() -> None:
    reply = await answered(Scripted("again and ", endless=True), most_tokens_out=100_000)
    assert (reply.failure, reply.text) == (Failure.TRUNCATED, "")


async def test_the_sane_beginning_of_an_answer_that_loops_is_kept() -> None:
    sane = "The deploy of cart at noon raised the error rate. Roll it back. "
    ear = Ear()
    async with standin(in_turn(Scripted(sane + "Then check. " * 400))) as server:
        reply = await a_model(server.url).ask(asking(most_tokens_out=100_000), ear)
    assert reply.failure is None
    assert reply.text.startswith(sane.strip())
    assert len(reply.text) < 120
    assert len("".join(ear.heard)) < 1000


async def test_an_answer_far_longer_than_asked_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a server that ignores the asked length; the stand-in keeps to it, so here it is not told."""
    monkeypatch.setattr(Chat, "limited", lambda self, _most: self.client)
    many = " ".join(f"Sentence {n} says something new." for n in range(3000))
    async with standin(in_turn(Scripted(many))) as server:
        reply = await a_model(server.url).ask(asking(most_tokens_out=20))
    assert reply.failure is None
    assert len(reply.text) <= 560


async def test_a_budget_that_is_used_up_ends_it_before_the_next_call() -> None:
    wrong, good = Scripted(form={"cause": 1}, tokens_in=1_000_000), Scripted(form=GOOD)
    async with standin(able(in_turn(wrong, good)), Offers(models=("gpt-4o",))) as server:
        model = a_model(server.url, "openai:gpt-4o", key="k")
        reply = await model.ask(asking(form=FORM, most_cost=1.0))
    assert (reply.failure, reply.calls) == (Failure.OVER_BUDGET, 1)
    assert reply.cost > 1.0


async def test_a_model_that_is_not_there_is_named() -> None:
    async with standin(in_turn(Scripted("no")), Offers(models=("other",))) as server:
        reply = await a_model(server.url).ask(asking())
    assert reply.failure is Failure.BROKEN
    assert "stand-in" in reply.why


async def test_a_second_model_answers_where_the_first_one_fails() -> None:
    async with standin(in_turn(Scripted("From the second.", tokens_in=7))) as server:
        first, second = How("openai-compatible:stand-in", server.url + "/nowhere"), How("openai-compatible:stand-in", server.url)
        reply = await open_model(first, second).ask(asking())
    assert (reply.text, reply.fallback_from, reply.failure) == ("From the second.", "openai-compatible:stand-in", None)
    assert reply.calls == 2


async def test_the_second_model_has_time_left_when_the_first_one_hangs() -> None:
    async with standin(in_turn(Scripted("Late.", before=9.0), Scripted("In time."))) as server:
        how = How("openai-compatible:stand-in", server.url)
        reply = await open_model(how, how).ask(asking(deadline=3.0))
    assert (reply.text, reply.failure) == ("In time.", None)
    assert reply.latency_ms < 3000


async def test_to_be_cancelled_is_no_failure_of_the_model() -> None:
    async with standin(in_turn(Scripted("Late.", before=5.0))) as server:
        task = asyncio.create_task(a_model(server.url).ask(asking()))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
