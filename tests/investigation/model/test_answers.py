"""A model is asked over real HTTP: words, forms, streaming, and what is counted."""

import json

import pytest

from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Asked, Scripted, in_turn
from bot.demo.standin.server import standin
from bot.domain.conversation import Failure, Role
from tests.investigation.model.room import FORM, GOOD, Ear, a_model, able, asking


async def test_a_plain_question_is_answered_and_counted() -> None:
    brain = in_turn(Scripted("The deploy did it.", tokens_in=120, tokens_out=6, tokens_cached=100, tokens_reasoning=2))
    async with standin(brain) as server:
        reply = await a_model(server.url).ask(asking())
    assert (reply.text, reply.failure, reply.calls) == ("The deploy did it.", None, 1)
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached, reply.tokens_reasoning) == (120, 6, 100, 2)
    assert (reply.model, reply.model_answered) == ("openai-compatible:stand-in", "stand-in")
    assert not reply.cost_known
    assert reply.first_token_ms is not None
    assert [m.role for m in reply.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT]
    sent = server.asked[0].body
    assert (sent["max_tokens"], sent["temperature"], "max_completion_tokens" in sent) == (2000, 0.0, False)


async def test_a_known_model_has_its_price() -> None:
    brain = in_turn(Scripted("Fine.", tokens_in=1_000_000, tokens_out=100_000))
    async with standin(brain, Offers(models=("gpt-4o",), key="k")) as server:
        reply = await a_model(server.url, "openai:gpt-4o", key="k").ask(asking())
    assert reply.cost_known
    assert reply.cost == pytest.approx(3.5)
    assert reply.price_table.startswith("genai-prices ")


async def test_words_are_heard_while_they_come_and_thoughts_are_not() -> None:
    ear = Ear()
    async with standin(in_turn(Scripted("<think>hm, who knows</think> It was the deploy of cart."))) as server:
        reply = await a_model(server.url).ask(asking(), ear)
    assert "".join(ear.heard) == reply.text == "It was the deploy of cart."
    assert len(ear.heard) > 3


async def test_personal_data_leaves_as_tokens_and_comes_back_whole() -> None:
    said = "Ask [EMAIL_1] about it."
    ear = Ear()
    async with standin(in_turn(Scripted(said))) as server:
        question = "jane.doe@example.com deployed with token ghp_" + "kq7RtZp2Xv9LmB4nWc8Ys3HdJf6GaTe1Uo5Q"
        reply = await a_model(server.url).ask(asking(question), ear)
    left = json.dumps(server.asked[0].body)
    assert "jane.doe@example.com" not in left
    assert "ghp_" not in left
    assert reply.text == "".join(ear.heard) == "Ask jane.doe@example.com about it."
    assert reply.messages[-1].text == said
    assert "jane.doe" not in str(reply.messages)
    assert reply.redactions == {"EMAIL": 1, "SECRET": 1}


async def test_a_form_is_kept_to_by_the_servers_own_means() -> None:
    async with standin(able(in_turn(Scripted(form=GOOD)))) as server:
        reply = await a_model(server.url).ask(asking(form=FORM))
    assert (reply.parsed, reply.failure, reply.repairs) == (GOOD, None, 0)
    assert server.asked[-1].form == FORM
    assert reply.parameters["mode"] == "json_schema"
    assert json.loads(reply.messages[-1].text) == GOOD


async def test_a_server_without_forms_is_asked_for_json_in_words() -> None:
    fenced = f"Sure! Here it is:\n```json\n{json.dumps(GOOD)}\n```"
    async with standin(able(in_turn(Scripted(fenced))), Offers(json_schema=False, tools=False)) as server:
        model = a_model(server.url)
        reply = await model.ask(asking(form=FORM))
        abilities = await model.abilities()
    assert (reply.parsed, reply.failure) == (GOOD, None)
    assert reply.parameters["mode"] == "text"
    assert (abilities.json_schema, abilities.tools) == (False, False)


async def test_a_server_that_refuses_such_a_form_is_asked_in_words_from_then_on() -> None:
    def refusing(asked: Asked) -> Scripted:
        return Scripted(status=400, words="failed to parse grammar") if asked.form is not None else Scripted(json.dumps(GOOD))

    async with standin(able(refusing)) as server:
        model = a_model(server.url)
        first, second = await model.ask(asking(form=FORM)), await model.ask(asking(form=FORM))
    assert (first.parsed, first.calls, second.parsed, second.calls) == (GOOD, 2, GOOD, 1)


async def test_a_wrong_form_gets_the_checks_sentence_and_one_more_try() -> None:
    def check(found: object) -> str:
        return "" if found == GOOD else "C9 is none of the candidates; there is C1."

    wrong = {"cause": "C9", "confidence": 80}
    async with standin(able(in_turn(Scripted(form=wrong), Scripted(form=GOOD)))) as server:
        reply = await a_model(server.url).ask(asking(form=FORM, check=check))
    assert (reply.parsed, reply.failure, reply.repairs, reply.calls) == (GOOD, None, 1, 2)
    assert "C9 is none of the candidates" in server.asked[-1].text
    assert json.loads(server.asked[-1].messages[2]["content"]) == wrong


async def test_the_wrong_form_twice_is_a_failure_that_says_what_was_wrong() -> None:
    async with standin(able(in_turn(Scripted(form={"cause": 7})))) as server:
        reply = await a_model(server.url).ask(asking(form=FORM))
    assert (reply.failure, reply.parsed, reply.calls) == (Failure.WRONG_SHAPE, None, 2)
    assert "schema" in reply.why


async def test_personal_data_in_a_form_is_put_back_before_it_is_checked() -> None:
    seen: list[object] = []

    def check(found: object) -> str:
        seen.append(found)
        return ""

    async with standin(able(in_turn(Scripted(form={"cause": "[EMAIL_1]", "confidence": 1})))) as server:
        reply = await a_model(server.url).ask(asking("Was it jane.doe@example.com?", form=FORM, check=check))
    assert seen == [reply.parsed] == [{"cause": "jane.doe@example.com", "confidence": 1}]


async def test_the_servers_first_model_is_taken_where_none_is_named() -> None:
    async with standin(in_turn(Scripted("Yes.")), Offers(models=("first", "second"))) as server:
        reply = await a_model(server.url, "openai-compatible").ask(asking())
    assert (reply.model, reply.model_answered) == ("openai-compatible", "first")
