"""The stand-in speaks OpenAI's wire format: OpenAI's own client understands every answer, every refusal, every failure."""

import json
from typing import Any

import httpx
import openai
import pytest

from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Asked, Call, Scripted, in_turn
from bot.demo.standin.server import Server, standin

HELLO: Any = [{"role": "user", "content": "Say hello."}]
LOOK: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def form(schema: dict[str, Any], *, strict: bool = True) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": strict, "schema": schema}}


def client(server: Server, key: str = "any") -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(trust_env=False, timeout=30)
    return openai.AsyncOpenAI(base_url=server.url, api_key=key, max_retries=0, http_client=http)


async def test_an_answer_has_words_a_reason_and_what_it_took() -> None:
    async with standin(in_turn(Scripted("Hello there.", tokens_cached=2, tokens_reasoning=1))) as server:
        answer = await client(server).chat.completions.create(model="stand-in", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 1
    assert server.asked[0].messages == HELLO
    assert server.asked[0].headers["authorization"] == "Bearer any"


async def test_a_streamed_answer_is_the_same_words_with_usage_at_the_end() -> None:
    words = "One  two\n\n- three"
    async with standin(in_turn(Scripted(words))) as server:
        stream = await client(server).chat.completions.create(
            model="stand-in", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        got = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in got if c.choices) == words
    assert got[-2].choices[0].finish_reason == "stop"
    assert got[-1].choices == []
    assert got[-1].usage is not None
    assert got[-1].usage.completion_tokens == 5


@pytest.mark.parametrize("streamed", [False, True])
async def test_tool_calls_arrive_whole_and_in_pieces(streamed: bool) -> None:
    reply = Scripted(calls=(Call("look", {"at": "the logs of payments"}), Call("look", "{broken")))
    async with standin(in_turn(reply)) as server:
        ask = client(server).chat.completions
        if streamed:
            found: dict[int, list[str]] = {}
            async for chunk in await ask.create(model="stand-in", messages=HELLO, tools=LOOK, stream=True):
                for part in chunk.choices[0].delta.tool_calls or ():
                    assert part.function is not None
                    found.setdefault(part.index, []).append(part.function.arguments or "")
                reason = chunk.choices[0].finish_reason
            arguments = ["".join(found[n]) for n in sorted(found)]
        else:
            answer = await ask.create(model="stand-in", messages=HELLO, tools=LOOK)
            calls: Any = answer.choices[0].message.tool_calls
            arguments = [call.function.arguments for call in calls]
            reason = answer.choices[0].finish_reason
    assert json.loads(arguments[0]) == {"at": "the logs of payments"}
    assert arguments[1] == "{broken"
    assert reason == "tool_calls"


async def test_a_form_is_sent_as_json_and_the_brain_sees_its_schema() -> None:
    seen: list[Asked] = []

    def brain(asked: Asked) -> Scripted:
        seen.append(asked)
        return Scripted(form={"a": "b"})

    async with standin(brain) as server:
        answer = await client(server).chat.completions.create(model="stand-in", messages=HELLO, response_format=form(CLOSED))
    assert json.loads(answer.choices[0].message.content or "") == {"a": "b"}
    assert seen[0].form == CLOSED


async def test_an_answer_ends_at_the_asked_length_even_if_it_would_never_end() -> None:
    async with standin(in_turn(Scripted("on and on ", endless=True))) as server:
        ask = client(server).chat.completions
        answer = await ask.create(model="stand-in", messages=HELLO, max_tokens=20)
        last = [c async for c in await ask.create(model="stand-in", messages=HELLO, max_tokens=20, stream=True)][-1]
    assert answer.choices[0].finish_reason == "length"
    assert len(answer.choices[0].message.content or "") <= 80
    assert last.choices[0].finish_reason == "length"


async def test_a_caller_who_has_heard_enough_of_endless_words_can_leave() -> None:
    async with standin(in_turn(Scripted("on and on ", endless=True), Scripted("Still here."))) as server:
        ask = client(server).chat.completions
        stream = await ask.create(model="stand-in", messages=HELLO, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        answer = await ask.create(model="stand-in", messages=HELLO)
    assert answer.choices[0].message.content == "Still here."


async def test_a_refusal_is_a_field_of_its_own() -> None:
    async with standin(in_turn(Scripted(refusal="I will not."))) as server:
        ask = client(server).chat.completions
        answer = await ask.create(model="stand-in", messages=HELLO)
        chunks = [c async for c in await ask.create(model="stand-in", messages=HELLO, stream=True)]
    assert answer.choices[0].message.refusal == "I will not."
    assert answer.choices[0].message.content is None
    assert "I will not." in [c.choices[0].delta.refusal for c in chunks]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
async def test_errors_are_those_the_client_knows(status: int, error: type[openai.APIStatusError]) -> None:
    async with standin(in_turn(Scripted("Not now.", status=status, retry_after=7))) as server:
        with pytest.raises(error, match=r"Not now\.") as caught:
            await client(server).chat.completions.create(model="stand-in", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"


async def test_while_it_is_down_everything_is_answered_with_503() -> None:
    async with standin(in_turn(Scripted("Up."))) as server, httpx.AsyncClient(trust_env=False) as http:
        door = server.url.removesuffix("/v1") + "/standin"
        assert (await http.post(door, json={"down": True})).json() == {"down": True, "asked": 0}
        with pytest.raises(openai.InternalServerError) as caught:
            await client(server).chat.completions.create(model="stand-in", messages=HELLO)
        assert caught.value.status_code == 503
        await http.post(door, json={"down": False})
        answer = await client(server).chat.completions.create(model="stand-in", messages=HELLO)
    assert answer.choices[0].message.content == "Up."


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_connection_that_breaks_is_an_error_of_the_connection(streamed: bool) -> None:
    body = {"model": "stand-in", "messages": HELLO, "stream": streamed}
    async with standin(in_turn(Scripted("Half of this is lost.", cut_after=3))) as server:
        async with httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post(f"{server.url}/chat/completions", json=body)


async def test_garbage_comes_in_place_of_an_answer() -> None:
    async with standin(in_turn(Scripted(garbage="<html>Bad gateway"))) as server:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{server.url}/chat/completions", json={"model": "stand-in", "messages": HELLO})
    assert answer.text == "<html>Bad gateway"


@pytest.mark.parametrize(
    ("offers", "more", "words"),
    [
        (Offers(json_schema=False), {"response_format": form(CLOSED)}, "'json_schema' is not supported"),
        (Offers(tools=False), {"tools": LOOK}, "--enable-auto-tool-choice"),
        (Offers(), {"response_format": form({"type": "object", "properties": {}})}, "'additionalProperties' is required"),
        (Offers(), {"response_format": form({**CLOSED, "required": []})}, "include every key. Missing 'a'"),
        (Offers(), {"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
        (Offers(), {"tool_choice": "required"}, "only allowed when 'tools' are specified"),
        (Offers(), {"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
    ],
)
async def test_what_a_server_cannot_do_it_says(offers: Offers, more: Any, words: str) -> None:
    async with standin(in_turn(Scripted("Never said.")), offers) as server:
        with pytest.raises(openai.BadRequestError) as caught:
            await client(server).chat.completions.create(model="stand-in", messages=HELLO, **more)
    assert words in str(caught.value)


async def test_a_wrong_key_and_an_unknown_model_are_refused() -> None:
    async with standin(in_turn(Scripted("Never said.")), Offers(key="right")) as server:
        with pytest.raises(openai.AuthenticationError):
            await client(server, "wrong").chat.completions.create(model="stand-in", messages=HELLO)
        with pytest.raises(openai.AuthenticationError):
            await client(server, "wrong").models.list()
        with pytest.raises(openai.NotFoundError):
            await client(server, "right").chat.completions.create(model="other", messages=HELLO)


async def test_the_list_of_models_tells_their_length() -> None:
    async with standin(in_turn(Scripted("")), Offers(models=("small",), context=4096)) as server:
        listed = await client(server).models.list()
    assert [(m.id, m.model_extra) for m in listed.data] == [("small", {"max_model_len": 4096})]


async def test_pages_elsewhere_get_nothing_by_a_name_that_they_resolve_to_loopback() -> None:
    async with standin(in_turn(Scripted(""))) as server, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{server.url}/models", headers={"host": "evil.example"})
    assert answer.status_code == 400
